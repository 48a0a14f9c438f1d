"""Matrix-vector unit: dense and 1x1 convolutions, from windows (or pixels) to output pixels.

SIMD terms of PE outputs per cycle. Loop order: pixel, output fold (group of PE outputs), input fold (part of SIMD
terms). The pixel is read with the first output fold and kept for the others; PE values are written with the last input
fold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from qmfn.devices.family import Family
from qmfn.errors import UserError
from qmfn.kernels.common import COMMON_H, PRODUCTS_H
from qmfn.kernels.common.sliding import window_of
from qmfn.kernels.common.weighted import WeightedKernel, memories_of, product_field, weighted_fields
from qmfn.kernels.kernel import Folding, Kernel, Table, divisors, register_kernel
from qmfn.kernels.primitives import Adders, AdderTrees, Multiplexer, Primitive, Products, Ram, Registers
from qmfn.kernels.window.window import Window
from qmfn.network.constants import Constants
from qmfn.network.layers import Convolution
from qmfn.network.network import Layer, Shape, Tensor


@register_kernel
@dataclass(frozen=True, kw_only=True)
class Matvec(WeightedKernel):
    """Every output sums over all channels of its pixel.

    Attributes:
        field_bits: of one output's sum of products, also in the word that a shared DSP block gives.
        shared_products: outputs whose weights share a DSP block; 1 where none do.
        window: unfolded, the sliding window that has to stand in front of it; None for 1x1.
        window_values: folded behind a window, the channels that it gives at a time; 0: terms stand in their own order.
        window_taps: of that window.
    """

    field_bits: int = 0
    shared_products: int = 1
    window: Window | None = None
    window_values: int = 0
    window_taps: int = 1

    kind: ClassVar[str] = "matvec"
    header: ClassVar[Path] = Path(__file__).with_name("matvec.h")
    common_headers: ClassVar[tuple[Path, ...]] = (COMMON_H, PRODUCTS_H)

    @classmethod
    def of_layer(cls, layer: Layer, inputs: Sequence[Tensor]) -> Matvec | None:
        if not isinstance(layer, Convolution):
            return None
        (source,) = inputs
        fields, geometry = weighted_fields(layer, source), window_of(layer, source)
        if geometry == {"kernel": 1, "stride": 1, "padding": 0}:
            return cls(**fields)
        if geometry["kernel"] == 1:
            raise UserError(
                f"{layer.name}: is a 1 x 1 convolution with stride {geometry['stride']}; the folded backend takes "
                "stride 1."
            )
        result: Shape = fields["result"]
        windows = Shape(result.height, result.width, layer.terms)
        worked_on = layer.multiplied(source)
        window = Window(
            source=source.shape, result=windows, input_types=(source.type,), output_type=worked_on, **geometry
        )
        return cls(**fields | {"source": windows, "input_types": (worked_on,)}, window=window)

    # --- foldings -----------------------------------------------------------------------------------------------------

    @property
    def simd_choices(self) -> list[int]:
        return divisors(self.source.channels)

    def preference(self, simd: int, pe: int) -> Any:
        """SIMD not below PE, as square as can be: a beat of the input serves all outputs, each has an accumulator."""
        return simd < pe, abs(simd - pe)

    @property
    def has_lines(self) -> bool:
        return self.window is not None

    @property
    def lookahead(self) -> int:
        return self.window.lookahead if self.window else 1

    def folded(self, folding: Folding | None, values: int, family: Family) -> tuple[tuple[str, Kernel], ...]:
        assert folding is not None
        shared = folding.multiplier == "dsp"  # there a weight is excess coded, its product has no sign of its own
        field = product_field(self.weight_bits + shared, self.input_bits, folding.simd)
        packed = products_per_dsp(self.weight_bits, self.input_bits, field, family) if shared else 1
        matvec = dataclasses.replace(
            self, **memories_of(folding), field_bits=field, shared_products=min(packed, folding.pe), window=None
        )
        if self.window is None:
            return (("", matvec),)
        window = self.window.in_front(folding)
        ordered = dataclasses.replace(matvec, window_values=window.pe, window_taps=window.kernel**2)
        return ("_window", window), ("", ordered)

    # --- work ---------------------------------------------------------------------------------------------------------

    @property
    def input_folds(self) -> int:
        """Parts of `simd` terms, one after another."""
        return self.source.channels // self.simd

    @property
    def output_folds(self) -> int:
        return self.result.channels // self.pe

    @property
    def values_read(self) -> int:
        return self.simd

    @property
    def values_written(self) -> int:
        return self.pe

    @property
    def iterations(self) -> int:
        return self.source.pixels * self.output_folds * self.input_folds

    def reads_and_writes(self) -> tuple[np.ndarray, np.ndarray]:
        reads, writes = np.zeros((2, self.source.pixels, self.output_folds, self.input_folds), bool)
        reads[:, 0, :] = True
        writes[:, :, -1] = True
        return reads.ravel(), writes.ravel()

    @property
    def products(self) -> int:
        return self.source.channels * self.result.channels

    @property
    def multipliers(self) -> int:
        return self.simd * self.pe

    @property
    def weight_words(self) -> int:
        return self.output_folds * self.input_folds

    # --- hardware -----------------------------------------------------------------------------------------------------

    @property
    def counters(self) -> tuple[int, ...]:
        return self.output_folds - 1, self.input_folds - 1, self.weight_words - 1

    def bill(self) -> Iterator[Primitive]:
        yield from super().bill()
        yield from self.input_primitives(self.simd)
        yield from self._pixel_memory()
        yield from self._dot_products()
        yield Adders(self.accumulator_bits, self.pe, registered=1)
        if self.mid_rise or self.products_per_dsp > 1:  # the sum of the input, once for all outputs, and a multiple
            yield AdderTrees(self.simd, self.input_bits, registered=1)
            yield Adders(self.accumulator_bits, 2, registered=1)
        yield from self.end_of_sums()
        yield from self.rom_primitives()

    def _pixel_memory(self) -> Iterator[Primitive]:
        """The pixel is kept for all but the first output fold: a memory and the choice before it."""
        width = self.simd * self.input_bits
        if self.output_folds == 1:
            yield Registers(width)
            return
        yield Multiplexer(2, width)
        yield Ram(self.input_folds, width, "lutram")

    def _dot_products(self) -> Iterator[Primitive]:
        """`pe` sums of `simd` products of the same input.

        Behind DSP blocks the first level of an adder tree costs nothing: HLS makes a multiply-add of every second
        product.
        """
        bits, pairs = self.weight_bits + self.input_bits, ceil(self.simd / 2)
        if self.products_in == "fabric":
            yield Products(self.weight_bits, self.input_bits, self.simd * self.pe, "fabric", registered=True)
            yield AdderTrees(self.simd, bits, self.pe, registered=0.5)
        elif self.products_per_dsp == 1:
            yield Products(self.weight_bits, self.input_bits, self.simd * self.pe, "dsp")
            yield AdderTrees(pairs, bits + 1, self.pe, registered=0.5)
        else:
            groups, packed = ceil(self.pe / self.products_per_dsp), self.products_per_dsp
            yield Products(self.weight_bits, self.input_bits, groups * self.simd, "dsp")
            yield Adders(packed * self.field_bits, groups * (pairs - 1), registered=0.5)
            yield Adders(self.field_bits, groups * (packed - 1), registered=1)  # the borrow between packed fields

    # --- C++ ----------------------------------------------------------------------------------------------------------

    @property
    def products_per_dsp(self) -> int:
        return self.shared_products

    @property
    def dot_bits(self) -> int:
        return self.field_bits

    @property
    def multiplier_type(self) -> str:
        if self.products_per_dsp == 1:
            return super().multiplier_type
        return f"folded::shared_dsp<{self.products_per_dsp}, {self.field_bits}>"

    def cpp_constants(self) -> dict[str, int | bool]:
        return {
            "simd": self.simd, "pe": self.pe, "pixels": self.source.pixels, "output_folds": self.output_folds,
            "input_folds": self.input_folds, **self.weighted_constants(),
        }  # fmt: skip

    def tables(self, constants: Constants | None) -> tuple[Table, ...]:
        assert constants is not None, "a matrix-vector unit has constants"
        if self.window_values:
            order = window_order(self.window_taps, self.source.channels, self.window_values)
            constants = dataclasses.replace(constants, weights=constants.weights[order])
        return super().tables(constants)

    def weight_rows(self, weights: np.ndarray) -> np.ndarray:
        """A word: output fold, input fold; in it output by output."""
        parts, groups = self.input_folds, self.output_folds
        return weights.reshape(parts, self.simd, groups, self.pe).transpose(2, 0, 3, 1).reshape(parts * groups, -1)


def products_per_dsp(weight_bits: int, input_bits: int, field_bits: int, family: Family) -> int:
    """Outputs whose weights fit side by side into a DSP block's wide port, `field_bits` apart.

    Their input is in the other port. The packed word is positive: its sign bit is none of its fields'.
    """
    wide, narrow = family.dsp_ports
    if input_bits > narrow:
        return 1
    return max(1, 1 + (wide - 1 - weight_bits) // field_bits)


def window_order(taps: int, terms: int, values: int) -> np.ndarray:
    """Terms of a dense convolution in the order in which a window gives them: group of channels, tap, channel."""
    order = np.arange(terms).reshape(taps, terms // taps // values, values)
    return order.transpose(1, 0, 2).ravel()
