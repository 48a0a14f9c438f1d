"""The sliding window of a kernel that looks at k x k pixels at a time: how it passes over an image, what it keeps.

Pixels pass in raster order, and behind the image come as many positions as the window looks ahead (padding). The tap in
row r, column c is the pixel that came (k-1-r) rows and (k-1-c) columns before the newest one; taps beyond an edge are
zeros. Two memories keep what came before: `lines` the last k-1 rows, one word per beat of a row, and `columns` the last
k-1 columns of the window, one word per beat of a pixel.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmfn.errors import UserError
from qmfn.kernels.kernel import Array, Kernel
from qmfn.kernels.primitives import Comparators, Multiplexer, Primitive, Ram, Registers, Storage
from qmfn.network.layers import WeightedLayer
from qmfn.network.network import Tensor


@dataclass(frozen=True, kw_only=True)
class SlidingKernel(Kernel):
    """A kernel with a sliding window of `kernel` x `kernel` pixels, `pe` channels at a time."""

    kernel: int
    stride: int
    padding: int
    line_memory: Storage = "auto"

    @property
    def has_lines(self) -> bool:
        return True

    @property
    def channel_folds(self) -> int:
        """Groups of `pe` channels, the beats of one pixel."""
        return self.source.channels // self.pe

    @property
    def scanned_pixels(self) -> int:
        """Pixels that pass through the window per frame: the whole image, or as far as the last output needs."""
        last_row, last_column = (
            (size - 1) * self.stride + self._reach for size in (self.result.height, self.result.width)
        )
        return max(self.source.pixels, last_row * self.source.width + last_column + 1)

    @property
    def _reach(self) -> int:
        """Rows, and columns, that the newest tap lies behind the output's own pixel."""
        return self.kernel - 1 - self.padding

    @property
    @abstractmethod
    def tap_folds(self) -> int:
        """Iterations that one group of channels takes where an output is due."""

    @property
    def iterations(self) -> int:
        outputs = self.result.pixels
        return self.channel_folds * (self.scanned_pixels - outputs + outputs * self.tap_folds)

    @property
    def values_read(self) -> int:
        return self.pe

    @property
    def lookahead(self) -> int:
        return self._reach * (self.source.width + 1) + 1

    @property
    def counters(self) -> tuple[int, ...]:
        position = self._reach * (self.source.width + 1) + self.result.height * self.stride * self.source.width
        return (
            position, position, self.channel_folds - 1, self.tap_folds - 1, self.source.width * self.channel_folds - 1,
            self.result.height, self.result.width - 1, self.channel_folds * self.tap_folds - 1,
        )  # fmt: skip

    def passes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per iteration of a frame: does it read, has its position an output, is it the last one of that output."""
        due = np.zeros(self.scanned_pixels, bool)
        rows, columns = np.indices((self.result.height, self.result.width)).reshape(2, -1) * self.stride
        due[(rows + self._reach) * self.source.width + columns + self._reach] = True
        iterations = np.repeat(np.where(due, self.tap_folds, 1), self.channel_folds)
        first = np.cumsum(iterations) - iterations
        reads, last = np.zeros((2, self.iterations), bool)
        reads[first[: self.source.pixels * self.channel_folds]] = True
        fires = np.repeat(np.repeat(due, self.channel_folds), iterations)
        last[first + iterations - 1] = True
        return reads, fires, fires & last

    def window_primitives(self, taps_at_once: int) -> Iterator[Primitive]:
        """Lines, columns, and for each tap that is looked at a choice among the folds and of zero beyond the edges."""
        column_bits = self.kernel * self.pe * self.input_bits
        yield Ram(
            self.source.width * self.channel_folds, (self.kernel - 1) * self.pe * self.input_bits, self.line_memory
        )
        if self.channel_folds > 1:
            yield Ram(self.channel_folds, (self.kernel - 1) * column_bits, "lutram")
            yield Registers(column_bits)
        else:
            yield Registers(self.kernel * column_bits)
        # Two comparisons with a constant per row and column of the window.
        yield Comparators(2 * self.kernel * (self.source.height.bit_length() + self.source.width.bit_length()))
        taps = taps_at_once * self.input_bits
        yield Multiplexer(self.tap_folds, taps)
        yield Multiplexer(2, taps)
        yield Registers(taps)

    def window_constants(self) -> dict[str, int | bool]:
        return {
            "height": self.source.height,
            "width": self.source.width,
            "channel_folds": self.channel_folds,
            "out_height": self.result.height,
            "out_width": self.result.width,
            "row_beats": self.source.width * self.channel_folds,
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "tap_folds": self.tap_folds,
            "iterations": self.iterations,
        }

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (
            Array("lines", "ram_s2p", self.line_memory, "sliding_window"),
            Array("columns", "ram_s2p", "lutram", "sliding_window"),
        )


def window_of(layer: WeightedLayer, source: Tensor) -> dict[str, Any]:
    """Window, stride and padding of a layer, as the fields of a `SlidingKernel`.

    Zeros below and to the right need no number: taps beyond an edge are zeros.

    Raises:
        UserError: the window is not square, differs in its directions, or lies beyond the image.
    """
    (height, width), (rows, columns), padding = layer.kernel, layer.stride, layer.padding
    columns_read, columns_made = source.shape.width, layer.result(source).shape.width
    if height != width or rows != columns:
        raise UserError(
            f"{layer.name}: has a window of {height}x{width} and strides of {rows}x{columns}; the folded backend takes "
            "square kernels and strides only."
        )
    if padding.top != padding.left:
        raise UserError(
            f"{layer.name}: is padded by {padding.top} above and {padding.left} to the left; they must be the same."
        )
    widest = max(padding.top, padding.bottom, padding.left, padding.right)
    if widest >= height:
        raise UserError(
            f"{layer.name}: is padded by {widest}, and its kernel is {height} wide; the folded backend takes less "
            "padding than that."
        )
    if columns_made > columns_read:
        raise UserError(
            f"{layer.name}: is padded by {padding.left} and {padding.right} and so makes {columns_made} columns of "
            f"{columns_read}; the folded backend takes no padding that makes an image wider."
        )
    return {"kernel": height, "stride": rows, "padding": padding.top}
