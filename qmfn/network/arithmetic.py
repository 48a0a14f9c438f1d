"""Exact sums and their finish, fast: BLAS where floating point holds every sum, compiled loops for the rest.

Integers stand in float32 where no sum can pass 2**24, and in float64 up to 2**53: sums of them are exact in any order
(`largest_sum` bounds them from the weights). Nothing is rounded before the finish.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qmfn.errors import UserError
from qmfn.network.constants import Constants
from qmfn.network.fixed import FixedType

FLOAT32_BITS = 24
FLOAT64_BITS = 53
INT64_BITS = 62


def largest_sum(weights: np.ndarray, multiplied: FixedType) -> int:
    """No partial sum of products, in any order, is larger: (terms, outputs) -> largest magnitude."""
    low, high = multiplied.integers
    return int(np.abs(weights).sum(axis=0).max()) * max(-low, high)


def exact(integers: np.ndarray, bound: int) -> np.ndarray:
    """The integers in a floating type that holds sums up to `bound`.

    Raises:
        UserError: none does.
    """
    if bound > 2**FLOAT64_BITS:
        raise UserError(f"sums of {bound} units are beyond the {2**FLOAT64_BITS} that float64 counts exactly.")
    return integers.astype(np.float32 if bound <= 2**FLOAT32_BITS else np.float64, copy=False)


FLOATS: tuple[tuple[int, type[np.floating[Any]]], ...] = ((FLOAT32_BITS, np.float32), (FLOAT64_BITS, np.float64))


def _float_for(bits: int) -> type[np.floating[Any]] | None:
    """The narrowest floating type that holds signed integers of so many bits; None: none does."""
    return next((dtype for holds, dtype in FLOATS if bits <= holds), None)


def _rounding_float(bits: int, output: FixedType) -> tuple[type[np.floating[Any]], float] | None:
    """A floating type that holds numbers of so many bits, and rounds to the output by adding a large number.

    1.5 * 2**(digits - 1) is so large that the sum with a number of `output` has no bits left for a fraction: taking it
    off again leaves the number rounded half to even. None: no type does, or the output rounds or overflows otherwise.
    """
    if not output.requantises:
        return None
    bits = max(bits, output.signed_bits + 2)
    for holds, dtype in FLOATS:
        if bits <= holds:
            return dtype, 1.5 * 2.0 ** (holds - 1)
    return None


def convolved(images: np.ndarray, matrix: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """Sums of products of a dense convolution without padding.

    Args:
        images: (N, height, width, C_in).
        matrix: (kernel height * kernel width * C_in, C_out).
    """
    if kernel == (1, 1):
        taken = images[:, :: stride[0], :: stride[1]]
        return taken.reshape(-1, taken.shape[3]).dot(matrix).reshape(*taken.shape[:3], -1)
    every = np.lib.stride_tricks.sliding_window_view(images, kernel, axis=(1, 2))  # type: ignore[call-overload]
    windows = every[:, :: stride[0], :: stride[1]]
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(matrix))
    return columns.dot(matrix).reshape(*windows.shape[:3], -1)


def depthwise_convolved(
    images: np.ndarray, weights: np.ndarray, stride: tuple[int, int], origin: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Sums of products per channel, zeros beyond the edges.

    Args:
        images: (N, height, width, C).
        weights: (rows, columns, C).
        origin: the first window begins so many rows and columns before the image.
        size: height and width of the result.
    """
    from qmfn.network import loops

    sums = np.empty((len(images), *size, images.shape[3]), images.dtype)
    loops.depthwise(np.ascontiguousarray(images), np.ascontiguousarray(weights), stride, origin, sums)
    return sums


def finished(sums: np.ndarray, constants: Constants, output: FixedType) -> np.ndarray:
    """Bias, shift, PReLU, offset, and the assignment to the output type.

    Args:
        sums: (..., outputs) sums of products in the channel's step.

    Raises:
        UserError: an intermediate value is wider than 64 bits.
    """
    exponent = constants.biased.exponent - constants.slope_fraction_bits
    drop = output.exponent - exponent
    offset = np.zeros(1) if constants.offset is None else constants.offset
    offset_bits = int(np.abs(offset).max()).bit_length() + max(0, drop)
    bits = max(constants.exact_result.width + max(0, -drop), offset_bits, output.width) + 2
    rows = np.ascontiguousarray(sums).reshape(-1, len(constants.bias))
    fast = _rounding_float(bits, output)
    if fast is None:
        return _finished_in_integers(rows, constants, output, drop, bits).reshape(sums.shape)
    from qmfn.network import loops

    dtype, magic = fast
    scale = 2.0 ** (constants.shift + constants.slope_fraction_bits - drop)
    slope = scale if constants.slope is None else constants.slope * 2.0 ** (constants.shift - drop)
    tables = np.stack([constants.bias, scale, slope, np.broadcast_to(offset, scale.shape)]).astype(dtype)
    low, high = output.integers
    result = np.empty(rows.shape, _float_for(output.width))
    loops.finish(rows, tables, dtype(low), dtype(high), dtype(magic), result)
    return result.reshape(sums.shape)


def _finished_in_integers(
    rows: np.ndarray, constants: Constants, output: FixedType, drop: int, bits: int
) -> np.ndarray:
    """The same for any rounding, and where floating point is too narrow."""
    if bits > INT64_BITS:
        raise UserError(f"values of {bits} bits in front of rounding are beyond the {INT64_BITS} of an integer.")
    numbers = (rows.astype(np.int64) + constants.bias) << constants.shift
    if constants.slope is not None:
        numbers = np.where(numbers >= 0, numbers << constants.slope_fraction_bits, numbers * constants.slope)
    if constants.offset is not None:
        numbers = (numbers << max(0, -drop)) - (constants.offset << max(0, drop))
        return output.convert(numbers, output.exponent - max(0, drop))
    return output.convert(numbers, output.exponent - drop)


def assigned(integers: np.ndarray, source: FixedType, output: FixedType) -> np.ndarray:
    """Integers of one type assigned to another one."""
    drop = output.exponent - source.exponent
    fast = _rounding_float(source.signed_bits + max(0, -drop), output)
    if fast is None:
        return output.convert(integers, source.exponent)
    from qmfn.network import loops

    dtype, magic = fast
    low, high = output.integers
    result = np.empty(integers.shape, _float_for(output.width))
    numbers = np.ascontiguousarray(integers, dtype)
    loops.requantise(numbers.ravel(), dtype(2.0**-drop), dtype(low), dtype(high), dtype(magic), result.reshape(-1))
    return result


def summed(values: Sequence[np.ndarray], types: Sequence[FixedType], output: FixedType) -> np.ndarray:
    """The exact sum of tensors, assigned to the output type."""
    grid = min(fixed.exponent for fixed in types)
    bits = max(fixed.signed_bits + fixed.exponent - grid for fixed in types) + len(types)
    fast = _rounding_float(bits + max(0, grid - output.exponent), output)
    if fast is None or len(values) != 2:
        total = sum(
            integers.astype(np.int64) << fixed.exponent - grid for integers, fixed in zip(values, types, strict=True)
        )
        return output.convert(np.asarray(total), grid)
    from qmfn.network import loops

    dtype, magic = fast
    scales = [dtype(2.0 ** (fixed.exponent - output.exponent)) for fixed in types]
    first, second = (np.ascontiguousarray(integers, dtype).ravel() for integers in values)
    low, high = output.integers
    result = np.empty(values[0].shape, _float_for(output.width))
    loops.add(first, second, *scales, dtype(low), dtype(high), dtype(magic), result.reshape(-1))
    return result
