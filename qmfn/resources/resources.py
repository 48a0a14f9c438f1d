"""Counts of FPGA resources, and counts with a band."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Resources:
    """Counts of each kind of FPGA resource."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram_18k: int = 0
    uram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, resource) + getattr(other, resource) for resource in RESOURCES))


RESOURCES = tuple(field.name for field in fields(Resources))


@dataclass(frozen=True)
class Range:
    """Resources with a band; `low` and `high` are its 10 % and 90 % ends."""

    low: Resources
    expected: Resources
    high: Resources

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def by_resource(self) -> dict[str, tuple[int, int]]:
        """(low, high) of each resource."""
        return {resource: (getattr(self.low, resource), getattr(self.high, resource)) for resource in RESOURCES}


NOTHING = Range(Resources(), Resources(), Resources())
