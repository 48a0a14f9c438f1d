"""A checkpoint: one .npz with everything that the quantised network is - architecture, widths, exponents, integers.

Arrays: `<layer>/kernel`, `<layer>/bias`, `<layer>/slope` (integers, the smallest type that holds them) and
`<layer>/weight_exponents` (int8, one per output channel). `header` is JSON: format version, `model` (the network),
`layers` (widths and exponents) and `origin` (where the numbers come from).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from qmfn.config import ModelConfig
from qmfn.errors import UserError
from qmfn.model.formats import LayerExponents, LayerFormat, LayerWidths, layer_formats
from qmfn.model.mobilefacenet import LayerSpec, architecture
from qmfn.model.parameters import Parameters, parameter_shapes, read_arrays
from qmfn.model.quantizers import integer_range, quantise_to_integers

VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A quantised network as integers and exponents.

    Attributes:
        model: the network's configuration.
        widths: bits per layer.
        exponents: power-of-two exponents per layer.
        integers: layer -> {"kernel", "bias", "slope"} -> int64 array, shapes as in `qmfn.model.parameters`.
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
            name: quantise_to_integers(values, _bits(name, form), _exponents(name, layer, form))
            for name, values in parameters[layer.name].items()
        }
    return Checkpoint(model, widths, exponents, integers, origin)


def _bits(name: str, form: LayerFormat) -> int:
    return {"kernel": form.weight, "bias": form.bias, "slope": form.slope}[name].bits


def _exponents(name: str, layer: LayerSpec, form: LayerFormat) -> np.ndarray:
    """Exponents of a parameter, in a shape that broadcasts against it."""
    if name == "slope":
        return np.asarray(form.slope.exponent)
    if name == "bias":
        return np.asarray(form.bias.exponents)
    exponents = np.asarray(form.weight.exponents)
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
            arrays[f"{layer.name}/weight_exponents"] = np.asarray(weight, np.int8)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(aside, path)
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}).") from None
    finally:
        aside.unlink(missing_ok=True)


def _smallest_type(integers: np.ndarray) -> np.dtype:
    return np.min_scalar_type(min(int(integers.min()), -int(integers.max()) - 1))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        UserError: missing or damaged file, another format, or integers that don't fit their widths.
    """
    arrays = read_arrays(path)
    try:
        header = json.loads(arrays["header"].tobytes())
        if header["version"] != VERSION:
            raise UserError(f"{path}: has checkpoint version {header['version']}, this qmfn reads {VERSION}.")
        model = ModelConfig.model_validate_json(json.dumps(header["model"]))
        layers = architecture(model)
        widths, exponents, integers = {}, {}, {}
        for layer in layers:
            entry = header["layers"][layer.name]
            widths[layer.name] = LayerWidths(**{name: entry[name] for name in LayerWidths.__dataclass_fields__})
            weight = arrays.get(f"{layer.name}/weight_exponents")
            exponents[layer.name] = LayerExponents(
                activation=entry["activation_exponent"],
                weight=None if weight is None else tuple(int(exponent) for exponent in weight),
                bias=entry["bias_exponent"],
                slope=entry["slope_exponent"],
            )
            integers[layer.name] = {
                name: arrays[f"{layer.name}/{name}"].astype(np.int64) for name in parameter_shapes(layer)
            }
        checkpoint = Checkpoint(model, widths, exponents, integers, header["origin"])
        _check_integers(path, checkpoint)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{path}: is not a complete qmfn checkpoint ({type(error).__name__}: {detail}).") from None
    return checkpoint


def _check_integers(path: Path, checkpoint: Checkpoint) -> None:
    for layer, form in zip(checkpoint.layers, checkpoint.formats.values(), strict=True):
        for name, shape in parameter_shapes(layer).items():
            integers = checkpoint.integers[layer.name][name]
            low, high = integer_range(_bits(name, form))
            if integers.shape != shape or integers.min() < low or integers.max() > high:
                raise UserError(
                    f"{path}: {layer.name}/{name} must be integers of shape {shape} in {low}..{high}, "
                    f"found shape {integers.shape} in {integers.min()}..{integers.max()}."
                )


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
    return ("weight_bits", "activation_bits", "bias_bits") + (("slope_bits",) if layer.prelu else ())


def _plain(value: Any) -> Any:
    return [tuple(row.model_dump().values()) for row in value] if isinstance(value, tuple) else value
