"""What `describe` reads is what hls4ml generated."""

import hls4ml
import numpy as np
import pytest
import tensorflow as tf
from qkeras import QActivation, QConv2D, QDepthwiseConv2D, quantized_bits

from qmfn.errors import UserError
from qmfn.stock import describe, estimate

PARTS = {"Vitis": "xck26-sfvc784-2LV-c", "Vivado": "xc7z020clg400-1"}


def residual_network() -> tf.keras.Model:
    layers, bits = tf.keras.layers, quantized_bits(4, 0, alpha=1)

    def conv(name, *shape, **options):
        return QConv2D(*shape, kernel_quantizer=bits, bias_quantizer=bits, name=name, **options)

    def depthwise(name, kernel):
        return QDepthwiseConv2D(kernel, depthwise_quantizer=bits, bias_quantizer=bits, name=name)

    image = layers.Input((8, 8, 3), name="image")
    stem = conv("conv1", 4, 3, strides=2)(layers.ZeroPadding2D(1, name="conv1_pad")(image))
    stem = QActivation("quantized_relu(4,0)", name="conv1_act")(stem)
    inner = conv("expand", 8, 1)(stem)
    inner = QActivation("quantized_relu(4,0)", name="expand_act")(inner)
    inner = depthwise("depthwise", 3)(layers.ZeroPadding2D(1, name="depthwise_pad")(inner))
    inner = QActivation("quantized_relu(4,0)", name="depthwise_act")(inner)
    total = layers.Add(name="add")([stem, conv("project", 4, 1)(inner)])
    pooled = depthwise("gdconv", 4)(total)
    return tf.keras.Model(image, layers.Flatten(name="flatten")(pooled))


@pytest.fixture(scope="module")
def convert(tmp_path_factory):
    """backend -> converted ModelGraph of the residual network, and the Keras model; kept for the module."""
    tf.keras.utils.set_random_seed(1)
    network = residual_network()
    kept = {}

    def graph(backend, io_type="io_stream"):
        if (backend, io_type) not in kept:
            config = hls4ml.utils.config_from_keras_model(network, granularity="name", backend=backend)
            for layer in config["LayerName"].values():
                layer["Strategy"] = "Resource"
            config["LayerName"]["expand"]["ReuseFactor"] = 4
            config["LayerName"]["conv1"]["ReuseFactor"] = 9
            kept[backend, io_type] = hls4ml.converters.convert_from_keras_model(
                network,
                hls_config=config,
                backend=backend,
                io_type=io_type,
                part=PARTS[backend],
                output_dir=str(tmp_path_factory.mktemp(backend)),
                project_name="residual",
            )
        return kept[backend, io_type], network

    return graph


@pytest.fixture(params=PARTS)
def described(request, convert):
    graph, network = convert(request.param)
    return request.param, describe(graph), network


def test_the_design_is_what_the_conversion_was_asked_for(described):
    backend, design, _ = described
    assert (design.name, design.backend, design.part) == ("residual", backend, PARTS[backend])
    assert (design.io_type, design.clock_period_ns) == ("io_stream", 5.0)


def test_every_layer_has_its_kind_and_shape(described):
    _, design, _ = described
    layers = {layer.name: layer for layer in design.layers}
    assert [(name, layers[name].kind) for name in ("conv1_pad", "conv1", "expand", "depthwise", "add")] == [
        ("conv1_pad", "zero_padding"),
        ("conv1", "conv"),
        ("expand", "pointwise"),
        ("depthwise", "depthwise"),
        ("add", "add"),
    ]
    assert sum(layer.kind == "clone" for layer in design.layers) == 1
    conv1 = layers["conv1"]
    assert (conv1.in_height, conv1.in_width, conv1.in_channels) == (10, 10, 3)
    assert (conv1.out_height, conv1.out_width, conv1.out_channels) == (4, 4, 4)
    assert (conv1.kernel, conv1.stride, conv1.reuse_factor, conv1.strategy) == (3, 2, 9, "resource")
    assert layers["expand"].reuse_factor == 4
    assert layers["gdconv"].multiplications == 4 * 4 * 4


def test_weights_are_counted_and_measured(described):
    _, design, network = described
    for layer in design.layers:
        if layer.kind in ("conv", "pointwise", "depthwise"):
            kernel = network.get_layer(layer.name).get_weights()[0]
            rounded = np.asarray(quantized_bits(4, 0, alpha=1)(kernel))
            assert (layer.weights, layer.weight_bits) == (kernel.size, 4)
            assert layer.zero_weights == np.sum(rounded == 0)
            assert (layer.biases, layer.bias_bits) == (layer.out_channels, 4)
            assert layer.accumulator_bits > 8


def test_a_rounding_saturating_result_is_recognised(described):
    _, design, _ = described
    layers = {layer.name: layer for layer in design.layers}
    assert layers["conv1_act"].requantises
    assert not layers["conv1"].requantises


def test_fifos_are_the_streams_between_layers(described):
    _, design, _ = described
    fifos = {(fifo.depth, fifo.bits, fifo.channels) for fifo in design.fifos}
    assert (36, 8 * 4, 8) in fifos
    # One stream per layer, two after the clone, none at the output.
    assert len(design.fifos) == len(design.layers) + 1 - 1


def test_an_estimate_covers_every_layer_and_adds_up(described):
    backend, design, _ = described
    found = estimate(design)
    assert [layer.layer for layer in found.layers] == [layer.name for layer in design.layers]
    assert found.total["lut"] > sum(layer.lut for layer in found.layers)
    assert found.bottleneck == max(found.layers, key=lambda layer: layer.cycles).layer
    assert found.fifo.bits == sum(fifo.depth * fifo.bits for fifo in design.fifos)


def test_io_parallel_is_refused(convert):
    graph, _ = convert("Vitis", "io_parallel")
    with pytest.raises(UserError, match="io_parallel"):
        describe(graph)


def test_a_layer_without_formulas_is_refused(tmp_path):
    network = tf.keras.Sequential([tf.keras.layers.GlobalAveragePooling2D(name="pool", input_shape=(4, 4, 2))])
    config = hls4ml.utils.config_from_keras_model(network, granularity="name", backend="Vitis")
    graph = hls4ml.converters.convert_from_keras_model(
        network, hls_config=config, backend="Vitis", io_type="io_stream", output_dir=str(tmp_path)
    )
    with pytest.raises(UserError, match="pool is a GlobalPooling2D"):
        describe(graph)


def test_a_dense_layer_has_one_beat_of_all_its_inputs(tmp_path):
    network = tf.keras.Sequential([tf.keras.layers.Dense(2, name="logits", input_shape=(4,))])
    config = hls4ml.utils.config_from_keras_model(network, granularity="name", backend="Vitis")
    config["LayerName"]["logits"] |= {"Strategy": "Resource", "ReuseFactor": 4}
    graph = hls4ml.converters.convert_from_keras_model(
        network, hls_config=config, backend="Vitis", io_type="io_stream", output_dir=str(tmp_path),
        part=PARTS["Vitis"],
    )  # fmt: skip
    layer = describe(graph).layers[0]
    assert (layer.name, layer.kind, layer.window, layer.input_pixels) == ("logits", "dense", 4, 1)
    assert (layer.multiplications, layer.reuse_factor, layer.multipliers) == (8, 4, 2)
    assert estimate(describe(graph)).layers[0].cycles >= 4


class Tensor:
    """As much of an hls4ml tensor or weight variable as `describe` looks at."""

    def __init__(self, name, shape, precision, depth=1, data=None):
        self.name, self.shape, self.pragma, self.data = name, shape, ("stream", depth), data
        self.type = type("Packed", (), {"precision": precision, "n_elem": shape[-1]})


def test_the_slopes_of_a_prelu_are_its_weights():
    fixed = hls4ml.model.types.FixedPrecisionType
    wide = Tensor("layer2_out", [4, 4, 3], fixed(14, 6))
    narrow = Tensor(
        "layer3_out", [4, 4, 3], fixed(4, 1, rounding_mode="RND_CONV", saturation_mode="SAT"), depth=16
    )
    slope = Tensor("slope3", [3], fixed(6, 1), data=np.array([0.25, 0.0, 0.5]))

    class Node:
        name, class_name = "conv1_prelu", "QPReLU"
        weights, variables = {"slope": slope}, {"conv1_prelu": narrow}
        attributes = {"n_in": 48, "n_chan": 3, "reuse_factor": 3}
        get_input_variable = staticmethod(lambda: wide)
        get_output_variable = staticmethod(lambda: narrow)
        get_attr = staticmethod(lambda key, default=None: Node.attributes.get(key, default))

    class Graph:
        outputs = []
        get_layers = staticmethod(lambda: [Node])
        settings = {
            "Backend": "Vitis",
            "IOType": "io_stream",
            "Part": "xck26-sfvc784-2LV-c",
            "ClockPeriod": 5,
            "ProjectName": "prelu",
        }
        config = type("Config", (), {"get_config_value": staticmethod(lambda key: Graph.settings[key])})

    (layer,) = describe(Graph).layers
    assert (layer.kind, layer.weights, layer.weight_bits, layer.input_bits) == ("prelu", 3, 6, 14)
    assert (layer.result_bits, layer.requantises, layer.multiplications) == (4, True, 3)
    assert layer.reuse_factor == 3
