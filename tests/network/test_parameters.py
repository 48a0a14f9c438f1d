"""The numbers of a network: import of the float weights, and the way into Keras and back."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
from tensorflow import keras

from qmfn.design import ModelConfig, load_config
from qmfn.errors import UserError
from qmfn.model.builder import build_model, float_network, quantised_network
from qmfn.model.initial import random_checkpoint
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import (
    get_parameters,
    import_float_weights,
    load_parameters,
    parameter_shapes,
    random_parameters,
    read_arrays,
    save_parameters,
    set_parameters,
)


@pytest.fixture(scope="module")
def layers(tiny):
    return architecture(tiny.model)


@pytest.fixture(scope="module")
def parameters(layers):
    return random_parameters(layers, seed=3)


def assert_same(found, wanted):
    assert {layer: set(values) for layer, values in found.items()} == {
        layer: set(values) for layer, values in wanted.items()
    }
    for layer, values in wanted.items():
        for name, array in values.items():
            assert np.array_equal(found[layer][name], array), (layer, name)


def test_an_add_has_no_parameters_and_a_linear_layer_no_slope(layers):
    shapes = {layer.name: parameter_shapes(layer) for layer in layers}
    assert shapes["bottleneck2_add"] == {}
    assert list(shapes["embedding"]) == ["kernel", "bias"]
    assert shapes["conv1"] == {"kernel": (3, 3, 3, 8), "bias": (8,), "slope": (8,)}
    assert shapes["dwconv1"]["kernel"] == (3, 3, 8, 1)


@pytest.mark.parametrize("quantised", [False, True])
def test_parameters_come_out_of_keras_as_they_went_in(layers, parameters, tiny_checkpoint, quantised):
    model = build_model(layers, tiny_checkpoint.formats if quantised else None)
    set_parameters(model, parameters)
    assert_same(get_parameters(model, layers), parameters)


@pytest.mark.parametrize("quantised", [False, True])
def test_offsets_come_out_of_keras_as_they_went_in(configs, quantised):
    config = load_config(configs / "tiny.yml", ["quantisation.offset_bits=4"])
    checkpoint = random_checkpoint(config, seed=0)
    parameters = checkpoint.parameters()
    model = quantised_network(checkpoint) if quantised else float_network(checkpoint.layers, parameters)
    assert "offset" in parameters["conv2"]
    assert_same(get_parameters(model, checkpoint.layers), parameters)


def test_random_parameters_depend_on_the_seed_alone(layers, parameters):
    assert_same(random_parameters(layers, seed=3), parameters)
    assert not np.array_equal(random_parameters(layers, seed=4)["conv1"]["kernel"], parameters["conv1"]["kernel"])


def test_import_takes_every_array_and_shifts_only_the_bias_of_conv1(tmp_path, layers, parameters, write_float_weights):
    imported = import_float_weights(write_float_weights(tmp_path / "weights.npz", parameters), layers)
    shifted = imported["conv1"].pop("bias") - parameters["conv1"]["bias"]
    wanted = parameters["conv1"]["kernel"].reshape(-1, 8).astype(np.float64).sum(axis=0) / 256
    assert np.allclose(shifted, wanted, atol=1e-6)
    rest = {layer: dict(values) for layer, values in parameters.items()}
    del rest["conv1"]["bias"]
    assert_same(imported, rest)


def test_the_shifted_bias_makes_up_for_the_other_normalisation(tmp_path, layers, parameters, write_float_weights):
    imported = import_float_weights(write_float_weights(tmp_path / "weights.npz", parameters), layers)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)

    def conv1(images: np.ndarray, values) -> np.ndarray:
        layer = keras.layers.Conv2D(8, 3, 2)
        layer(images)
        layer.set_weights([values["kernel"], values["bias"]])
        return layer(images).numpy()

    theirs = conv1((pixels.astype(np.float32) - 127.5) / 128, parameters["conv1"])
    assert np.allclose(conv1(normalise(pixels), imported["conv1"]), theirs, atol=1e-5)


def test_the_shared_float_weights_are_the_paper_s_network(shared_weights):
    layers = architecture(ModelConfig())
    imported = import_float_weights(shared_weights, layers)
    assert sum(values.size for arrays in imported.values() for values in arrays.values()) == 993_344


@pytest.mark.parametrize(
    ("layer", "tensor", "array", "reason"),
    [
        ("bottleneck1_expand", "kernel", np.zeros((1, 1, 8, 3)), r"shape \(1, 1, 8, 16\), found \(1, 1, 8, 3\)"),
        ("embedding", "bias", np.zeros((8, 1)), r"shape \(8,\), found \(8, 1\)"),
        ("conv1", "slope", None, r"shape \(8,\), found nothing"),
    ],
)
def test_an_array_of_another_shape_is_named(
    tmp_path, layers, parameters, write_float_weights, layer, tensor, array, reason
):
    wrong = {name: dict(values) for name, values in parameters.items()}
    if array is None:
        del wrong[layer][tensor]
    else:
        wrong[layer][tensor] = array
    path = write_float_weights(tmp_path / "weights.npz", wrong)
    key = f"{layer.replace('_', '/')}/{tensor}"
    with pytest.raises(UserError, match=f"{re.escape(str(path))}: {key} must be an array of {reason}"):
        import_float_weights(path, layers)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, layers, parameters, write_float_weights, value):
    wrong = {name: dict(values) for name, values in parameters.items()}
    wrong["conv2"]["bias"] = wrong["conv2"]["bias"].copy()
    wrong["conv2"]["bias"][3] = value
    with pytest.raises(UserError, match=r"weights.npz: conv2/bias has values that are not finite\.$"):
        import_float_weights(write_float_weights(tmp_path / "weights.npz", wrong), layers)


def test_weights_that_are_text_are_refused(tmp_path, layers, parameters, write_float_weights):
    wrong = {name: dict(values) for name, values in parameters.items()}
    wrong["conv2"]["bias"] = wrong["conv2"]["bias"].astype(str)
    with pytest.raises(UserError, match="conv2/bias"):
        import_float_weights(write_float_weights(tmp_path / "weights.npz", wrong), layers)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.npz: no such file"):
        read_arrays(tmp_path / "none.npz")


def test_what_is_no_npz_file_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_text("weights")
    with pytest.raises(UserError, match="can't be read as an .npz file"):
        read_arrays(path)
    with pytest.raises(UserError, match="can't be read as an .npz file"):
        read_arrays(tmp_path)


def test_a_single_array_is_no_npz_file(tmp_path):
    np.save(tmp_path / "weights.npy", np.zeros(3))
    with pytest.raises(UserError, match="can't be read as an .npz file"):
        read_arrays(tmp_path / "weights.npy")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = tmp_path / "weights.npz"
    np.savez_compressed(path, values=np.random.default_rng(0).normal(size=1000))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="can't be read as an .npz file"):
        read_arrays(path)


def test_a_file_with_flipped_bytes_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    values = np.random.default_rng(0).integers(0, 8, 10_000)
    np.savez_compressed(path, values=values)
    data = path.read_bytes()
    for position in range(30, len(data), 61):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            found = read_arrays(path).get("values", values)
        except UserError:
            continue
        assert np.array_equal(found, values), position


@pytest.mark.parametrize("shape", ["(3,", f"({2**70},)"], ids=["bracket left open", "size beyond 64 bits"])
def test_an_array_with_a_damaged_header_is_refused(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as file:
        file.writestr("values.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(12))
    with pytest.raises(UserError, match="can't be read as an .npz file"):
        read_arrays(tmp_path / "weights.npz")


def test_parameters_come_back_from_a_file(tmp_path):
    layers = architecture(ModelConfig())
    parameters = random_parameters(layers, seed=3)
    save_parameters(parameters, tmp_path / "weights.npz")
    found = load_parameters(tmp_path / "weights.npz")
    assert list(found) == list(parameters)
    for layer, values in parameters.items():
        assert list(found[layer]) == list(values)
        assert all(np.array_equal(found[layer][name], value) for name, value in values.items())
