"""Requantisation of the values that a kernel reads and writes: constants, types and primitives."""

from __future__ import annotations

from collections.abc import Iterator

from qmfn.kernels.primitives import Primitive, Registers, Requantisers
from qmfn.network.fixed import FixedType


def scaling(exponent: int, wanted: int) -> tuple[int, int]:
    """Bits to add at the lower end, and to drop there, from steps of 2**exponent to steps of 2**wanted."""
    return max(0, exponent - wanted), max(0, wanted - exponent)


def input_constants(stream: FixedType, worked_on: FixedType) -> dict[str, int | bool]:
    """How a kernel's C++ makes the integer that it works on of a value in its input stream."""
    up, drop = scaling(stream.exponent, worked_on.exponent)
    kinds = [(fixed.width, fixed.integer, fixed.signed) for fixed in (stream, worked_on)]
    return {
        "requantises": kinds[0] != kinds[1], "input_bits": worked_on.width, "input_signed": worked_on.signed,
        "input_up": up, "input_drop": drop,
    }  # fmt: skip


def input_types(stream: FixedType, worked_on: FixedType) -> dict[str, str]:
    """The integer types of a value as it is read, and as the kernel works on it."""
    up, _ = scaling(stream.exponent, worked_on.exponent)
    return integer_types({"scaled_input_t": stream.width + up + 2, "input_t": worked_on.signed_bits})


def integer_types(widths: dict[str, int]) -> dict[str, str]:
    """Type name -> its C++."""
    return {name: f"FOLDED_INT({width})" for name, width in widths.items()}


def input_primitives(stream: FixedType, worked_on: FixedType, values: int) -> Iterator[Primitive]:
    """`values` at a time as they are read, rounded to what is worked on, and kept."""
    yield Requantisers(stream.width, worked_on.signed_bits, values)
    yield Registers(values * worked_on.signed_bits)
