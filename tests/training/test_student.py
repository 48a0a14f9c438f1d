"""The fused network that is trained is the one that is converted, and its gradients are the straight-through ones."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from qmfn.design import load_config
from qmfn.model.builder import float_network, quantised_network
from qmfn.model.initial import calibrated_start, random_checkpoint
from qmfn.network.formats import Format
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import random_parameters
from qmfn.training.student import Student, bias_prelu_requantise, embed, requantise

REQUANTISED = "quantisation.layers={bottleneck1_project: {activation_bits: 7}, bottleneck2_expand: {input_bits: 3}}"
OFFSETS = "quantisation.offset_bits=4"


@pytest.fixture(params=[[REQUANTISED], [REQUANTISED, OFFSETS]], ids=["no offsets", "offsets"])
def checkpoint(request, configs):
    return random_checkpoint(load_config(configs / "tiny.yml", request.param), seed=3)


@pytest.fixture
def images() -> np.ndarray:
    return normalise(np.random.default_rng(4).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))


def outputs(model: keras.Model, layers, images, linear_suffix: str) -> dict[str, np.ndarray]:
    """Output of every layer of a Keras network, behind its activation or requantisation."""
    names = {layer.name: f"{layer.name}_prelu" if layer.prelu else layer.name + linear_suffix for layer in layers}
    probe = keras.Model(model.input, {layer: model.get_layer(name).output for layer, name in names.items()})
    return {layer: output.numpy() for layer, output in probe(images).items()}


def test_every_layer_equals_the_exact_keras_network(checkpoint, images):
    wanted = outputs(quantised_network(checkpoint), checkpoint.layers, images, "_quant")
    student = Student(checkpoint.layers, checkpoint.parameters(), checkpoint.formats)
    found = student(tf.constant(images))
    offsets = {layer: values.get("offset", 0) for layer, values in checkpoint.parameters().items()}
    assert [name for name in wanted if not np.array_equal(found[name] - offsets[name], wanted[name])] == []


def test_without_formats_it_is_the_float_network(checkpoint, images):
    parameters = checkpoint.parameters()
    wanted = outputs(float_network(checkpoint.layers, parameters), checkpoint.layers, images, "")
    found = Student(checkpoint.layers, parameters)(tf.constant(images))
    offsets = {layer: values.get("offset", 0) for layer, values in parameters.items()}
    assert all(np.allclose(found[name] - offsets[name], wanted[name], rtol=1e-4, atol=1e-5) for name in wanted)


def test_parameters_come_back_as_they_went_in(checkpoint):
    parameters = checkpoint.parameters()
    again = Student(checkpoint.layers, parameters, checkpoint.formats).parameters()
    for layer, values in parameters.items():
        assert all(np.array_equal(again[layer][name], value) for name, value in values.items()), layer


def test_a_unit_of_a_trained_weight_is_a_quantisation_step(checkpoint):
    student = Student(checkpoint.layers, checkpoint.parameters(), checkpoint.formats)
    for layer, integers in checkpoint.integers.items():
        for name in {"kernel", "slope"} & set(integers):
            assert np.array_equal(student.trained[layer][name], integers[name]), (layer, name)


def test_embeddings_have_unit_length(checkpoint):
    faces = np.random.default_rng(5).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    embeddings = embed(Student(checkpoint.layers, checkpoint.parameters()), faces, batch_size=2)
    assert embeddings.shape == (5, 8)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1)


def plain(sums, bias, slope, form, offset):
    """The same in single TensorFlow operations, saturation stopping the gradient."""
    x = sums + bias
    x = tf.where(x >= 0, x, x * slope)
    if form is None:
        return x
    x = tf.clip_by_value(x - offset, form.smallest, form.largest)
    rounded = tf.round(x / 2.0**form.exponent) * 2.0**form.exponent
    return x + tf.stop_gradient(rounded - x) + offset


@pytest.mark.parametrize("offset", [np.zeros(3, np.float32), np.array([1.5, 0, -0.5], np.float32)], ids=str)
@pytest.mark.parametrize("form", [None, Format(4, -2), Format(6, 0)], ids=str)
def test_gradients_are_those_of_the_single_operations(form, offset):
    random = np.random.default_rng(6)
    sizes = [(2, 5, 5, 3), 3, 3]
    sums, bias, slope = (tf.Variable(random.normal(size=size) * 2, dtype=tf.float32) for size in sizes)
    weight = tf.constant(random.normal(size=(2, 5, 5, 3)), tf.float32)
    found = []
    for function in (plain, bias_prelu_requantise):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(weight * function(sums, bias, slope, form, offset))
        found.append(tape.gradient(total, [sums, bias, slope]))
    assert all(np.allclose(a, b, rtol=1e-5, atol=1e-5) for a, b in zip(*found, strict=True))


def test_a_linear_layer_has_no_slope_to_train():
    sums, bias = tf.Variable(tf.ones((1, 2, 2, 3))), tf.Variable(tf.zeros(3))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(bias_prelu_requantise(-sums, bias, None, None))
    to_sums, to_bias = tape.gradient(total, [sums, bias])
    assert float(total) == -12
    assert np.array_equal(to_sums, -np.ones((1, 2, 2, 3)))
    assert np.array_equal(to_bias, [4, 4, 4])


def test_requantisation_stops_the_gradient_only_where_it_saturates():
    x = tf.Variable([-9.0, -8.0, 0.4, 7.0, 7.5])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(3 * requantise(x, Format(4, 0)))
    assert tape.gradient(total, x).numpy().tolist() == [0, 3, 3, 3, 0]


def test_it_starts_where_the_calibrated_network_is(configs, images):
    config = load_config(configs / "tiny.yml", [OFFSETS])
    layers = architecture(config.model)
    parameters, checkpoint = calibrated_start(config, random_parameters(layers, seed=1), images, {})
    started = Student(layers, parameters, checkpoint.formats)(images)
    rounded = Student(layers, checkpoint.parameters(), checkpoint.formats)(images)
    assert [name for name in started if not np.array_equal(started[name], rounded[name])] == []
