"""The two ends of a stream: packing values into beats, and unpacking them."""

from __future__ import annotations

from collections.abc import Iterator

from qmfn.kernels.primitives import Counter, Multiplexer, Primitive, Registers


def unpacking(values: int, at_a_time: int, bits: int) -> Iterator[Primitive]:
    """A beat of `values` that is loaded, or moves up; nothing where a beat is taken as it is."""
    if values != at_a_time:
        yield Multiplexer(2, (values - at_a_time) * bits)
        yield Registers(values * bits)
        yield Counter(values // at_a_time - 1)


def packing(values: int, at_a_time: int, bits: int) -> Iterator[Primitive]:
    """A shift register that collects a beat of `values`."""
    if values != at_a_time:
        yield Registers(values * bits)
        yield Counter(values // at_a_time - 1)
