"""Settings by layer: a default for all, overrides by layer name or shell pattern."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from qmfn.errors import UserError


@dataclass(frozen=True)
class Setting:
    """A value that an override gives, and where it stands (`configs/w4a4.yml: hls.layers.conv1.reuse_factor`)."""

    value: Any
    key: str


def matching(pattern: str, layers: Sequence[str]) -> list[str]:
    """The layers that a name or shell pattern means."""
    return [layer for layer in layers if fnmatchcase(layer, pattern)]


def settings_by_layer(
    overrides: Mapping[str, BaseModel], layers: Sequence[str], key: str
) -> dict[str, dict[str, Setting]]:
    """The overridden settings of every layer; entries apply in file order, so a later one wins.

    Args:
        overrides: pattern -> settings, as in the design file.
        layers: names of the network's layers.
        key: where the overrides stand (`configs/w4a4.yml: hls.layers`), for the error message.

    Returns:
        layer -> {name: setting}, only settings that an override gives; a setting inside a group is named with it
        (`precision.accum`).

    Raises:
        UserError: a pattern matches no layer.
    """
    settings: dict[str, dict[str, Setting]] = {layer: {} for layer in layers}
    for pattern, override in overrides.items():
        matched = matching(pattern, layers)
        if not matched:
            near = difflib.get_close_matches(pattern, layers, n=3) or [*layers[:3], "..."]
            raise UserError(f"{key}.{pattern}: no layer of this network has that name; near ones: {', '.join(near)}.")
        given = {
            name: Setting(value, f"{key}.{pattern}.{name}")
            for name, value in _flat(override.model_dump(exclude_unset=True, exclude_none=True))
        }
        for layer in matched:
            settings[layer] |= given
    return settings


def _flat(settings: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", value
