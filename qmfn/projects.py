"""The folder of a project: who may replace it, what of it is kept, who works on it.

`convert` leaves a mark, `.qmfn.json`: the design file, and the content of every file that it wrote. A folder without a
mark is not ours and stays. Of a project of ours only what `convert` wrote itself is ever deleted: where there is more
(synthesis results, bitstreams, notes) or a file was edited, the whole project is moved aside, so that results stay
with the sources that they are of.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from qmfn.design.schema import Strict
from qmfn.errors import UserError
from qmfn.files import content_hashes, file_hash, files_below, listed, locked

MARK = ".qmfn.json"

RENEWED = ("report.html", "report.md")
"""Files of a project that `qmfn report` writes again: losing them loses nothing."""


class Mark(Strict):
    """What `convert` leaves in a project.

    Attributes:
        design: absolute path of the design file.
        finished: whether all steps ran.
        files: `content_hashes` of what was written.
    """

    design: str
    finished: bool
    files: dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where the project of a conversion goes.

    Attributes:
        folder: the project's folder; if it is a link, what it leads to is replaced and the link stays.
        design: the design file.
        finished: whether the conversion runs all steps.
        force: replace a project of another design file, too.
    """

    folder: Path
    design: Path
    finished: bool
    force: bool = False

    @property
    def real_folder(self) -> Path:
        return Path(os.path.realpath(self.folder)) if self.folder.is_symlink() else self.folder

    def check(self) -> None:
        """Whether a new project may take the place.

        Raises:
            UserError: the folder is not ours, holds more than the new project would, or another process works on it.
        """
        with working_on(self.folder, "qmfn convert"):
            self._check()

    def _check(self) -> None:
        if not self._is_taken():
            return
        mark = _mark_of(self.folder)
        if mark is None:
            raise UserError(
                f"{self.folder}: wasn't written by qmfn convert (there is no {MARK} of it), so it isn't replaced; move "
                "it away or choose another --output."
            )
        if mark.finished and not self.finished:
            raise UserError(
                f"{self.folder}: holds a finished project, which a run that stops before the last step doesn't "
                "replace; leave out --until or choose another --output."
            )
        if mark.design != self._design and not self.force:
            raise UserError(
                f"{self.folder}: was written from {mark.design}, not from {self._design}; --force replaces it, another "
                "name (--set name=...) or --output keeps both."
            )

    def _is_taken(self) -> bool:
        folder = self.real_folder
        try:
            if not folder.is_dir():
                return os.path.lexists(folder)  # a file, or a link in a circle
            return any(folder.iterdir())
        except OSError as error:
            raise UserError(f"{self.folder}: can't be read ({error.strerror}).") from None

    @property
    def _design(self) -> str:
        return os.path.realpath(self.design)

    def mark(self, project: Path) -> None:
        """Mark a project that is complete, just before it takes the place."""
        mark = Mark(design=self._design, finished=self.finished, files=content_hashes(project))
        (project / MARK).write_text(mark.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def take(self, project: Path) -> str | None:
        """Swap the new project in; interrupted at any point, either the new one or the old one stands.

        Returns:
            a sentence that says where the earlier project is kept, and why; None if nothing of it had to be.

        Raises:
            UserError: as `check`, or the folder can't be moved.
        """
        folder = self.real_folder
        with working_on(self.folder, "qmfn convert"):
            self._check()
            is_taken = self._is_taken()
            added = _added(folder) if is_taken else []
            old = kept_beside(folder) if added else Path(f"{project}.old")
            try:
                if is_taken:
                    folder.rename(old)
                project.rename(folder)
            except OSError as error:
                raise UserError(f"{self.folder}: can't be replaced ({error.strerror}).") from None
            finally:
                if old.exists() and not folder.exists():
                    old.rename(folder)
                elif not added and not project.exists():
                    shutil.rmtree(old, ignore_errors=True)
        if not added:
            return None
        return f"The earlier project is kept in {old}, with what was added or edited: {listed(added)}."


def _mark_of(folder: Path) -> Mark | None:
    try:
        return Mark.model_validate_json((folder / MARK).read_bytes())
    except (OSError, ValidationError):
        return None


def _added(folder: Path) -> list[str]:
    """What of a marked project would be lost with it: files that `convert` didn't write, and files that were edited.

    A folder that holds nothing else counts as one.
    """
    mark = _mark_of(folder)
    written = mark.files if mark else {}
    folders = {name.split("/")[0] for name in written}
    added = dict.fromkeys(
        name if top in folders else top
        for name, path in files_below(folder)
        if (top := name.split("/")[0]) not in (MARK, *RENEWED) and not _is_as_written(path, written.get(name))
    )
    return list(added)


def _is_as_written(path: Path, written: str | None) -> bool:
    try:
        return written is not None and path.is_file() and file_hash(path) == written
    except OSError:
        return False


def kept_beside(folder: Path) -> Path:
    """A free name beside a folder for what must not be lost: `<folder>.kept-<date>-<time>`."""
    name = f"{folder.name}.kept-{datetime.now():%Y%m%d-%H%M%S}"
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return next(path for path in map(folder.with_name, names) if not path.exists())


@contextlib.contextmanager
def working_on(project: Path, command: str) -> Iterator[None]:
    """Keep other commands that change `project` away; the lock file lies beside it.

    Raises:
        UserError: another process works on it.
    """
    folder = Path(os.path.realpath(project))
    lock = folder.with_name(f".{folder.name}.lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(lock, f"{command} (process {os.getpid()} on {platform.node()})"))
        except BlockingIOError:
            raise UserError(f"{project}: {_holder(lock)} is working on it; wait until it is done.") from None
        except OSError as error:
            raise UserError(f"{project}: can't be locked ({error.strerror}: {lock}).") from None
        yield


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:  # it is done just now
        return "another process"
