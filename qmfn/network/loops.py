"""Compiled loops of the reference arithmetic; apart, because importing the compiler takes a while.

All numbers are integers, or integers times powers of two, that the floating types of the arrays hold exactly.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True)  # sums are exact in any order
def depthwise(images, weights, stride, origin, sums):
    """Sums of products per channel; zeros beyond the edges.

    Args:
        images: (N, height, width, C).
        weights: (rows, columns, C).
        stride, origin: rows, columns; the first window begins `origin` before the image.
        sums: (N, out height, out width, C), written.
    """
    channels = sums.shape[3]
    for n in range(sums.shape[0]):
        for y in range(sums.shape[1]):
            for x in range(sums.shape[2]):
                out = sums[n, y, x]
                for c in range(channels):
                    out[c] = 0
                for r in range(weights.shape[0]):
                    row = y * stride[0] + r - origin[0]
                    if row < 0 or row >= images.shape[1]:
                        continue
                    for k in range(weights.shape[1]):
                        column = x * stride[1] + k - origin[1]
                        if column < 0 or column >= images.shape[2]:
                            continue
                        pixel, weight = images[n, row, column], weights[r, k]
                        for c in range(channels):
                            out[c] += pixel[c] * weight[c]


@njit(cache=True, nogil=True)
def finish(sums, tables, low, high, magic, result):
    """(sum + bias) * (scale or, where negative, slope) - offset, rounded half to even, saturated.

    Written such that compilers vectorise it: no branch per value, one array of tables, and rounding by adding and
    taking off a number so large that no fraction is left (`arithmetic.rounding_magic`).

    Args:
        sums: (N, C).
        tables: (4, C): bias, scale, slope, offset.
        result: (N, C), written.
    """
    bias, scale, slope, offset = tables[0], tables[1], tables[2], tables[3]
    numbers = np.empty(tables.shape[1], tables.dtype)
    for row in range(sums.shape[0]):
        sums_of_row, result_of_row = sums[row], result[row]
        for c in range(len(numbers)):
            number = sums_of_row[c] + bias[c]
            numbers[c] = max(number, 0) * scale[c] + min(number, 0) * slope[c] - offset[c]
        for c in range(len(numbers)):
            result_of_row[c] = (min(max(numbers[c], low), high) + magic) - magic


@njit(cache=True, nogil=True)
def requantise(numbers, scale, low, high, magic, result):
    """numbers * scale, rounded half to even, saturated."""
    for i in range(len(numbers)):
        result[i] = (min(max(numbers[i] * scale, low), high) + magic) - magic


@njit(cache=True, nogil=True)
def add(first, second, first_scale, second_scale, low, high, magic, result):
    """first * first_scale + second * second_scale, rounded half to even, saturated."""
    for i in range(len(first)):
        result[i] = (min(max(first[i] * first_scale + second[i] * second_scale, low), high) + magic) - magic
