"""Where data that the project uses but never ships lies: `QMFN_SHARED`, else `../shared` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

from qmfn.errors import UserError


def shared_folder() -> Path:
    """The shared data folder; it may not exist."""
    beside = Path(__file__).resolve().parents[1].parent / "shared"
    return Path(os.environ.get("QMFN_SHARED", beside))


def shared_file(relative: str) -> Path:
    """A file of the shared folder.

    Raises:
        UserError: it isn't there.
    """
    path = shared_folder() / relative
    if not path.exists():
        raise UserError(f"{path}: no such file; set QMFN_SHARED to the folder that holds {relative}.")
    return path
