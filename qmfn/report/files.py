"""Files of a report: text written in one step, results read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qmfn.errors import UserError
from qmfn.files import file_aside, read_json

REPORT, EVALUATION = "report.json", "evaluation.json"
"""Results of a design in its project: of its conversion, and what is known of its accuracy."""


def atomic_write_text(path: Path, text: str) -> None:
    """Write `text` aside and move it to `path`; folders that are missing are made.

    Raises UserError that names the path when it can't be written.
    """
    try:
        with file_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error


def write_json(result: dict, path: Path) -> None:
    """Write a result as JSON in one step; raises UserError when the file can't be written."""
    atomic_write_text(path, json.dumps(result, indent=2, default=_plain) + "\n")


def _plain(value: object) -> object:
    """JSON for what results are made of: NumPy scalars and arrays, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no place in report.json")


def read_results(report: Path) -> tuple[dict, dict | None]:
    """A design's report.json, and the evaluation.json beside it if there is one.

    Raises:
        UserError: the first is missing, or one of them is no JSON object.
    """
    result = read_json(report, "convert the design first")
    beside = report.parent / EVALUATION
    return result, read_json(beside, "evaluate the design again") if beside.exists() else None


@contextmanager
def checked(report: Path) -> Iterator[None]:
    """Inside, results that lack what `convert` writes are an error in one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{report}: is no report of scripts/convert.py ({type(error).__name__}: {error}); convert the design again."
        ) from None
