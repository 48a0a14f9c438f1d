"""Reading hls4ml's layers: a rule per hls4ml class, registered with the layer type that it gives; refused by default.

A rule is a function (node, reader) -> `Layer`. Nodes are hls4ml's `Layer` objects of a converted, optimised graph; they
are asked, never changed. hls4ml itself is not imported here, so that a network can be used without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmfn.errors import UserError
from qmfn.network.fixed import OVERFLOWS, ROUNDINGS, FixedType, type_of_values
from qmfn.network.network import Layer, Padding, Shape

Rule = Callable[[Any, "Reader"], Layer]

RULES: dict[str, Rule] = {}
"""hls4ml class name -> rule."""


def imports(*class_names: str) -> Callable[[Rule], Rule]:
    """Decorator: the function reads nodes of these hls4ml classes."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(class_names, rule))
        return rule

    return register


@dataclass(frozen=True)
class Reader:
    """What rules ask of a node; every answer is exact, or an error that names the layer.

    `tensors` has the name of the tensor that each of hls4ml's variables is.
    """

    tensors: Mapping[str, str]

    def sources(self, node: Any) -> tuple[str, ...]:
        """Names of the tensors that a node reads."""
        return tuple(self.tensors[name] for name in node.inputs)

    def output_type(self, node: Any) -> FixedType:
        """Type of a node's result."""
        return fixed_type(node.name, node.get_output_variable().type.precision)

    def output_shape(self, node: Any) -> Shape:
        return image_shape(node.name, node.get_output_variable().shape)

    def values(self, node: Any, name: str) -> np.ndarray:
        """A node's constants, float64, which their type must hold: kernels take values, not types.

        Raises:
            UserError: the type is not fixed point, or does not hold a value.
        """
        values = np.asarray(node.weights[name].data, np.float64)
        declared = fixed_type(node.name, node.weights[name].type.precision)
        if values.any() and not declared.holds(_type_of(values)):
            needed = type_of_values(values)
            raise UserError(f"{node.name}: its {name} values need {needed}, but their type is {declared}.")
        return values

    def padding(self, node: Any) -> Padding:
        """Zeros that a node puts around its input."""
        return Padding(*(int(node.get_attr(f"pad_{side}", 0) or 0) for side in ("top", "bottom", "left", "right")))

    def refuse_unless(self, node: Any, attribute: str, allowed: Collection[Any], what: str) -> None:
        """An attribute that is there must have one of these values.

        Raises:
            UserError: it hasn't.
        """
        found = node.get_attr(attribute)
        if found is not None and found not in allowed:
            raise UserError(f"{node.name}: has {what} {found}; it must be {' or '.join(map(str, allowed))}.")


def _type_of(values: np.ndarray) -> FixedType:
    """The narrowest type of values, unsigned where none is negative."""
    found = type_of_values(values)
    if values.min() < 0:
        return found
    return FixedType(found.width - 1, found.integer - 1, signed=False)


def fixed_type(name: str, precision: Any) -> FixedType:
    """An hls4ml type as `FixedType`.

    Raises:
        UserError: it is not fixed point, or has saturation bits.
    """
    if not all(hasattr(precision, attribute) for attribute in ("width", "integer", "signed")):
        raise UserError(f"{name}: has the type {precision}; the folded backend takes fixed-point types only.")
    rounding = getattr(getattr(precision, "rounding_mode", None), "name", None) or "TRN"
    overflow = getattr(getattr(precision, "saturation_mode", None), "name", None) or "WRAP"
    saturation_bits = getattr(precision, "saturation_bits", None) or 0
    if rounding not in ROUNDINGS or overflow not in OVERFLOWS or saturation_bits:
        raise UserError(f"{name}: has the type {precision}; its rounding or overflow mode is not known.")
    return FixedType(precision.width, precision.integer, bool(precision.signed), rounding, overflow)


def image_shape(name: str, shape: Any) -> Shape:
    """(height, width, channels); a vector is one pixel.

    Raises:
        UserError: it has more dimensions, or the second one of two is ambiguous.
    """
    sizes = [int(size) for size in shape]
    if len(sizes) == 3:
        return Shape(*sizes)
    if len(sizes) == 1:
        return Shape(1, 1, sizes[0])
    raise UserError(f"{name}: has the shape {tuple(sizes)}; the folded backend takes images (height, width, channels).")
