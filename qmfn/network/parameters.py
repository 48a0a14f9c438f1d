"""The numbers of a network: kernels, biases, PReLU slopes and offsets by layer, and how they get in and out of Keras.

`Parameters` maps layer -> {"kernel", "bias", "slope", "offset"} -> float32 array: kernel (k, k, C_in, C_out), depthwise
(k, k, C, 1); bias, slope and offset (C,). An add has none, a linear layer no slope; an offset is subtracted behind the
PReLU of those layers that have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qmfn.errors import UserError
from qmfn.files import file_aside
from qmfn.network.mobilefacenet import LayerSpec

Parameters = dict[str, dict[str, np.ndarray]]


def parameter_shapes(layer: LayerSpec, with_offset: bool = False) -> dict[str, tuple[int, ...]]:
    """Shapes of a layer's parameters by name."""
    if layer.kind == "add":
        return {}
    shapes = {"kernel": layer.kernel_shape, "bias": (layer.out_channels,)}
    if layer.prelu:
        shapes["slope"] = (layer.out_channels,)
    if with_offset:
        shapes["offset"] = (layer.out_channels,)
    return shapes


def import_float_weights(path: Path, layers: Sequence[LayerSpec]) -> Parameters:
    """Read float weights with folded batch norm from an .npz with arrays `bottleneck1/expand/kernel`.

    They expect pixels as (p - 127.5) / 128; ours enter as (p - 128) / 128. The constant difference of 0.5 / 128 goes
    into the bias of conv1 (exact but for the zero padding at the border).

    Raises:
        UserError: the file can't be read, or an array is missing or has another shape.
    """
    arrays = read_arrays(path)
    parameters: Parameters = {}
    for layer in layers:
        parameters[layer.name] = {}
        for name, shape in parameter_shapes(layer).items():
            key = f"{layer.name.replace('_', '/')}/{name}"
            if key not in arrays or arrays[key].shape != shape:
                found = arrays[key].shape if key in arrays else "nothing"
                raise UserError(f"{path}: {key} must be an array of shape {shape}, found {found}.")
            if not np.issubdtype(arrays[key].dtype, np.number) or not np.isfinite(arrays[key]).all():
                raise UserError(f"{path}: {key} has values that are not finite.")
            parameters[layer.name][name] = arrays[key].astype(np.float32)
    first = parameters[layers[0].name]
    first["bias"] = first["bias"] + first["kernel"].sum(axis=(0, 1, 2)) * (0.5 / 128)
    return parameters


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file.

    Raises:
        UserError: missing, unreadable or damaged file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except Exception as error:  # a damaged file fails anywhere in zipfile, zlib or NumPy's parser of headers
        raise UserError(f"{path}: can't be read as an .npz file ({error}).") from None


def save_parameters(parameters: Parameters, path: Path) -> None:
    """Write an .npz with arrays `<layer>/<name>`, aside and then renamed."""
    arrays = {f"{layer}/{name}": value for layer, values in parameters.items() for name, value in values.items()}
    with file_aside(path) as aside, open(aside, "wb") as file:
        np.savez(file, layers=list(parameters), **arrays)


def load_parameters(path: Path) -> Parameters:
    """The inverse of `save_parameters`.

    Raises:
        UserError: missing, unreadable or damaged file.
    """
    arrays = read_arrays(path)
    parameters: Parameters = {str(layer): {} for layer in arrays.pop("layers", [])}
    for key, value in arrays.items():
        layer, name = key.split("/")
        parameters[layer][name] = value
    return parameters


def random_parameters(layers: Sequence[LayerSpec], seed: int) -> Parameters:
    """He-initialised weights for tests and for designs without a checkpoint."""
    rng = np.random.default_rng(seed)
    parameters: Parameters = {}
    for layer in layers:
        shapes = parameter_shapes(layer)
        values = {name: rng.normal(0, 0.25, shape) for name, shape in shapes.items()}
        if "kernel" in values:
            values["kernel"] *= 4 * np.sqrt(2 / layer.terms)
        parameters[layer.name] = {name: value.astype(np.float32) for name, value in values.items()}
    return parameters


def set_parameters(model, parameters: Parameters) -> None:
    """Copy parameters into a Keras network that `build_model` made, float or quantised."""
    for layer, values in parameters.items():
        if values:
            model.get_layer(layer).set_weights([values["kernel"], values["bias"]])
        if "slope" in values:
            prelu = model.get_layer(f"{layer}_prelu")
            slope = values["slope"].reshape(prelu.weights[0].shape)
            prelu.set_weights([slope, values["offset"]] if "offset" in values else [slope])


def get_parameters(model, layers: Sequence[LayerSpec]) -> Parameters:
    """The inverse of `set_parameters`."""
    parameters: Parameters = {}
    for layer in layers:
        parameters[layer.name] = {}
        if layer.kind != "add":
            kernel, bias = model.get_layer(layer.name).get_weights()
            parameters[layer.name] = {"kernel": kernel, "bias": bias}
        if layer.prelu:
            slope, *offset = model.get_layer(f"{layer.name}_prelu").get_weights()
            parameters[layer.name]["slope"] = slope.reshape(-1)
            if offset:
                (parameters[layer.name]["offset"],) = offset
    return parameters
