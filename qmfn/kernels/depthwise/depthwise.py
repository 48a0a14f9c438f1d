"""Depthwise convolution: a sliding window with its multipliers behind it.

Loop order: position, channel fold (group of PE channels), and where an output is due tap folds of SIMD taps. Reads PE
values with the first tap fold while there are pixels; writes PE values with the last tap fold of an output.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import ClassVar

import numpy as np

from qmfn.devices.family import Family
from qmfn.errors import UserError
from qmfn.kernels.common import COMMON_H, PRODUCTS_H, SLIDING_WINDOW_H
from qmfn.kernels.common.sliding import SlidingKernel, window_of
from qmfn.kernels.common.weighted import WeightedKernel, memories_of, weighted_fields
from qmfn.kernels.kernel import Folding, Kernel, divisors, register_kernel
from qmfn.kernels.primitives import Adders, AdderTrees, Primitive
from qmfn.network.layers import DepthwiseConvolution
from qmfn.network.network import Layer, Tensor


@register_kernel
@dataclass(frozen=True, kw_only=True)
class Depthwise(SlidingKernel, WeightedKernel):
    """Every output sums over a window of its own channel."""

    kind: ClassVar[str] = "depthwise"
    header: ClassVar[Path] = Path(__file__).with_name("depthwise.h")
    common_headers: ClassVar[tuple[Path, ...]] = (COMMON_H, PRODUCTS_H, SLIDING_WINDOW_H)

    @classmethod
    def of_layer(cls, layer: Layer, inputs: Sequence[Tensor]) -> Depthwise | None:
        if not isinstance(layer, DepthwiseConvolution):
            return None
        if layer.multiplier > 1:
            raise UserError(
                f"{layer.name}: makes {layer.out_channels} channels of {inputs[0].shape.channels}; the folded backend "
                "takes a depth multiplier of 1."
            )
        return cls(**weighted_fields(layer, inputs[0]), **window_of(layer, inputs[0]))

    @property
    def simd_choices(self) -> list[int]:
        return divisors(self.kernel**2)

    def folded(self, folding: Folding | None, values: int, family: Family) -> tuple[tuple[str, Kernel], ...]:
        assert folding is not None
        return (("", dataclasses.replace(self, **memories_of(folding), line_memory=folding.line_memory)),)

    @property
    def tap_folds(self) -> int:
        return self.kernel**2 // self.simd

    @property
    def output_folds(self) -> int:
        return self.channel_folds

    @property
    def values_written(self) -> int:
        return self.pe

    def reads_and_writes(self) -> tuple[np.ndarray, np.ndarray]:
        reads, _, ends = self.passes()
        return reads, ends

    @property
    def products(self) -> int:
        return self.kernel**2 * self.source.channels

    @property
    def multipliers(self) -> int:
        return self.simd * self.pe

    @property
    def weight_words(self) -> int:
        return self.channel_folds * self.tap_folds

    @property
    def burst_share(self) -> float:
        """Half of what its window looks ahead."""
        return self.lookahead / 2 / self.source.pixels

    def bill(self) -> Iterator[Primitive]:
        yield from super().bill()
        yield from self.input_primitives(self.pe)
        yield from self.window_primitives(self.multipliers)
        yield from self.separate_products()
        bits = self.weight_bits + self.input_bits + self.mid_rise
        terms = ceil(self.simd / 2) if self.products_in == "dsp" and not self.mid_rise else self.simd
        yield AdderTrees(terms, bits, self.pe, registered=1)
        yield Adders(self.accumulator_bits, self.pe, registered=1)
        yield from self.end_of_sums()
        yield from self.rom_primitives()

    def cpp_constants(self) -> dict[str, int | bool]:
        return {"simd": self.simd, "pe": self.pe, **self.window_constants(), **self.weighted_constants()}

    def weight_rows(self, weights: np.ndarray) -> np.ndarray:
        """A word: channel fold, tap fold; in it tap by tap."""
        steps, groups = self.tap_folds, self.channel_folds
        return weights.reshape(steps, self.simd, groups, self.pe).transpose(2, 0, 1, 3).reshape(steps * groups, -1)
