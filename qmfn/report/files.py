"""Text files of a report, written in one step."""

from __future__ import annotations

from pathlib import Path

from qmfn.errors import UserError
from qmfn.files import file_aside


def atomic_write_text(path: Path, text: str) -> None:
    """Write `text` aside and move it to `path`; folders that are missing are made.

    Raises UserError that names the path when it can't be written.
    """
    try:
        with file_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error
