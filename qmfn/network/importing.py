"""Reading hls4ml's layers: a rule per hls4ml class, registered with the layer type that it gives; refused by default.

A rule is a function (node, reader) -> `Layer`. Nodes are hls4ml's `Layer` objects of a converted, optimised graph; they
are asked, never changed. hls4ml itself is not imported here, so that a network can be used without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from qmfn.errors import UserError
from qmfn.network.fixed import OVERFLOWS, ROUNDINGS, FixedType, type_of_values
from qmfn.network.network import Layer, Padding, Shape
from qmfn.network.user_model import UserModel

Unless = Callable[[Any], "str | None"]
"""(node) -> what it is, where its class has a rule but the rule doesn't take it."""


@dataclass(frozen=True)
class Rule:
    """How nodes of an hls4ml class are read.

    Attributes:
        taken: what the rule takes, as its users call it.
    """

    read: Callable[[Any, Reader], Layer]
    taken: str
    unless: Unless = lambda node: None


RULES: dict[str, Rule] = {}
"""hls4ml class name -> rule."""

Read = TypeVar("Read", bound=Callable[..., Layer])


def imports(*class_names: str, taken: str = "", unless: Unless = Rule.unless) -> Callable[[Read], Read]:
    """Decorator: the function (node, reader) -> `Layer` reads nodes of these hls4ml classes."""

    def register(read: Read) -> Read:
        RULES.update({name: Rule(read, taken or name, unless) for name in class_names})
        return read

    return register


def refusal(node: Any) -> str | None:
    """Why no rule takes a node, behind the layer's name; None: one does. May be asked before hls4ml's passes."""
    rule = RULES.get(node.class_name)
    if rule is not None:
        what = rule.unless(node)
    elif any(base.__name__ == "Activation" for base in type(node).__mro__):  # hls4ml derives some from it
        what = f"the activation {node.get_attr('activation')}"
    else:
        what = node.class_name
    if what is None or node.class_name in INPUTS:
        return None
    taken = ", ".join(sorted({known.taken for known in RULES.values()}))
    return f"the folded backend has no kernel for {what}; it takes {taken}."


INPUTS = ("Input", "InputLayer")
"""hls4ml's classes of a network's input."""


@dataclass(frozen=True)
class Reader:
    """What rules ask of a node; every answer is exact, or an error that names the layer.

    Attributes:
        tensors: name of the tensor that each of hls4ml's variables is.
        model: the network as the user wrote it.
    """

    tensors: Mapping[str, str]
    model: UserModel

    def name(self, node: Any) -> str:
        """The layer of the user's model that a node belongs to, for error messages."""
        return self.model.name_of(node)

    def sources(self, node: Any) -> tuple[str, ...]:
        """Names of the tensors that a node reads."""
        return tuple(self.tensors[name] for name in node.inputs)

    def output_type(self, node: Any) -> FixedType:
        """Type of a node's result."""
        return fixed_type(self.name(node), node.get_output_variable().type.precision)

    def output_shape(self, node: Any) -> Shape:
        return image_shape(self.name(node), node.get_output_variable().shape)

    def values(self, node: Any, name: str) -> np.ndarray:
        """A node's constants, float64, which their type must hold: kernels take values, not types.

        Raises:
            UserError: the type is not fixed point, or does not hold a value; or a value is no number.
        """
        variable = node.weights[name]
        values = np.asarray(variable.data, np.float64)
        if not np.isfinite(values).all():
            raise UserError(f"{self.name(node)}: has {name} values that are no finite numbers.")
        if not hasattr(variable.type.precision, "integer"):  # a type of exponents holds every power of two
            return values
        declared = fixed_type(self.name(node), variable.type.precision)
        if not holds_values(declared, values):
            needed = type_of_values(values)
            raise UserError(f"{self.name(node)}: its {name} values need {needed}, but their type is {declared}.")
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
            raise UserError(f"{self.name(node)}: has {what} {found}; it must be {' or '.join(map(str, allowed))}.")


def holds_values(fixed: FixedType, values: np.ndarray) -> bool:
    """Whether every value is one of a type's."""
    integers = np.asarray(values, np.float64) / 2.0**fixed.exponent
    low, high = fixed.integers
    return bool(np.all((integers == np.rint(integers)) & (integers >= low) & (integers <= high)))


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
