"""Write aside, then rename: a reader sees the old file or folder or the new one, never half of one. Read JSON."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from qmfn.errors import UserError


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
