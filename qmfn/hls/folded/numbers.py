"""The numbers that a folded layer keeps, as integers: what goes into its ROMs, and how wide its sums are.

Taken from the exact values that hls4ml holds, or a checkpoint: nothing here knows how they were quantised. A channel's
weights are integers times the largest power of two that divides them all; where all integers are odd (mid-rise), the
last binary digit is not stored. Sums, and the bias with them, count in the channel's own step and are shifted to the
layer's grid at the end.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from qmfn.dataflow.stages import Stage
from qmfn.errors import UserError
from qmfn.hls.types import FixedType, type_of_range, type_of_values


@dataclass(frozen=True)
class LayerNumbers:
    """One convolution's constants.

    Attributes:
        weights: (terms, outputs) as stored: integers, for mid-rise (weight - 1) / 2.
        weight_bits: of a stored weight.
        shift: (outputs,) from the channel's step up to the layer's grid.
        bias: (outputs,) in the channel's step.
        bias_bits: of a bias; sum_bits: of the sum of products in the channel's step.
        result: the type of biased sums on the layer's grid.
        slope: (outputs,) integers with `slope_digits` binary digits behind the point, or None.
        offset: (outputs,) in steps of what leaves, or None.
    """

    weights: np.ndarray
    weight_bits: int
    mid_rise: bool
    shift: np.ndarray
    bias: np.ndarray
    bias_bits: int
    sum_bits: int
    result: FixedType
    slope: np.ndarray | None = None
    slope_digits: int = 0
    offset: np.ndarray | None = None


def layer_numbers(
    name: str,
    kernel: np.ndarray,
    bias: np.ndarray,
    multiplied: FixedType,
) -> LayerNumbers:
    """The integers behind exact values.

    Args:
        name: of the layer, for error messages.
        kernel: (terms, outputs), exact values.
        bias: (outputs,), exact values.
        multiplied: type of the values that the weights are multiplied with.

    Raises:
        UserError: the values span more than the integers of a kernel can hold.
    """
    step = multiplied.width - multiplied.integer
    exponents = np.minimum(_common_exponents(kernel), _common_exponents(bias[None]) + step)
    finite = exponents < _NOTHING
    exponents = np.where(finite, exponents, exponents[finite].min() if finite.any() else 0)
    integers = _exact_integers(name, kernel, exponents)
    low, high = multiplied.integers
    sums_low = np.minimum(integers * low, integers * high).sum(axis=0)
    sums_high = np.maximum(integers * low, integers * high).sum(axis=0)
    unit = exponents - step
    bias_integers = _exact_integers(name, bias, unit)
    grid = int(unit.min())
    scale = 2.0 ** unit.astype(np.float64)
    biased_low, biased_high = sums_low + bias_integers, sums_high + bias_integers
    result = type_of_range(min(0.0, (biased_low * scale).min()), max(0.0, (biased_high * scale).max()), grid)
    mid_rise = bool(np.all(integers % 2))
    stored = (integers - 1) // 2 if mid_rise else integers
    return LayerNumbers(
        weights=stored,
        weight_bits=_bits(stored.min(), stored.max()),
        mid_rise=mid_rise,
        shift=unit - grid,
        bias=bias_integers,
        bias_bits=_bits(bias_integers.min(), bias_integers.max()),
        sum_bits=_bits(sums_low.min(), sums_high.max()),
        result=result,
    )


def with_prelu(
    name: str, numbers: LayerNumbers, slope: np.ndarray, offset: np.ndarray | None, output: FixedType
) -> LayerNumbers:
    """The same with a PReLU behind.

    Args:
        slope: (outputs,) exact values.
        offset: (outputs,) exact values in steps of the output, or None.
        output: type of what leaves.

    Raises:
        UserError: an offset is finer than the output's steps.
    """
    slope_step = min(0, _step(type_of_values(slope)))  # the kernel puts digits behind the point, never in front of it
    slopes = _exact_integers(name, slope, np.asarray(slope_step))
    numbers = dataclasses.replace(numbers, slope=slopes, slope_digits=-slope_step)
    if offset is not None:
        if offset.any() and _step(type_of_values(offset)) < _step(output):
            raise UserError(f"{name}: its offsets must be multiples of the output's step 2**{_step(output)}.")
        numbers = dataclasses.replace(numbers, offset=_exact_integers(name, offset, np.asarray(_step(output))))
    return numbers


def _step(fixed: FixedType) -> int:
    """Exponent of a type's least significant bit."""
    return fixed.integer - fixed.width


def with_numbers(stage: Stage, numbers: LayerNumbers) -> Stage:
    """The stage with the widths of its constants and sums."""
    return dataclasses.replace(
        stage,
        weight_bits=numbers.weight_bits,
        mid_rise=numbers.mid_rise,
        accumulator_bits=numbers.sum_bits,
        shift_bits=int(numbers.shift.max()).bit_length(),
        result_bits=numbers.result.width,
        bias_bits=numbers.bias_bits,
        slope_bits=0 if numbers.slope is None else _bits(numbers.slope.min(), numbers.slope.max()),
        offset_bits=0 if numbers.offset is None else _bits(numbers.offset.min(), numbers.offset.max()),
    )


_NOTHING = 1 << 20
"""Exponent of a channel without any value but zero."""


def _common_exponents(values: np.ndarray) -> np.ndarray:
    """Per column the exponent of the largest power of two that divides all its values."""
    mantissas, exponents = np.frexp(values.astype(np.float64))
    integers = np.abs(np.ldexp(mantissas, 53)).astype(np.int64)
    lowest_bits = np.log2(np.maximum(integers & -integers, 1).astype(np.float64)).astype(np.int64)
    return np.where(integers > 0, exponents - 53 + lowest_bits, _NOTHING).min(axis=0)


def _exact_integers(name: str, values: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    scaled = values.astype(np.float64) * 2.0 ** -exponents.astype(np.float64)
    if np.abs(scaled).max(initial=0) >= 2**31:
        raise UserError(f"{name}: its values span more than 31 binary digits; give its types a common scale.")
    integers = np.rint(scaled).astype(np.int64)
    assert np.array_equal(integers, scaled), "an exponent divides all values of its channel"
    return integers


def _bits(low: int, high: int) -> int:
    """Width of a signed integer between `low` and `high`."""
    return max(1, int(high).bit_length() + 1 if high > 0 else 1, (-int(low) - 1).bit_length() + 1 if low < 0 else 1)
