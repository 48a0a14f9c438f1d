"""The integers of a convolution: weights, biases, shifts, slopes and offsets, and how wide its sums are.

Exact values become integers times powers of two: a channel's weights and bias count in the largest power of two that
divides them all, the channel's *step*. The sum of products and the bias is shifted from its channel's step to the
layer's *grid*, the finest step of all channels. PReLU, offset and rounding follow. Nothing here knows how the values
were quantised, or which hardware computes with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qmfn.errors import UserError
from qmfn.network.fixed import ALL_ZERO, FixedType, bits_of_range, common_exponents, type_of_range, type_of_values

LARGEST = 2**31
"""Integers of constants stay below this."""


@dataclass(frozen=True, eq=False)
class Activation:
    """PReLU per channel, and behind it an offset that is subtracted; exact values.

    Attributes:
        slope: (channels,); zeros are a ReLU.
        offset: (channels,), or None.
    """

    slope: np.ndarray
    offset: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Constants:
    """A convolution's integers, output channel by output channel.

    Attributes:
        weights: (terms, outputs) in the channel's step.
        bias: (outputs,) in the channel's step.
        shift: (outputs,) left shift from the channel's step to the layer's grid.
        sums: (smallest, largest) sum of products of any channel, in the channel's step.
        biased: type of the sums with their bias on the layer's grid.
        slope: (outputs,) with `slope_fraction_bits` bits behind the binary point; None: linear.
        offset: (outputs,) in steps of the output, or None.
    """

    weights: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    sums: tuple[int, int]
    biased: FixedType
    slope: np.ndarray | None = None
    slope_fraction_bits: int = 0
    offset: np.ndarray | None = None

    @cached_property
    def exact_result(self) -> FixedType:
        """A type that holds every value in front of the offset and of rounding."""
        if self.slope is None:
            return self.biased
        if not self.slope.any():
            return FixedType(self.biased.width - 1, self.biased.integer - 1, signed=False)
        slope_bits = bits_of_range(int(self.slope.min()), int(self.slope.max()))
        width = self.biased.width + max(slope_bits, self.slope_fraction_bits + 1)
        return FixedType(width, width + self.biased.exponent - self.slope_fraction_bits)


def constants_of(
    name: str, weights: np.ndarray, bias: np.ndarray, multiplied: FixedType, activation: Activation | None,
    output: FixedType | None,
) -> Constants:  # fmt: skip
    """The integers behind exact values.

    Args:
        name: of the layer, for error messages.
        weights: (terms, outputs), exact values.
        bias: (outputs,), exact values.
        multiplied: type of the values that the weights are multiplied with.
        output: type of the result; offsets count in its steps.

    Raises:
        UserError: the values span more than the integers of a kernel can hold, or an offset is finer than the output.
    """
    steps = np.minimum(common_exponents(weights) + multiplied.exponent, common_exponents(bias[None]))
    finite = steps < ALL_ZERO // 2
    steps = np.where(finite, steps, steps[finite].min() if finite.any() else multiplied.exponent)
    integers = _exact_integers(name, weights, steps - multiplied.exponent)
    biases = _exact_integers(name, bias, steps)
    low, high = multiplied.integers
    smallest = np.minimum(integers * low, integers * high).sum(axis=0)
    largest = np.maximum(integers * low, integers * high).sum(axis=0)
    grid = int(steps.min())
    scale = 2.0 ** steps.astype(np.float64)
    biased = type_of_range(
        min(0.0, ((smallest + biases) * scale).min()), max(0.0, ((largest + biases) * scale).max()), grid
    )
    slope, fraction_bits, offset = _activation(name, activation, output)
    return Constants(
        integers, biases, steps - grid, (int(smallest.min()), int(largest.max())), biased, slope, fraction_bits, offset
    )


def _activation(
    name: str, activation: Activation | None, output: FixedType | None
) -> tuple[np.ndarray | None, int, np.ndarray | None]:
    """(slope, its fraction bits, offset) as integers."""
    if activation is None:
        return None, 0, None
    exponent = min(0, type_of_values(activation.slope).exponent)  # fraction bits only, no factor
    slope = _exact_integers(name, activation.slope, np.asarray(exponent))
    if activation.offset is None:
        return slope, -exponent, None
    assert output is not None, "what has an offset is rounded"
    if activation.offset.any() and type_of_values(activation.offset).exponent < output.exponent:
        raise UserError(f"{name}: its offsets must be multiples of the output's step 2**{output.exponent}.")
    return slope, -exponent, _exact_integers(name, activation.offset, np.asarray(output.exponent))


def _exact_integers(name: str, values: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    scaled = values.astype(np.float64) * 2.0 ** -exponents.astype(np.float64)
    if np.abs(scaled).max(initial=0) >= LARGEST:
        raise UserError(f"{name}: its values span more than 31 binary digits; give its types a common scale.")
    integers = np.rint(scaled).astype(np.int64)
    assert np.array_equal(integers, scaled), "an exponent divides all values of its channel"
    return integers
