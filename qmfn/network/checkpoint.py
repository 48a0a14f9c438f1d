"""A checkpoint: one .npz with everything that the quantised network is - architecture, widths, exponents, integers.

Arrays: `<layer>/kernel`, `<layer>/bias`, `<layer>/slope`, `<layer>/offset` (integers, the smallest type that holds
them) and `<layer>/weight_exponents` (int16, one per output channel). `header` is JSON: format version, `model` (the
network), `layers` (widths and exponents) and `origin` (where the numbers come from).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from qmfn.design import ModelConfig
from qmfn.design.schema import Bits, Strict, WeightBits, WeightQuantiser, WideBits
from qmfn.errors import UserError
from qmfn.files import file_aside
from qmfn.network.formats import LayerExponents, LayerFormat, LayerWidths, layer_formats, offset_obstacle
from qmfn.network.integers import integer_range, quantise_to_integers
from qmfn.network.mobilefacenet import LayerSpec, architecture
from qmfn.network.parameters import Parameters, parameter_shapes, read_arrays

Version = Literal[2]

VERSION: Version = 2


@dataclass(frozen=True)
class Checkpoint:
    """A quantised network as integers and exponents.

    Attributes:
        model: the network's configuration.
        widths: bits per layer.
        exponents: power-of-two exponents per layer.
        integers: layer -> {"kernel", "bias", "slope", "offset"} -> int64 array, shapes as in `qmfn.network.parameters`.
        origin: free text fields for the model card (source of the float weights, training, measured accuracy).
    """

    model: ModelConfig
    widths: Mapping[str, LayerWidths]
    exponents: Mapping[str, LayerExponents]
    integers: Mapping[str, Mapping[str, np.ndarray]]
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        return architecture(self.model)

    @property
    def formats(self) -> dict[str, LayerFormat]:
        return layer_formats(self.layers, self.widths, self.exponents)

    def parameters(self) -> Parameters:
        """The integers times their powers of two: exact float32 values for Keras."""
        parameters: Parameters = {}
        for layer, form in zip(self.layers, self.formats.values(), strict=True):
            parameters[layer.name] = {
                name: (integers * 2.0 ** _exponents(name, layer, form)).astype(np.float32)
                for name, integers in self.integers[layer.name].items()
            }
        return parameters


def quantise(
    model: ModelConfig,
    parameters: Parameters,
    widths: Mapping[str, LayerWidths],
    exponents: Mapping[str, LayerExponents],
    origin: Mapping[str, Any],
) -> Checkpoint:
    """Round float parameters to the given formats: exactly what the quantisers of the Keras network do."""
    layers = architecture(model)
    formats = layer_formats(layers, widths, exponents)
    integers = {}
    for layer in layers:
        form = formats[layer.name]
        integers[layer.name] = {
            name: quantise_to_integers(values, _bits(name, form), _exponents(name, layer, form), _mid_rise(name, form))
            for name, values in parameters[layer.name].items()
        }
    return Checkpoint(model, widths, exponents, integers, origin)


def _bits(name: str, form: LayerFormat) -> int:
    found = {"kernel": form.weight, "bias": form.bias, "slope": form.slope, "offset": form.offset}[name]
    assert found is not None, f"the layer has no {name}"
    return found.bits


def _mid_rise(name: str, form: LayerFormat) -> bool:
    return name == "kernel" and form.of_convolution[0].mid_rise


def _exponents(name: str, layer: LayerSpec, form: LayerFormat) -> np.ndarray:
    """Exponents of a parameter, in a shape that broadcasts against it."""
    if name in ("slope", "offset"):
        return np.asarray(getattr(form, name).exponent)
    weight, bias = form.of_convolution
    if name == "bias":
        return np.asarray(bias.exponents)
    exponents = np.asarray(weight.exponents)
    return exponents[:, None] if layer.kind == "depthwise" else exponents


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write aside, then rename: an interrupted run leaves the old file.

    Raises:
        UserError: the folder can't be written.
    """
    header = {
        "version": VERSION,
        "model": checkpoint.model.model_dump(),
        "layers": {
            layer.name: {
                **dataclasses.asdict(checkpoint.widths[layer.name]),
                **{
                    f"{name}_exponent": value
                    for name, value in dataclasses.asdict(checkpoint.exponents[layer.name]).items()
                    if name != "weight"
                },
            }
            for layer in checkpoint.layers
        },
        "origin": dict(checkpoint.origin),
    }
    arrays = {"header": np.frombuffer(json.dumps(header, indent=1).encode(), np.uint8)}
    for layer in checkpoint.layers:
        for name, integers in checkpoint.integers[layer.name].items():
            arrays[f"{layer.name}/{name}"] = integers.astype(_smallest_type(integers))
        if layer.kind != "add":
            weight = checkpoint.exponents[layer.name].weight
            arrays[f"{layer.name}/weight_exponents"] = np.asarray(weight, np.int16)
    try:
        with file_aside(path) as aside, open(aside, "wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}).") from None


def _smallest_type(integers: np.ndarray) -> np.dtype:
    return np.min_scalar_type(min(int(integers.min()), -int(integers.max()) - 1))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        UserError: missing or damaged file, another format, or numbers that don't fit together.
    """
    arrays = read_arrays(path)
    try:
        header = _Header.model_validate_json(arrays["header"].tobytes())
    except KeyError:
        raise UserError(f"{path}: is not a qmfn checkpoint (it has no header).") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "header"
        raise UserError(f"{path}: is not a qmfn checkpoint of version {VERSION} ({where}: {first['msg']}).") from None
    layers = architecture(header.model)
    if list(header.layers) != [layer.name for layer in layers]:
        raise UserError(f"{path}: its header does not list the layers of its network.")
    _check_offsets(path, layers, header)
    checkpoint = Checkpoint(
        model=header.model,
        widths={name: LayerWidths(**layer.model_dump(include=_WIDTHS)) for name, layer in header.layers.items()},
        exponents={layer.name: _layer_exponents(path, layer, header.layers[layer.name], arrays) for layer in layers},
        integers={layer.name: _layer_integers(path, layer, header.layers[layer.name], arrays) for layer in layers},
        origin=header.origin,
    )
    _check_ranges(path, checkpoint)
    return checkpoint


_WIDTHS = set(LayerWidths.__dataclass_fields__)


EXPONENTS = (-40, 40)
"""Exponents that a checkpoint may hold: far more than a network needs, and no sum of a few leaves float32."""

Exponent = Annotated[int, Field(ge=EXPONENTS[0], le=EXPONENTS[1])]


class _LayerHeader(Strict):
    weight_bits: WeightBits
    weight_quantiser: WeightQuantiser = "mid-tread"  # older files lack it
    activation_bits: Bits
    bias_bits: WideBits
    slope_bits: Bits
    activation_exponent: Exponent
    input_bits: Bits | None
    offset_bits: Bits | None = None  # older files lack it
    bias_exponent: Exponent | None
    slope_exponent: Exponent | None
    input_exponent: Exponent | None


class _Header(Strict):
    version: Version
    model: ModelConfig
    layers: dict[str, _LayerHeader]
    origin: dict[str, Any]


def _check_offsets(path: Path, layers: Sequence[LayerSpec], header: _Header) -> None:
    for layer in layers:
        if header.layers[layer.name].offset_bits is not None and (obstacle := offset_obstacle(layer, layers)):
            raise UserError(f"{path}: {layer.name} has an offset, but can't have one: {obstacle}.")


def _layer_exponents(path: Path, layer: LayerSpec, header: _LayerHeader, arrays: dict) -> LayerExponents:
    if layer.kind == "add":
        return LayerExponents(header.activation_exponent)
    requantises = header.input_bits is not None
    missing = (header.bias_exponent is None, header.slope_exponent is None, header.input_exponent is None)
    if missing != (False, not layer.prelu, not requantises):
        raise UserError(f"{path}: {layer.name} lacks an exponent, or has one too many.")
    weight = _integers(path, f"{layer.name}/weight_exponents", (layer.out_channels,), arrays)
    if weight.min() < EXPONENTS[0] or weight.max() > EXPONENTS[1]:
        raise UserError(f"{path}: {layer.name}/weight_exponents must be in {EXPONENTS[0]}..{EXPONENTS[1]}.")
    exponents = tuple(int(exponent) for exponent in weight)
    return LayerExponents(
        header.activation_exponent, exponents, header.bias_exponent, header.slope_exponent, header.input_exponent
    )


def _layer_integers(path: Path, layer: LayerSpec, header: _LayerHeader, arrays: dict) -> dict[str, np.ndarray]:
    shapes = parameter_shapes(layer, with_offset=header.offset_bits is not None)
    return {name: _integers(path, f"{layer.name}/{name}", shape, arrays) for name, shape in shapes.items()}


def _integers(path: Path, key: str, shape: tuple[int, ...], arrays: dict) -> np.ndarray:
    values = arrays.get(key)
    if values is None or values.shape != shape or not np.issubdtype(values.dtype, np.integer):
        found = "nothing" if values is None else f"{values.dtype} of shape {values.shape}"
        raise UserError(f"{path}: {key} must be integers of shape {shape}, found {found}.")
    return values.astype(np.int64)


def _check_ranges(path: Path, checkpoint: Checkpoint) -> None:
    for layer, form in zip(checkpoint.layers, checkpoint.formats.values(), strict=True):
        for name, integers in checkpoint.integers[layer.name].items():
            low, high = integer_range(_bits(name, form), _mid_rise(name, form))
            if integers.min() < low or integers.max() > high:
                raise UserError(
                    f"{path}: {layer.name}/{name} must be in {low}..{high}, found {integers.min()}..{integers.max()}."
                )
        if layer.kind == "add":
            continue
        if _mid_rise("kernel", form) and not np.all(checkpoint.integers[layer.name]["kernel"] % 2):
            raise UserError(f"{path}: {layer.name}/kernel must be odd integers, as it is mid-rise.")


def check_matches(
    checkpoint: Checkpoint, path: Path, model: ModelConfig, widths: Mapping[str, LayerWidths], config_file: Path
) -> None:
    """The design must ask for exactly what the checkpoint holds.

    Raises:
        UserError: naming the first network setting or width that differs.
    """
    for key in ModelConfig.model_fields:
        asked, held = getattr(model, key), getattr(checkpoint.model, key)
        if asked != held:
            raise UserError(
                f"{config_file}: model.{key} = {_plain(asked)}, but checkpoint {path} holds {_plain(held)}."
            )
    for layer in checkpoint.layers:
        for key in _relevant_widths(layer):
            asked, held = getattr(widths[layer.name], key), getattr(checkpoint.widths[layer.name], key)
            if asked != held:
                raise UserError(
                    f"{config_file}: {layer.name} has {key} = {asked}, but checkpoint {path} holds {held}; "
                    f"train a checkpoint for these widths or ask for {held}."
                )


def _relevant_widths(layer: LayerSpec) -> Sequence[str]:
    if layer.kind == "add":
        return ("activation_bits",)
    of_prelu = ("slope_bits", "offset_bits") if layer.prelu else ()
    return ("weight_bits", "weight_quantiser", "activation_bits", "bias_bits", "input_bits", *of_prelu)


def _plain(value: Any) -> Any:
    return [tuple(row.model_dump().values()) for row in value] if isinstance(value, tuple) else value
