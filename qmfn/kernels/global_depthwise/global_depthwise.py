"""Global depthwise convolution: the kernel is as large as the image, so every pixel is multiplied as it comes.

Loop order: pixel, channel fold (group of PE channels). Reads PE values in every iteration; writes PE with the last
pixel's. One sum per channel is kept, no line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from qmfn.devices.family import Family
from qmfn.kernels.common import COMMON_H, PRODUCTS_H
from qmfn.kernels.common.weighted import WeightedKernel, memories_of, weighted_fields
from qmfn.kernels.kernel import Folding, Kernel, register_kernel
from qmfn.kernels.primitives import Adders, Primitive, Ram
from qmfn.network.layers import DepthwiseConvolution
from qmfn.network.network import Layer, Tensor


@register_kernel
@dataclass(frozen=True, kw_only=True)
class GlobalDepthwise(WeightedKernel):
    """Every output sums over all pixels of its channel."""

    kind: ClassVar[str] = "global_depthwise"
    header: ClassVar[Path] = Path(__file__).with_name("global_depthwise.h")
    common_headers: ClassVar[tuple[Path, ...]] = (COMMON_H, PRODUCTS_H)

    @classmethod
    def of_layer(cls, layer: Layer, inputs: Sequence[Tensor]) -> GlobalDepthwise | None:
        if not isinstance(layer, DepthwiseConvolution) or layer.multiplier > 1 or layer.padding:
            return None
        shape = inputs[0].shape
        if layer.kernel != (shape.height, shape.width):
            return None
        return cls(**weighted_fields(layer, inputs[0]))

    def preference(self, simd: int, pe: int) -> int:
        return 0

    def folded(self, folding: Folding | None, values: int, family: Family) -> tuple[tuple[str, Kernel], ...]:
        assert folding is not None
        return (("", dataclasses.replace(self, **memories_of(folding))),)

    @property
    def output_folds(self) -> int:
        """Groups of `pe` channels, the beats of one pixel."""
        return self.source.channels // self.pe

    @property
    def values_read(self) -> int:
        return self.pe

    @property
    def values_written(self) -> int:
        return self.pe

    @property
    def iterations(self) -> int:
        return self.source.pixels * self.output_folds

    def reads_and_writes(self) -> tuple[np.ndarray, np.ndarray]:
        writes = np.zeros((self.source.pixels, self.output_folds), bool)
        writes[-1] = True
        return np.ones(writes.size, bool), writes.ravel()

    @property
    def products(self) -> int:
        return self.source.channels

    @property
    def multipliers(self) -> int:
        return self.pe

    @property
    def weight_words(self) -> int:
        return self.source.values // self.multipliers

    @property
    def counters(self) -> tuple[int, ...]:
        return (self.output_folds - 1,)

    def bill(self) -> Iterator[Primitive]:
        yield from super().bill()
        yield from self.input_primitives(self.pe)
        yield from self.separate_products()
        one_fold = self.output_folds == 1  # then the sums stay in the accumulators' own registers
        yield Adders(self.accumulator_bits, self.pe, registered=one_fold)
        if not one_fold:
            yield Ram(self.output_folds, self.pe * self.accumulator_bits, "lutram")
        yield from self.end_of_sums()
        yield from self.rom_primitives()

    def cpp_constants(self) -> dict[str, int | bool]:
        return {
            "simd": self.simd, "pe": self.pe, "pixels": self.source.pixels, "output_folds": self.output_folds,
            **self.weighted_constants(),
        }  # fmt: skip

    def weight_rows(self, weights: np.ndarray) -> np.ndarray:
        """A word: pixel, channel fold."""
        return weights.reshape(-1, self.pe)
