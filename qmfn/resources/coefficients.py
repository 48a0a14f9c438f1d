"""The numbers that `make calibrate` fits, read from coefficients.json.

The formulas that they belong to are in `resources` (terms of LUT and FF, by group) and `cycles` (delays). `bands` are
10 % and 90 % quantiles of real / estimated over repositories that were left out of the fit, `post_synthesis` the same
of Vivado synthesis / C-synthesis over whole designs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FILE = "coefficients.json"


@dataclass(frozen=True)
class Delays:
    """Combinational delays in ns that decide how often HLS registers a product and its adder tree.

    `product` is the path of a multiplication in a DSP by speed class of the device (`cycles.SPEED_CLASS`), `adder` one
    level of the adder tree relative to it.
    """

    product: Mapping[str, float]
    adder: float


@dataclass(frozen=True)
class Band:
    """Factors on an estimate: 10 % of real results lie below `low` times it, 10 % above `high` times it.

    `offset` is added to an estimate before scaling and taken off afterwards: the error of a small count is not in
    proportion to it, and 0 needs a band, too.
    """

    low: float
    high: float
    median: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Coefficients:
    """group -> resource -> term -> coefficient; group -> resource -> band; resource -> band after synthesis."""

    terms: Mapping[str, Mapping[str, Mapping[str, float]]]
    delays: Delays
    bands: Mapping[str, Mapping[str, Band]]
    post_synthesis: Mapping[str, Band]


@cache
def coefficients() -> Coefficients:
    """Those in the repository."""
    text = resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return from_json(json.loads(text))


def from_json(values: dict[str, Any]) -> Coefficients:
    return Coefficients(
        terms=values["terms"],
        delays=Delays(**values["delays"]),
        bands={
            group: {kind: Band(**band) for kind, band in bands.items()} for group, bands in values["bands"].items()
        },
        post_synthesis={kind: Band(**band) for kind, band in values["post_synthesis"].items()},
    )
