"""Figures of vendor reports: resources, cycles, and the text they are written as."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

NANOSECONDS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6}


@dataclass(frozen=True)
class Resources:
    """Used or available resources; None where the report gives no number. `bram_18k` counts blocks of 18 kbit."""

    lut: int | None = None
    ff: int | None = None
    dsp: int | None = None
    bram_18k: int | None = None
    uram: int | None = None

    def __bool__(self) -> bool:
        """Whether any number is there."""
        return any(getattr(self, resource) is not None for resource in RESOURCES)


RESOURCES = tuple(field.name for field in fields(Resources))


@dataclass(frozen=True)
class Cycles:
    """Clock cycles per call; None where the tool does not know ("undef", "?")."""

    latency_min: int | None = None
    latency_avg: int | None = None
    latency_max: int | None = None
    interval_min: int | None = None
    interval_max: int | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))


@dataclass(frozen=True)
class Clock:
    """Clock period in nanoseconds."""

    target_ns: float | None = None
    estimated_ns: float | None = None
    uncertainty_ns: float | None = None


def whole(text: str | None) -> int | None:
    """A count; None for anything else, such as "-", "?", "undef" or "~0"."""
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"\d+", text) else None


def nanoseconds(text: str | None) -> float | None:
    """A time such as "14.884 ns" or, without a unit, "14.884"; None for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ps|ns|us|ms)?", (text or "").strip())
    return float(found[1]) * NANOSECONDS[found[2] or "ns"] if found else None


def resource_named(name: str) -> str | None:
    """The resource that a report's column or tag counts: DSP48E (Vivado HLS) and DSP (Vitis HLS) are the same."""
    name = name.strip()
    if name.startswith("DSP"):
        return "dsp"
    return {"LUT": "lut", "FF": "ff", "BRAM_18K": "bram_18k", "URAM": "uram"}.get(name)


def resources(figures: Mapping[str, str | None]) -> Resources:
    """Resources of a report's name -> text."""
    found = {resource: whole(text) for name, text in figures.items() if (resource := resource_named(name))}
    return Resources(**found)


def summed(parts: Iterable[Resources]) -> Resources:
    """The sum, resource by resource; None only where no part has a number."""
    parts = list(parts)
    totals: dict[str, int | None] = {}
    for resource in RESOURCES:
        numbers = [number for part in parts if (number := getattr(part, resource)) is not None]
        totals[resource] = sum(numbers) if numbers else None
    return Resources(**totals)
