"""Exact fixed-point types: the narrowest that hold every value that can occur, computed from the actual weights.

Accumulators may wrap while they sum: two's complement makes the result right as soon as the *final* sum fits, so
only the range of final sums counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from qmfn.design import Setting
from qmfn.design.schema import PRECISION
from qmfn.errors import UserError
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.fixed import FixedType, type_of_range, type_of_values
from qmfn.network.formats import LayerFormat
from qmfn.network.from_checkpoint import quantised_type
from qmfn.network.integers import integer_range
from qmfn.network.mobilefacenet import LayerSpec

FLOAT64_BITS = 54
"""Width, sign included, of the integers that a float64 holds exactly."""


@dataclass(frozen=True)
class LayerTypes:
    """Types of one layer. `accum` and `result` belong to the convolution, `slope`, `offset` and `output` to its PReLU.

    A linear layer has no slope, and its `result` is its output; an add has only `output`. `input` is there where the
    layer requantises what arrives, `offset` where the PReLU subtracts one.
    """

    output: FixedType
    input: FixedType | None = None
    weight: FixedType | None = None
    bias: FixedType | None = None
    accum: FixedType | None = None
    result: FixedType | None = None
    slope: FixedType | None = None
    offset: FixedType | None = None

    @property
    def of_convolution(self) -> tuple[FixedType, FixedType, FixedType, FixedType]:
        """(weight, bias, accum, result) of what is no add."""
        found = self.weight, self.bias, self.accum, self.result
        assert None not in found, "an add has no such types"
        return cast("tuple[FixedType, FixedType, FixedType, FixedType]", found)


def sum_type(layer: LayerSpec, form: LayerFormat, integers: Mapping[str, np.ndarray]) -> FixedType:
    """Type of a convolution's sums: weights times any possible input, plus bias.

    Per output channel the largest sum takes for each weight the input that makes its product largest; zero padding
    replaces inputs by zero, which the input range contains.
    """
    low, high = integer_range(form.input.bits)
    weights, biases = form.of_convolution
    kernel = integers["kernel"].reshape(-1, layer.out_channels)
    product_exponents = np.asarray(weights.exponents) + form.input.exponent
    bias = integers["bias"] * 2 ** (np.asarray(biases.exponents) - product_exponents)
    largest = np.maximum(kernel * low, kernel * high).sum(axis=0) + bias
    smallest = np.minimum(kernel * low, kernel * high).sum(axis=0) + bias
    _check_float32_holds(layer, kernel, max(-low, high), bias)
    steps = 2.0**product_exponents
    return type_of_range(min(0.0, (smallest * steps).min()), max(0.0, (largest * steps).max()), product_exponents.min())


def _check_float32_holds(layer: LayerSpec, kernel: np.ndarray, magnitude: int, bias: np.ndarray) -> None:
    """Keras sums in float32, in any order: exact as long as no partial sum passes 2**24 units of its channel."""
    bound = int((np.abs(kernel).sum(axis=0) * magnitude + np.abs(bias)).max())
    if bound > 2**24:
        raise UserError(
            f"{layer.name}: its sums can reach {bound} units, beyond the {2**24} that float32 counts exactly; "
            "lower weight_bits, activation_bits or bias_bits of this layer or its source."
        )


def difference_type(result: FixedType, slope: FixedType, offset: FixedType) -> FixedType:
    """The type that C++ gives `x - offset` and `slope * x - offset`: what requantisation sees, exact."""
    integer = max(result.integer, result.integer + slope.integer, offset.integer) + 1
    fractions = [fixed.width - fixed.integer for fixed in (result, slope, offset)]
    return FixedType(integer + max(fractions[0], fractions[0] + fractions[1], fractions[2]), integer)


def _check_float64_holds(layer: LayerSpec, difference: FixedType) -> None:
    """Keras subtracts in float64."""
    if difference.width > FLOAT64_BITS:
        raise UserError(
            f"{layer.name}: its PReLU minus the offset takes {difference.width} bits, beyond the {FLOAT64_BITS} that "
            "float64 counts exactly; lower bias_bits or slope_bits of this layer, or give it no offset."
        )


def layer_types(checkpoint: Checkpoint, precisions: Mapping[str, Mapping[str, Setting]]) -> dict[str, LayerTypes]:
    """The exact types of every layer, with the design's own precisions where it gives some.

    Args:
        checkpoint: the quantised network.
        precisions: layer -> {"weight" | "bias" | "slope" | "accum" | "result": "fixed<W,I>"} from the design.

    Raises:
        UserError: a precision is narrower than exactness needs, or the layer has no such type.
    """
    parameters = checkpoint.parameters()
    types = {}
    for layer, form in zip(checkpoint.layers, checkpoint.formats.values(), strict=True):
        needed = {"output": quantised_type(form.activation)}
        if form.requantises_input:
            needed["input"] = quantised_type(form.input)
        if layer.kind != "add":
            sums = sum_type(layer, form, checkpoint.integers[layer.name])
            values = parameters[layer.name]
            needed |= {"weight": type_of_values(values["kernel"]), "bias": type_of_values(values["bias"])}
            needed |= {"accum": sums, "result": sums if layer.prelu else needed["output"]}
        if layer.prelu:
            needed["slope"] = type_of_values(values["slope"])
        if form.offset:
            needed["offset"] = type_of_values(values["offset"])
            _check_float64_holds(layer, difference_type(needed["result"], needed["slope"], needed["offset"]))
        for name, setting in precisions.get(layer.name, {}).items():
            needed[name] = _asked_type(layer, name, setting, needed)
        types[layer.name] = LayerTypes(**needed)
    return types


def _asked_type(layer: LayerSpec, name: str, setting: Setting, needed: Mapping[str, FixedType]) -> FixedType:
    asked = f"{setting.key} = {setting.value}"
    if name not in needed:
        raise UserError(f"{asked}: {layer.name} has no such type; it has {', '.join(needed)}.")
    matched = PRECISION.match(setting.value)
    assert matched is not None, "the schema takes nothing else"
    _, width, integer = matched.groups()
    fixed = FixedType(int(width), int(integer))
    if needed[name].requantises:
        raise UserError(f"{asked}: the output of {layer.name} has the type that activation_bits and checkpoint set.")
    if not fixed.holds(needed[name]):
        raise UserError(
            f"{asked}: is too narrow for {layer.name} to be exact; it must hold {needed[name]} (integer bits >= "
            f"{needed[name].integer}, fraction bits >= {needed[name].width - needed[name].integer})."
        )
    return fixed
