"""Settings by layer: a default for all, overrides by layer name or shell pattern."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from qmfn.errors import UserError


def settings_by_layer(
    overrides: Mapping[str, BaseModel], layers: Sequence[str], key: str
) -> dict[str, dict[str, Any]]:
    """The overridden settings of every layer; entries apply in file order, so a later one wins.

    Args:
        overrides: pattern -> settings, as in the design file.
        layers: names of the network's layers.
        key: where the overrides stand (`configs/w4a4.yml: hls.layers`), for the error message.

    Returns:
        layer -> {setting: value}, only settings that an override gives.

    Raises:
        UserError: a pattern matches no layer.
    """
    settings: dict[str, dict[str, Any]] = {layer: {} for layer in layers}
    for pattern, override in overrides.items():
        matched = [layer for layer in layers if fnmatchcase(layer, pattern)]
        if not matched:
            near = difflib.get_close_matches(pattern, layers, n=3) or list(layers[:3]) + ["..."]
            raise UserError(f"{key}.{pattern}: no layer of this network has that name; near ones: {', '.join(near)}.")
        given = override.model_dump(exclude_unset=True, exclude_none=True)
        for layer in matched:
            settings[layer].update(given)
    return settings
