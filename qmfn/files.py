"""Files and folders: replaced in one step, known by their content, locked; JSON that a command wrote.

Write aside, then rename: a reader sees the old file or folder or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from qmfn.errors import UserError

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What `flock` says on a file system that has no locks (Lustre without -o flock, NFS without a lock daemon)."""


@contextlib.contextmanager
def file_aside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes its place if all goes well, and is gone otherwise.

    Folders that are missing are made. Raises OSError where that or the writing fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_aside(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent` that the caller may move to its place; where it stood is empty afterwards.

    Missing parents are made. Raises OSError where that fails.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent.resolve()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def exchange(new: Path, folder: Path, names: Sequence[str]) -> None:
    """Let the files and folders `names` of `new` take the places of those in `folder`, all or none.

    What `new` doesn't have is gone from `folder` afterwards. Both are on one file system. An error or an interrupt
    puts back what stood there before. Raises OSError where something can't be moved.
    """
    with folder_aside(folder.parent, f".{folder.name}.old.") as old:
        moves = [move for name in names for move in ((folder / name, old / name), (new / name, folder / name))]
        begun: list[tuple[Path, Path]] = []
        try:
            for path, place in moves:
                if path.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    begun.append((path, place))
                    path.rename(place)
        except BaseException:
            for path, place in reversed(begun):
                if not path.exists():  # the last one may not have come to it
                    place.rename(path)
            raise


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path relative to `folder`, path) of everything below it but folders, sorted; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content. Raises OSError if it can't be read."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def content_hashes(folder: Path, is_wanted: Callable[[str], bool] = lambda name: True) -> dict[str, str]:
    """`file_hash` of the files below `folder` whose relative path `is_wanted`, by this path.

    Raises OSError if a file can't be read.
    """
    return {name: file_hash(path) for name, path in files_below(folder) if is_wanted(name) and path.is_file()}


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Paths that only one of two `content_hashes` has, or with another content."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def listed(names: Sequence[str], shown: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


@contextlib.contextmanager
def locked(path: Path, holder: str) -> Iterator[None]:
    """Hold the lock file `path`, which says who the holder is; it is gone afterwards.

    The lock is the system's (`flock`), not the file: a process that is killed leaves the file and loses the lock. Where
    the file system has no locks, there is none. Raises BlockingIOError where another process holds it, and OSError
    where the file can't be made.
    """
    file = _flocked(path)
    try:
        os.ftruncate(file, 0)
        os.write(file, holder.encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is locked: who opened it meanwhile finds that it is no longer `path`
        os.close(file)


def _flocked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), os.stat(path)):
                    return file
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                return file
            os.close(file)
            raise
        os.close(file)


def read_json(path: Path, remedy: str) -> dict:
    """The object in a JSON file that a command wrote.

    Args:
        remedy: what to do where there is none, as in "convert the design first".

    Raises:
        UserError: the file is missing, can't be read or holds no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; {remedy}.") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}).") from None
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error}); {remedy}.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no result of a design; {remedy}.")
    return found
