"""The accuracy that was measured for a checkpoint, kept beside it: `<checkpoint>.evaluation.json`.

Written by `qmfn evaluate --json`; it counts for the checkpoint whose hash it holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qmfn.design import DesignConfig
from qmfn.errors import UserError
from qmfn.faces.operating_point import content_hash


def evaluation_file(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".evaluation.json")


def known_evaluation(config: DesignConfig) -> dict[str, Any] | None:
    """What was measured for the design's checkpoint; None where nothing was, or for an earlier checkpoint.

    Raises:
        UserError: the file is damaged.
    """
    if config.checkpoint is None:
        return None
    checkpoint = config.resolve(config.checkpoint)
    path = evaluation_file(checkpoint)
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is no evaluation ({error}).") from None
    if not isinstance(found, dict) or found.get("checkpoint_sha256") != content_hash(checkpoint):
        return None
    return found
