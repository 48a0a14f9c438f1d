"""What kernels with weights share: how their integers are stored, how wide they are, products, and the end of a sum.

A sum of products counts in its channel's step. At its end come bias, shift to the layer's grid, PReLU, offset, rounding
and saturation (`bias_prelu_requantise` in common.h).

Weights are stored in two's complement. Where all weights of a layer are odd (mid-rise), (weight - 1) / 2 is stored.
Weights that share a DSP block are stored as excess-2^(bits-1): what is added is the same for all outputs and taken off
at the end of the sum.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmfn.kernels.common.ports import input_constants, input_primitives, input_types, integer_types, scaling
from qmfn.kernels.kernel import Folding, Kernel, Table, divisors
from qmfn.kernels.primitives import (
    Adders,
    Multiplexer,
    Multipliers,
    Primitive,
    Products,
    Registers,
    Requantisers,
    Rom,
    Shifters,
    Storage,
    WideProducts,
)
from qmfn.network.constants import Constants
from qmfn.network.fixed import FixedType, bits_of_range
from qmfn.network.layers import WeightedLayer
from qmfn.network.network import Tensor


def product_field(weight_bits: int, input_bits: int, simd: int) -> int:
    """Bits of a signed sum of `simd` products: |sum| <= simd * 2**(weight_bits - 1 + input_bits - 1)."""
    return (simd << (weight_bits + input_bits - 2)).bit_length() + 1


@dataclass(frozen=True, kw_only=True)
class WeightedKernel(Kernel):
    """A kernel with weights; widths in bits, 0 for what the layer does not have.

    Attributes:
        multiplied: type of the values that weights are multiplied with: those of the input stream, requantised.
        weight_bits: of a weight as stored.
        mid_rise: a weight is 2 * stored + 1.
        accumulator_bits: of a sum of products in its channel's step.
        shift_bits: of the shift from the channel's step to the layer's grid; 0: all channels share one step.
        biased: type of the sum with its bias on that grid.
    """

    multiplied: FixedType
    weight_bits: int
    mid_rise: bool
    accumulator_bits: int
    shift_bits: int
    biased: FixedType
    bias_bits: int
    slope_bits: int = 0
    slope_fraction_bits: int = 0
    offset_bits: int = 0
    weights_memory: Storage = "auto"
    products_in: Multipliers = "fabric"

    @property
    def input_bits(self) -> int:
        return self.multiplied.signed_bits

    @property
    def sum_bits(self) -> int:
        return self.accumulator_bits

    @property
    def multiplier(self) -> Multipliers:
        return self.products_in

    @property
    @abstractmethod
    def output_folds(self) -> int:
        """Groups of `pe` outputs, one after another."""

    @property
    @abstractmethod
    def weight_words(self) -> int:
        """Depth of the weight ROM; a word has one weight per multiplier."""

    @property
    def pe_choices(self) -> list[int]:
        return divisors(self.result.channels)

    # --- hardware -----------------------------------------------------------------------------------------------------

    def input_primitives(self, values: int) -> Iterator[Primitive]:
        return input_primitives(self.input_types[0], self.multiplied, values)

    def separate_products(self) -> Iterator[Primitive]:
        """Products that each have their own input value; a mid-rise weight adds it to twice its product."""
        bits = self.weight_bits + self.input_bits
        registered = self.products_in == "fabric"
        yield Products(self.weight_bits, self.input_bits, self.multipliers, self.products_in, registered)
        if self.mid_rise:
            yield Adders(bits + 1, self.multipliers, registered=1)

    def end_of_sums(self) -> Iterator[Primitive]:
        """For `pe` outputs at a time: constants, bias, shift, PReLU (product, choice by sign), offset, rounding."""
        biased, output, pe = self.biased.width, self.output_type.width, self.pe
        wide = biased + self.slope_bits
        yield Adders(max(self.accumulator_bits, self.bias_bits) + 1, pe)
        yield Shifters(biased, self.shift_bits, pe)
        if self.slope_bits:
            yield WideProducts(biased, self.slope_bits, pe)
            yield Multiplexer(2, wide * pe)
        if self.offset_bits:
            yield Adders(wide, pe)
        yield Requantisers(wide, output, pe)
        yield Registers(pe * (2 * biased + wide + output))

    def rom_primitives(self) -> Iterator[Primitive]:
        """Weights, and the tables per output; a table of one row is constants."""
        yield Rom(self.weight_words, self.multipliers * self.weight_bits, self.weights_memory)
        per_output = self.shift_bits + self.bias_bits + self.slope_bits + self.offset_bits
        yield Rom(self.output_folds, self.pe * per_output, "lutram")

    # --- C++ ----------------------------------------------------------------------------------------------------------

    @property
    def products_per_dsp(self) -> int:
        """Outputs whose weights share a DSP block."""
        return 1

    @property
    def dot_bits(self) -> int:
        """Bits of what is added to a sum in an iteration."""
        return product_field(self.weight_bits, self.input_bits, simd=1)

    @property
    def multiplier_type(self) -> str:
        return "folded::in_fabric" if self.products_in == "fabric" else "folded::in_dsp"

    def weighted_constants(self) -> dict[str, int | bool]:
        """Constants that every kernel with weights has behind its own."""
        up, drop = scaling(self.biased.exponent - self.slope_fraction_bits, self.output_type.exponent)
        return input_constants(self.input_types[0], self.multiplied) | {
            "slope_fraction_bits": self.slope_fraction_bits,
            "output_bits": self.output_type.width,
            "output_signed": self.output_type.signed,
            "output_up": up,
            "output_drop": drop,
            "weight_bits": self.weight_bits,
            "mid_rise": self.mid_rise,
        }

    def cpp_types(self) -> dict[str, str]:
        up, drop = scaling(self.biased.exponent - self.slope_fraction_bits, self.output_type.exponent)
        slope = max(self.slope_fraction_bits, self.slope_bits)
        offset = self.offset_bits + drop if self.offset_bits else 0
        widths = {
            "weight_t": self.weight_bits,
            "dot_t": self.dot_bits,
            "sum_t": self.accumulator_bits,
            "result_t": self.biased.width,
            "wide_t": max(self.biased.width + slope + up, offset, self.output_type.width) + 2,
        }
        if self.slope_bits:
            widths["slope_t"] = self.slope_bits
        types = input_types(self.input_types[0], self.multiplied) | integer_types(widths)
        roms = {name: f"FOLDED_ROM_{'' if signed else 'U'}INT({bits})" for name, bits, signed in self._rom_types()}
        return types | {"multiplier_t": self.multiplier_type} | roms

    def _rom_types(self) -> Iterator[tuple[str, int, bool]]:
        """(C++ name, bits, signed) of the element of each table, in their order."""
        yield "weight_rom_t", self.weight_bits, self.products_per_dsp == 1
        yield "shift_rom_t", max(1, self.shift_bits), False
        yield "bias_rom_t", self.bias_bits, True
        if self.slope_bits:
            yield "slope_rom_t", self.slope_bits, True
        if self.offset_bits:
            yield "offset_rom_t", self.offset_bits, True

    @abstractmethod
    def weight_rows(self, weights: np.ndarray) -> np.ndarray:
        """Weights (terms, outputs) -> (words, multipliers), in the order of the loop."""

    def tables(self, constants: Constants | None) -> tuple[Table, ...]:
        assert constants is not None, "a kernel with weights has constants"
        stored = (constants.weights - 1) // 2 if self.mid_rise else constants.weights
        rows = self.weight_rows(stored)
        if self.products_per_dsp > 1:
            rows = rows + 2 ** (self.weight_bits - 1)
        names = {"shift": constants.shift, "bias": constants.bias, "slope": constants.slope, "offset": constants.offset}
        per_output = [values.reshape(self.output_folds, self.pe) for values in names.values() if values is not None]
        every = [rows, *per_output]
        return tuple(
            Table("weights" if name == "weight_rom_t" else name.removesuffix("_rom_t"), bits, values, signed)
            for (name, bits, signed), values in zip(self._rom_types(), every, strict=True)
        )

    @property
    def table_storage(self) -> Mapping[str, Storage]:
        return {"weights": self.weights_memory}

    @property
    def table_note(self) -> str:
        excess = f"{2 ** (self.weight_bits - 1)} is added to every weight." if self.products_per_dsp > 1 else ""
        odd = "A weight is 2 * stored + 1." if self.mid_rise else ""
        return " ".join(part for part in (odd, excess) if part)


def widths_of(constants: Constants, multiplied: FixedType) -> dict[str, Any]:
    """The fields of a `WeightedKernel` that follow from its integers."""
    mid_rise = bool(np.all(constants.weights % 2))
    stored = (constants.weights - 1) // 2 if mid_rise else constants.weights
    return {
        "multiplied": multiplied,
        "weight_bits": _bits_of(stored),
        "mid_rise": mid_rise,
        "accumulator_bits": bits_of_range(*constants.sums),
        "shift_bits": int(constants.shift.max()).bit_length(),
        "biased": constants.biased,
        "bias_bits": _bits_of(constants.bias),
        "slope_bits": 0 if constants.slope is None else _bits_of(constants.slope),
        "slope_fraction_bits": constants.slope_fraction_bits,
        "offset_bits": 0 if constants.offset is None else _bits_of(constants.offset),
    }


def _bits_of(integers: np.ndarray) -> int:
    return bits_of_range(int(integers.min()), int(integers.max()))


def memories_of(folding: Folding) -> dict[str, Any]:
    """The fields of a `WeightedKernel` that a folding sets."""
    return {
        "simd": folding.simd,
        "pe": folding.pe,
        "weights_memory": folding.weights_memory,
        "products_in": folding.multiplier,
    }


def weighted_fields(layer: WeightedLayer, source: Tensor) -> dict[str, Any]:
    """What every unfolded kernel takes of a layer with weights."""
    constants = layer.constants(source)
    return {
        "source": source.shape,
        "result": layer.result(source).shape,
        "input_types": (source.type,),
        "output_type": layer.output,
        **widths_of(constants, layer.multiplied(source)),
    }
