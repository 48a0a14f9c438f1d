"""Any hls4ml user's network: exact in every output value, or refused in one sentence that names the layer.

hls4ml and the folded backend fuse, drop and reorder layers. Each entry of `REFUSED` is a network of which an earlier
version silently computed something else, or a near relative of one; each of `ACCEPTED` differs little from those and
has to equal Keras.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.keras_graphs import (
    Q6,
    Graph,
    add,
    bits,
    conv,
    converted,
    depthwise,
    graphs,
    model,
    outputs,
    padded,
    pixels,
    qkeras_network,
    quantised,
    relu,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmfn.backends.hls4ml.stage_layer import plan_of
from qmfn.errors import UserError

EXAMPLES = int(os.environ.get("QMFN_EXAMPLES", 60))
WIDE = "fixed<24,12,RND_CONV,SAT>"

Build = Callable[[], Graph]
REFUSED: dict[str, tuple[Build, str, tuple[str, ...]]] = {}
"""Name -> (network, layer that the sentence begins with, what else the sentence says)."""
ACCEPTED: dict[str, Build] = {}


def refused(layer: str, *said: str) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        REFUSED[build.__name__] = (build, layer, said)
        return build

    return register


def accepted(build: Build) -> Build:
    ACCEPTED[build.__name__] = build
    return build


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_would_be_computed_wrongly_is_refused_and_names_the_layer(name, tmp_path):
    build, layer, said = REFUSED[name]
    sentence = refusal(build(), tmp_path)
    assert sentence.startswith(f"{layer}: "), sentence
    assert all(part in sentence for part in said), sentence
    assert sentence.endswith(".") and "\n" not in sentence
    assert not list(tmp_path.iterdir()), "nothing is half-written"


@pytest.mark.slow  # compiles
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_network_that_is_taken_equals_keras_in_every_output_value(name, tmp_path):
    assert_exact(ACCEPTED[name]().with_weights(), tmp_path)


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same networks on every machine; QMFN_EXAMPLES asks for more
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(graph=graphs(), types=st.sampled_from(["fast", "fast", "fast", "reference"]))
def test_random_networks_are_refused_or_equal_keras(graph, types):
    with tempfile.TemporaryDirectory() as folder:
        try:
            hls_graph = converted(graph, Path(folder))
        except UserError as error:
            assert re.match(r"\w+(, \w+)*: ", str(error)), error
            return
        found, keras = outputs(graph, hls_graph, Path(folder), types)
        np.testing.assert_array_equal(found, keras)


def refusal(graph: Graph, folder: Path) -> str:
    with pytest.raises(UserError) as raised:
        converted(graph, folder)
    return str(raised.value)


def assert_exact(graph: Graph, folder: Path) -> None:
    found, keras = outputs(graph, converted(graph, folder), folder)
    np.testing.assert_array_equal(found, keras)
    assert len(np.unique(found)) > 4


# An activation is part of the convolution's kernel: nobody else may read what is in front of it.


@refused("r", "is the activation of c, which r, q read", "only where r alone reads c")
def fork_before_relu():
    i = pixels()
    x = conv(i, 8, 3, "c")
    return Graph(model(i, quantised(add(relu(x, "r"), quantised(x, "q"), "a"), "qa")), {"c": Q6, "a": Q6})


@refused("r", "is the activation of c, which d, r read")
def fork_before_relu_into_a_convolution():
    i = pixels()
    x = conv(i, 4, 3, "c", padding="same")
    y = quantised(conv(x, 4, 1, "d"), "qd")
    return Graph(model(i, quantised(add(relu(x, "r"), y, "a"), "qa")), {"c": WIDE, "d": Q6, "a": Q6})


@refused("r", "is the activation of d, which")
def fork_before_relu_of_a_depthwise_convolution():
    i = pixels()
    x = depthwise(i, 3, "d")
    return Graph(model(i, quantised(add(relu(x, "r"), quantised(x, "q"), "a"), "qa")), {"d": Q6, "a": Q6})


@refused("q", "hls4ml drops this quantiser", "give c the result type", "fixed<6,3,AP_RND_CONV,AP_SAT>")
def fork_before_relu_with_types_left_to_hls4ml():
    i = pixels()
    x = conv(i, 8, 3, "c")
    return Graph(model(i, quantised(add(relu(x, "r"), quantised(x, "q"), "a"), "qa")), {"a": Q6})


@refused("r1", "is the activation of c, which", "r1 alone reads c")
def two_activations_of_one_convolution():
    i = pixels()
    x = conv(i, 4, 3, "c")
    return Graph(model(i, quantised(add(relu(x, "r1"), relu(x, "r2", 6), "a"), "qa")), {"a": Q6})


@refused("p", "is the activation of c, which p, q read")
def fork_before_prelu():
    from tensorflow import keras

    i = pixels()
    x = conv(i, 4, 3, "c")
    y = keras.layers.PReLU(name="p")(x)
    return Graph(model(i, quantised(add(y, quantised(x, "q"), "a"), "qa")), {"c": Q6, "p": Q6, "a": Q6})


@refused("q", "requantises a, which d, q read", "only where q alone reads a")
def fork_before_the_quantiser_of_an_add():
    i = pixels()
    x = relu(conv(i, 4, 1, "c"), "r")
    y = add(x, x, "a")
    z = add(quantised(y, "q", 4, 1), quantised(conv(y, 4, 1, "d"), "qd"), "b")
    return Graph(model(i, quantised(z, "qb")), {"d": Q6, "b": Q6})


@refused("d", "reads c as it is", "rounds it to fixed<6,3,AP_RND_CONV,AP_SAT> for q")
def fork_into_a_quantiser_and_a_convolution():
    i = pixels()
    x = conv(i, 4, 1, "c")
    return Graph(
        model(i, quantised(add(quantised(x, "q"), quantised(conv(x, 4, 1, "d"), "qd"), "a"), "qa")),
        {name: Q6 for name in ("c", "d", "a")},
    )


@refused("r", "is read by d, e, f", "at most two readers")
def three_readers():
    i = pixels()
    x = relu(conv(i, 4, 1, "r"), "relu")
    y = add(*(quantised(conv(x, 4, 1, name), f"q{name}") for name in "de"), "a")
    z = add(quantised(y, "qa"), quantised(conv(x, 4, 1, "f"), "qf"), "b")
    return Graph(model(i, quantised(z, "qb")), {name: Q6 for name in "defab"})


@accepted
def fork_behind_relu_padded_and_requantised_in_one_branch_only():
    i = pixels(6, 5, 3)
    x = relu(conv(i, 4, 3, "c", padding="same"), "r", 6, 1)
    y = quantised(conv(padded(quantised(x, "n", 4, 1), "z"), 4, 3, "d"), "qd")
    return Graph(model(i, quantised(add(x, y, "a"), "qa")), {"d": Q6, "a": Q6})


@accepted
def fork_behind_two_quantisers():
    i = pixels()
    x = relu(conv(i, 4, 1, "c"), "r", 8, 3)
    y = relu(conv(quantised(x, "q1", 4, 1), 4, 3, "d"), "rd")
    z = relu(conv(quantised(x, "q2", 5, 3), 4, 3, "e"), "re")
    return Graph(model(i, quantised(add(y, z, "a"), "qa", 4, 1)))


def two_quantisers_in_front_of_a_convolution() -> Graph:
    i = pixels(4, 4)
    x = quantised(quantised(conv(i, 4, 1, "c"), "q"), "q1", 4, 1)
    return Graph(model(i, relu(conv(x, 4, 3, "d"), "r")), {"c": Q6})


@refused("q1", "hls4ml drops this quantiser behind the quantiser q", "give c_linear the result type fixed<6,3")
def a_quantiser_behind_the_quantiser_of_a_convolution():
    return two_quantisers_in_front_of_a_convolution()


@accepted
def a_quantiser_behind_the_quantiser_of_a_convolution_with_a_type():
    graph = two_quantisers_in_front_of_a_convolution()
    return dataclasses.replace(graph, results={**graph.results, "c_linear": Q6})


@accepted
def a_tensor_added_to_itself():
    i = pixels(4, 4)
    x = relu(conv(i, 4, 3, "c"), "r")
    return Graph(model(i, quantised(add(x, x, "a"), "q", 4, 2)))


# Nothing may stand between a convolution and its activation.


@refused("r", "follows the zero padding z", "must follow a convolution directly, here c")
def padding_before_relu():
    i = pixels()
    x = relu(padded(conv(i, 8, 3, "c"), "z"), "r")
    return Graph(model(i, relu(conv(x, 8, 3, "c2"), "r2")))


@refused("r", "follows the zero padding z")
def padding_below_and_to_the_right_before_relu():
    i = pixels()
    x = relu(padded(conv(i, 8, 3, "c"), "z", ((0, 1), (0, 1))), "r")
    return Graph(model(i, relu(conv(x, 8, 3, "c2"), "r2")))


@refused("p", "follows the zero padding z")
def padding_before_prelu():
    from tensorflow import keras

    i = pixels()
    x = keras.layers.PReLU(name="p")(padded(conv(i, 8, 3, "c"), "z"))
    return Graph(model(i, relu(conv(x, 8, 3, "c2"), "r2")), {"p": Q6})


@refused("q", "requantises behind the zero padding z")
def padding_before_a_quantiser():
    i = pixels()
    x = quantised(padded(relu(conv(i, 8, 3, "c"), "r", 8), "z"), "q", 4, 1)
    return Graph(model(i, relu(conv(x, 8, 3, "c2"), "r2")))


@refused("r", "follows the quantiser q", "must follow a convolution directly")
def quantiser_before_relu():
    """hls4ml drops the quantiser, as the convolution has its type; the sums must still be rounded in between."""
    i = pixels()
    x = quantised(conv(i, 4, 3, "c"), "q", 4, 1)
    return Graph(model(i, relu(x, "r", 6, 1)), {"c": "fixed<4,2,RND_CONV,SAT>"})


@refused("q", "hls4ml drops this quantiser", "the result type of c is fixed<24,12", "give c the result type fixed<4,3")
def coarser_quantiser_before_relu():
    i = pixels()
    x = quantised(conv(i, 4, 3, "c"), "q", 4, 2)
    return Graph(model(i, relu(x, "r", 6, 1)), {"c": WIDE})


@refused("q", "hls4ml drops this quantiser", "give c the result type")
def quantiser_before_relu_with_types_left_to_hls4ml():
    i = pixels()
    return Graph(model(i, relu(quantised(conv(i, 4, 3, "c"), "q", 4, 1), "r", 6, 1)))


@refused("r", "follows c, whose result type fixed<6,3,AP_RND_CONV,AP_SAT> rounds its sums", "leave that type out")
def convolution_rounded_before_relu():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r", 6, 1)), {"c": Q6})


@refused("r", "follows c, whose result type fixed<8,4> rounds its sums")
def convolution_truncated_before_relu():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r", 6, 1)), {"c": "fixed<8,4>"})


@refused("q", "hls4ml drops this quantiser", "the result type of c is fixed<8,4>; give c the result type fixed<6,3")
def convolution_truncated_before_a_quantiser():
    i = pixels()
    return Graph(model(i, quantised(conv(i, 4, 3, "c"), "q")), {"c": "fixed<8,4>"})


@refused("a", "has the result type fixed<8,4>, but its sums need ufixed<7,2>", "RND_CONV,SAT")
def add_truncated_before_a_quantiser():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r", 6, 1)
    return Graph(model(i, quantised(add(x, x, "a"), "q", 4, 1)), {"a": "fixed<8,4>"})


@refused("q", "hls4ml drops this quantiser", "the result type of c is fixed<8,3,AP_RND_CONV,AP_SAT>; give c")
def convolution_rounded_before_a_coarser_quantiser():
    i = pixels()
    x = quantised(conv(i, 4, 3, "c"), "q", 4, 1)
    return Graph(model(i, relu(conv(x, 4, 1, "d"), "r")), {"c": "fixed<8,3,RND_CONV,SAT>"})


@refused("q", "to fixed<4,2,AP_RND_CONV,AP_SAT>", "rounded to fixed<6,3,AP_RND_CONV,AP_SAT> before", "give a")
def add_rounded_before_a_coarser_quantiser():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r", 6, 1)
    return Graph(model(i, relu(conv(quantised(add(x, x, "a"), "q", 4, 1), 4, 1, "d"), "rd")), {"a": Q6})


@refused("ra", "follows a", "must follow a convolution directly")
def relu_behind_add():
    i = pixels()
    x = relu(conv(i, 8, 1, "c"), "r")
    return Graph(model(i, relu(add(x, quantised(conv(x, 8, 1, "d"), "q"), "a"), "ra")), {"d": Q6})


@refused("r", "follows pixels")
def relu_behind_the_input():
    i = pixels()
    return Graph(model(i, relu(conv(relu(i, "r"), 4, 3, "c"), "r2")))


@refused("r2", "follows r1")
def relu_behind_relu():
    i = pixels()
    return Graph(model(i, relu(relu(conv(i, 4, 3, "c"), "r1", 6), "r2")))


@accepted
def convolution_rounded_to_the_steps_of_its_relu():
    i = pixels(4, 4)
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r", 4, 1)), {"c": Q6})


@accepted
def prelu_with_one_slope_per_channel_and_an_exact_sum():
    """The quantiser behind has the type of the PReLU, so it is the PReLU's rounding."""
    from tensorflow import keras

    i = pixels(4, 4)
    x = keras.layers.PReLU(name="p")(conv(i, 4, 2, "c"))
    return Graph(model(i, quantised(x, "q")), layers={"p": {"Precision": {"result": Q6, "param": "fixed<8,2>"}}})


# What comes last, and how much of it there is.


@refused("q", "is the network's output", "requantisation only where a convolution reads it")
def requantisation_last():
    i = pixels()
    return Graph(model(i, quantised(relu(conv(i, 8, 3, "c"), "r", 8, 1), "q", 4, 1)))


@refused("q", "is the network's output", "requantisation")
def requantisation_last_behind_an_add():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r")
    return Graph(model(i, quantised(quantised(add(x, x, "a"), "qa"), "q", 4, 1)), {"a": Q6})


@refused("q", "hls4ml drops this quantiser", "give c the result type fixed<4,2")
def requantisation_last_behind_an_exactly_typed_convolution():
    i = pixels()
    return Graph(model(i, quantised(conv(i, 4, 3, "c"), "q", 4, 1)), {"c": WIDE})


@refused("z", "is the network's output", "zero padding only where a convolution reads it")
def padding_last():
    i = pixels()
    return Graph(model(i, padded(relu(conv(i, 4, 3, "c"), "r"), "z")))


@refused("q1, q2", "are 2 outputs", "takes networks with one")
def two_outputs():
    i = pixels()
    x = relu(conv(i, 8, 3, "c"), "r")
    ends = [quantised(conv(x, 4, 1, "o1"), "q1"), quantised(conv(x, 4, 1, "o2"), "q2")]
    return Graph(model(i, ends), {"o1": Q6, "o2": Q6})


@refused("r, q", "are 2 outputs")
def an_output_in_the_middle():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r")
    return Graph(model(i, [x, quantised(conv(x, 4, 1, "d"), "q")]), {"d": Q6})


@refused("c, c", "are 2 outputs")
def activations_inside_layers_as_outputs():
    from qkeras import quantized_relu

    i = pixels()
    x = conv(i, 4, 3, "c", activation=quantized_relu(4, 1))
    return Graph(model(i, [x, x]))


@refused("drop", "is the network's output, but hls4ml leaves this layer out")
def dropout_last():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, keras.layers.Dropout(0.5, name="drop")(relu(conv(i, 4, 3, "c"), "r"))))


@refused("pixels", "no convolution or add follows")
def no_layer_at_all():
    i = pixels()
    return Graph(model(i, quantised(i, "q", 4, 0)))


@refused("pixels, pixels2", "are 2 inputs", "takes networks with one")
def two_inputs():
    i, j = pixels(), pixels(name="pixels2")
    x = add(quantised(conv(i, 8, 1, "c"), "q"), quantised(conv(j, 8, 1, "d"), "qd"), "a")
    return Graph(model([i, j], quantised(x, "qa")), {name: Q6 for name in "cda"})


@refused("pixels", "is read by c, a", "one reader of the input")
def input_added():
    i = pixels(8, 8, 8)
    x = add(quantised(conv(i, 8, 3, "c", padding="same"), "q"), i, "a")
    return Graph(model(i, quantised(x, "qa")), {"c": Q6, "a": Q6})


@refused("pixels", "is read by c, d")
def input_read_by_two_convolutions():
    i = pixels()
    x = add(relu(conv(i, 4, 1, "c"), "r"), relu(conv(quantised(i, "qi", 4), 4, 1, "d"), "rd"), "a")
    return Graph(model(i, quantised(x, "qa")), {"a": Q6})


@refused("pixels", "has the shape (6, 6)", "(height, width, channels)")
def input_without_channels():
    from tensorflow import keras

    i = keras.Input((6, 6), name="pixels")
    return Graph(model(i, relu(i, "r")))


# Requantisation and padding are part of the convolution that reads them.


@refused("q2", "requantises behind the requantisation q1", "takes one requantisation in front of a convolution")
def two_requantisations():
    i = pixels()
    x = quantised(quantised(relu(conv(i, 4, 3, "c"), "r", 8, 1), "q1", 6, 1), "q2", 4, 1)
    return Graph(model(i, relu(conv(x, 4, 1, "d"), "rd")))


@refused("a", "adds the requantisation q")
def add_of_a_requantised_tensor():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r", 8, 1)
    return Graph(model(i, quantised(add(x, quantised(x, "q", 4, 1), "a"), "qa")), {"a": Q6})


@refused("a", "adds the zero padding z")
def add_of_a_padded_tensor():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r")
    y = padded(relu(conv(x, 4, 3, "d"), "rd"), "z")
    return Graph(model(i, quantised(add(x, y, "a"), "qa")), {"a": Q6})


@refused("a", "adds r of 4x4x4, and rd of 1x1x4", "tensors of one shape")
def add_that_broadcasts():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r")
    y = relu(depthwise(x, 4, "d"), "rd")
    return Graph(model(i, quantised(add(x, y, "a"), "qa")), {"a": Q6})


@refused("z", "has the type fixed<3,1>", "padding that changes no type")
def padding_with_a_narrower_type():
    i = pixels()
    x = relu(conv(padded(i, "z"), 4, 3, "c"), "r")
    return Graph(model(i, x), {"z": "fixed<3,1>"})


@refused("c", "is padded by 1 above and 2 to the left", "must be the same")
def padding_that_differs_above_and_to_the_left():
    i = pixels()
    return Graph(model(i, relu(conv(padded(i, "z", ((1, 1), (2, 1))), 4, 3, "c"), "r")))


@refused("c", "is padded by 1 above and 0 to the left")
def same_padding_that_differs_above_and_to_the_left():
    """Stride 2 over 5 x 6 pixels."""
    i = pixels(5, 6)
    return Graph(model(i, relu(conv(i, 4, 3, "c", padding="same", strides=2), "r")))


@refused("c", "is padded by 2 above and 3 to the left")
def padding_behind_padding():
    i = pixels()
    x = padded(padded(i, "z", ((1, 1), (2, 2))), "z2")
    return Graph(model(i, relu(conv(x, 4, 3, "c"), "r")))


@refused("c", "is padded by 3, and its kernel is 3 wide", "less padding")
def padding_wider_than_the_kernel():
    i = pixels()
    return Graph(model(i, relu(conv(padded(i, "z", 2), 4, 3, "c", padding="same"), "r")))


@refused("c", "is padded by 1, and its kernel is 1 wide")
def padding_before_a_1x1_convolution():
    i = pixels()
    return Graph(model(i, relu(conv(padded(i, "z"), 4, 1, "c"), "r")))


@refused("c", "is padded by 4, and its kernel is 3 wide")
def padding_to_the_right_wider_than_the_kernel():
    i = pixels()
    return Graph(model(i, relu(conv(padded(i, "z", ((0, 0), (0, 4))), 4, 3, "c"), "r")))


@refused("c", "is padded by 2 and 2 and so makes 8 columns of 6", "no padding that makes an image wider")
def padding_that_makes_the_image_wider():
    i = pixels()
    return Graph(model(i, relu(conv(padded(i, "z", 2), 4, 3, "c"), "r")))


@accepted
def padding_on_single_sides_behind_padding_over_a_narrow_image():
    i = pixels(6, 4, 2)
    x = padded(padded(i, "z", ((0, 1), (0, 0))), "z2", ((1, 0), (1, 1)))
    x = relu(conv(x, 3, 3, "c", strides=2), "r")
    return Graph(model(i, relu(depthwise(x, 2, "d", padding="same"), "rd")))


# Convolutions of other kinds.


@refused("c", "1 x 1 convolution with stride 2")
def pointwise_convolution_with_stride():
    i = pixels()
    return Graph(model(i, relu(conv(i, 8, 1, "c", strides=2), "r")))


@refused("d", "makes 8 channels of 4", "depth multiplier of 1")
def depth_multiplier():
    i = pixels()
    return Graph(model(i, relu(depthwise(i, 3, "d", padding="same", depth_multiplier=2), "r")))


@refused("c", "groups = 2", "one group")
def grouped_convolution():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c", groups=2), "r")))


@refused("c", "dilation_rate = [2, 2]", "no dilation")
def dilated_convolution():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c", dilation_rate=2, padding="same"), "r")))


@refused("d", "dilation_rate = [2, 2]")
def dilated_depthwise_convolution():
    i = pixels()
    return Graph(model(i, relu(depthwise(i, 3, "d", dilation_rate=(2, 2)), "r")))


@refused("c", "square kernels and strides only")
def rectangular_kernel():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, (3, 1), "c"), "r")))


@refused("c", "square kernels and strides only")
def rectangular_stride():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c", strides=(2, 1)), "r")))


@refused("c", "data_format = channels_first", "channels_last")
def channels_first():
    i = pixels(4, 4, 4)
    return Graph(model(i, relu(conv(i, 4, 3, "c", data_format="channels_first"), "r")))


@refused("z", "data_format = channels_first")
def padding_with_channels_first():
    i = pixels(4, 4, 4)
    return Graph(model(i, relu(conv(padded(i, "z", data_format="channels_first"), 4, 3, "c"), "r")))


@refused("c", "is called 2 times, of which hls4ml reads the first")
def a_convolution_that_is_called_twice():
    from qkeras import QConv2D

    i = pixels()
    layer = QConv2D(4, 3, padding="same", name="c", kernel_quantizer=bits(4), bias_quantizer=bits(8))
    x = relu(layer(i), "r")
    return Graph(model(i, relu(layer(x), "r2")))


@refused("r", "is called 2 times")
def an_activation_that_is_called_twice():
    from qkeras import QActivation, quantized_relu

    i = pixels()
    layer = QActivation(quantized_relu(4, 1), name="r")
    return Graph(model(i, layer(conv(layer(conv(i, 4, 3, "c")), 4, 3, "d"))))


# Layers without a kernel.


@refused("r", "no kernel for the layer ReLU, whose maximum", "quantized_relu")
def keras_relu_layer():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, keras.layers.ReLU(6.0, name="r")(conv(i, 4, 3, "c"))), {"r": "ufixed<8,3,RND_CONV,SAT>"})


@refused("r", "no kernel for the activation leaky_relu")
def relu_with_a_negative_slope():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r", negative_slope=0.25)))


@refused("t", "no kernel for the activation tanh")
def tanh():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, keras.layers.Activation("tanh", name="t")(conv(i, 4, 3, "c"))))


@refused("s", "no kernel for Subtract", "it takes Add, Conv2D,")
def subtract():
    from tensorflow import keras

    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r")
    return Graph(model(i, quantised(keras.layers.Subtract(name="s")([x, x]), "q")))


@refused("b", "no kernel for BatchNormalization")
def batch_normalisation():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, relu(keras.layers.BatchNormalization(name="b")(conv(i, 4, 3, "c")), "r")))


@refused("s", "no kernel for SeparableConv2D")
def separable_convolution():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, relu(keras.layers.SeparableConv2D(4, 3, name="s")(i), "r")))


@refused("c", "no kernel for the activation tanh")
def an_activation_inside_a_layer_has_the_name_of_the_layer():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, keras.layers.Conv2D(4, 3, activation="tanh", name="c")(i)))


# Quantisers that do something else than their type.


@refused("q", "makes -3.875 of -4.375, but fixed<6,3,AP_RND_CONV,AP_SAT> makes -4", "only round half to even")
def symmetric_quantiser():
    i = pixels()
    return Graph(model(i, quantised(conv(i, 4, 3, "c"), "q", symmetric=1)), {"c": Q6})


@refused("q", "quantized_bits makes")
def unsigned_quantised_bits():
    i = pixels()
    return Graph(model(i, quantised(conv(i, 4, 3, "c"), "q", keep_negative=False)), {"c": Q6})


@refused("q", "has alpha = auto_po2", "1 or None")
def scaled_quantiser():
    i = pixels()
    return Graph(model(i, quantised(conv(i, 4, 3, "c"), "q", alpha="auto_po2")), {"c": Q6})


@refused("r", "quantized_relu makes")
def relu_with_an_upper_bound():
    i = pixels()
    x = relu(conv(i, 4, 3, "c"), "r", is_quantized_clip=False, relu_upper_bound=1.5)
    return Graph(model(i, x))


@refused("r", "quantized_relu makes")
def relu_with_a_sigmoid():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r", use_sigmoid=1)))


@refused("r", "is quantised to ufixed<4,1,AP_RND_CONV,AP_SAT> in the network", "gives it the type ufixed<8,3")
def a_type_that_is_not_the_quantisers():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r")), {"r": "ufixed<8,3,RND_CONV,SAT>"})


@refused("c", "has the result type fixed<16,6>", "RND_CONV,SAT")
def a_type_in_the_middle_that_truncates():
    i = pixels()
    return Graph(model(i, relu(conv(conv(i, 4, 3, "c"), 4, 3, "d"), "r")), {"c": "fixed<16,6>"})


@refused("r", "has the result type ufixed<4,4>", "RND_CONV,SAT")
def a_relu_of_integers():
    """hls4ml's own type for it wraps around."""
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r", 4, 4)))


@refused("q", "has the result type fixed<4,2,AP_RND_CONV,AP_SAT_SYM>", "RND_CONV,SAT")
def a_type_that_has_no_smallest_integer():
    i = pixels()
    x = quantised(relu(conv(i, 4, 3, "c"), "r", 8, 1), "q", 4, 1)
    return Graph(model(i, relu(conv(x, 4, 1, "d"), "rd")), {"q": "fixed<4,2,RND_CONV,SAT_SYM>"})


@refused("c", "kernel_quantizer has alpha = auto_po2", "alpha = 1")
def default_alpha():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c", kernel_quantizer=bits(4, alpha=None)), "r")))


@refused("c", "bias_quantizer has alpha = auto", "alpha = 1")
def alpha_of_the_bias():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c", bias_quantizer=bits(4, alpha="auto")), "r")))


@refused("c", "kernel_quantizer is binary, whose values hls4ml changes")
def binary_weights():
    from qkeras import binary

    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "c", kernel_quantizer=binary(alpha=1)), "r")))


@refused("d", "depthwise_quantizer is binary, whose values hls4ml changes")
def scaled_binary_weights_of_a_depthwise_convolution():
    from qkeras import binary

    i = pixels()
    return Graph(model(i, relu(depthwise(i, 3, "d", depthwise_quantizer=binary(alpha=0.5)), "r")))


@refused("c", "weight values need", "but their type is fixed<16,6>")
def float_weights():
    from tensorflow import keras

    i = pixels()
    return Graph(model(i, relu(keras.layers.Conv2D(4, 3, name="c")(i), "r"))).with_weights()


@refused("c", "weight values need", "but hls_config says fixed<2,1>")
def a_weight_type_beside_a_quantiser():
    i = pixels()
    types = {"c": {"Precision": {"weight": "fixed<2,1>"}}}
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r")), layers=types).with_weights()


@refused("c", "weight values need", "but their type is ufixed<4,0")
def negative_weights_of_an_unsigned_type():
    from tensorflow import keras

    i = pixels()
    layer = keras.layers.Conv2D(4, 3, name="c", kernel_initializer=keras.initializers.Constant(-0.5))
    types = {"c": {"Precision": {"weight": "ufixed<4,0>", "bias": "fixed<4,1>"}}}
    return Graph(model(i, relu(layer(i), "r")), layers=types)


@refused("c", "weight values that are no finite numbers")
def weights_that_are_no_numbers():
    from tensorflow import keras

    i = pixels()
    layer = keras.layers.Conv2D(4, 3, name="c", kernel_initializer=keras.initializers.Constant(np.nan))
    return Graph(model(i, relu(layer(i), "r")))


@refused("bias", "has 144 bias values for 4 channels")
def a_layer_name_in_which_hls4ml_finds_other_weights():
    """hls4ml looks for a weight with `bias` in its name, and finds the kernel of a layer of this name."""
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "bias"), "r")))


@refused("c", "its sums need fixed<", "hls_config gives them the type fixed<8,2>", "exact sums")
def an_accumulator_that_wraps():
    i = pixels()
    accumulator = {"c": {"Precision": {"accum": "fixed<8,2>", "result": "auto"}}}
    return Graph(model(i, relu(conv(i, 4, 3, "c"), "r")), layers=accumulator).with_weights()


@accepted
def more_integer_bits_than_hls4mls_default_type():
    """hls4ml gives the convolution's own activation, `linear`, the type fixed<16,6>, which holds less."""
    i = pixels(4, 4)
    x = quantised(conv(i, 4, 3, "c", kernel_quantizer=bits(8, 7)), "q", 8, 7)
    return Graph(model(i, x), {"c": "fixed<8,8,RND_CONV,SAT>"})


@accepted
def an_activation_inside_a_layer_and_a_1x1_depthwise_convolution_with_stride():
    from qkeras import quantized_relu

    i = pixels(5, 6, 2)
    x = conv(i, 3, 2, "c", activation=quantized_relu(5, 2), use_bias=False)
    return Graph(model(i, quantised(depthwise(x, 1, "d", strides=2), "q", 6, 0)), {"d": "fixed<6,1,RND_CONV,SAT>"})


# Names, and hls_config.


@refused("a/b", "can't be a name in C++")
def a_name_with_a_slash():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "a/b"), "r")))


@refused("short", "no keyword of C++")
def a_name_that_is_a_keyword():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "short"), "r")))


@refused("c_window", "is also a name in the C++ of the layer c")
def a_name_that_the_project_uses():
    i = pixels()
    return Graph(model(i, relu(conv(relu(conv(i, 4, 3, "c"), "r"), 4, 3, "c_window"), "r2")))


@refused("C", "differs from c in case only")
def names_that_differ_in_case():
    i = pixels()
    return Graph(model(i, relu(conv(relu(conv(i, 4, 3, "c"), "r"), 4, 3, "C"), "r2")))


@refused("result", "is a name of hls4ml's own C++")
def a_name_of_hls4mls_own():
    i = pixels()
    return Graph(model(i, relu(conv(i, 4, 3, "result"), "r")))


def plain(**settings) -> Graph:
    i = pixels(8, 8, 8)
    return Graph(model(i, relu(conv(i, 8, 1, "c"), "r")), **settings)


SETTINGS = {
    "simd": ({"c": {"simd": 4}}, "c: simd = 4: is no setting of a folded design; write Simd"),
    "SIMD": ({"c": {"SIMD": 4}}, "c: SIMD = 4: is no setting .* write Simd"),
    "Strategy": ({"c": {"Strategy": "nonsense"}}, r"c: Strategy = nonsense: is no setting .* the keys are .*Simd, Pe"),
    "ParallelizationFactor": ({"c": {"ParallelizationFactor": 4}}, "c: ParallelizationFactor = 4: has no effect .* 1"),
    "ConvImplementation": ({"c": {"ConvImplementation": "Encoded"}}, "c: ConvImplementation = Encoded: has no effect"),
    "stride": ({"c": {"StrideHeight": 2}}, "c: StrideHeight = 2: is no setting"),
    "Simd as text": ({"c": {"Simd": "8"}}, "c: Simd = '8': must be a whole number"),
    "Simd true": ({"c": {"Simd": True}}, "c: Simd = True: must be a whole number"),
    "Pe 3": ({"c": {"Pe": 3}}, "c: Pe = 3: does not divide the work of c; valid: 1, 2, 4, 8"),
    "reuse factor 5": ({"c": {"ReuseFactor": 5, "Simd": 4, "Pe": 1}}, "c: ReuseFactor = 5: .* a reuse factor of 16"),
    "Simd of an activation": ({"r": {"Simd": 4}}, "r: Simd = 4: is no setting"),
    "reuse factor of an activation": ({"r": {"ReuseFactor": 4}}, "r: ReuseFactor = 4: has no effect on this layer"),
    "unknown layer": ({"d": {"Simd": 4}}, "hls_config: LayerName d: is no layer of the network; the closest are .*c"),
    "unknown precision": ({"c": {"Precision": {"output": Q6}}}, "c: Precision: output = .*: is no setting"),
    "spelling of a precision": ({"c": {"Precision": {"Result": Q6}}}, "c: Precision: Result = .* write result"),
    "table": ({"r": {"Precision": {"table": "fixed<9,2>"}}}, "r: Precision: table = fixed<9,2>: has no effect"),
}


@pytest.mark.parametrize(("layers", "said"), SETTINGS.values(), ids=SETTINGS)
def test_a_key_of_a_layer_without_effect_is_refused(layers, said, tmp_path):
    assert re.match(said, refusal(plain(layers=layers), tmp_path))


MODEL_SETTINGS = {
    "model strategy": ({"model": {"Strategy": "Resource"}}, "hls_config: Model: Strategy = Resource: has no effect"),
    "model key": ({"model": {"simd": 4}}, "hls_config: Model: simd = 4: is no setting .* write Simd"),
    "bit_exact": ({"arguments": {"bit_exact": True}}, "hls_config: Model: BitExact = True: has no effect"),
    "type": ({"groups": {"LayerType": {"QConv2D": {}}}}, "hls_config: LayerType QConv2D: .*; its types are .*Conv2D"),
    "optimisers": ({"groups": {"SkipOptimizers": ["x"]}}, "hls_config: SkipOptimizers: has no effect"),
    "io_parallel": ({"arguments": {"io_type": "io_parallel"}}, "io_type = io_parallel: .* must be io_stream"),
    "argument": ({"arguments": {"clock": 4}}, "clock = 4: VitisFolded has no such setting; it has part, clock_period"),
}


@pytest.mark.parametrize(("changes", "said"), MODEL_SETTINGS.values(), ids=MODEL_SETTINGS)
def test_a_setting_of_the_model_without_effect_is_refused(changes, said, tmp_path):
    assert re.match(said, refusal(plain(**changes), tmp_path))


@pytest.mark.parametrize("backend", ["VitisFolded", "VivadoFolded"])
def test_the_reuse_factor_of_the_model_does_not_count_beside_simd_and_pe(backend, tmp_path):
    graph = converted(plain(layers={"c": {"Simd": 4, "Pe": 2}}), tmp_path, backend)
    assert [(stage.simd, stage.pe) for stage in stages(graph)] == [(4, 2)]


def test_foldings_of_a_type_and_of_the_model_reach_the_layers_that_have_none(tmp_path):
    i = pixels(4, 4, 8)
    x = relu(conv(relu(conv(i, 8, 1, "c"), "r"), 8, 1, "d"), "r2")
    graph = Graph(
        model(i, x),
        layers={"d": {"Pe": 4}},
        model={"Multiplier": "dsp"},
        groups={"LayerType": {"Conv2D": {"Simd": 2, "Pe": 1}}},
    )
    folded = stages(converted(graph, tmp_path))
    assert [(stage.simd, stage.pe, stage.multiplier) for stage in folded] == [(2, 1, "dsp"), (2, 4, "dsp")]


def test_streams_are_the_default(tmp_path):
    from hls4ml.utils.config import create_config

    assert create_config(backend="VitisFolded")["IOType"] == "io_stream"


def stages(graph) -> list:
    """The kernels of a graph's stages."""
    return [node.stage.kernel for node in graph.get_layers() if node.class_name == "FoldedStage"]


def residual() -> tuple:
    i = pixels(4, 4)
    x = relu(conv(i, 4, 1, "c"), "r")
    return model(i, quantised(add(x, quantised(conv(x, 4, 1, "d"), "q"), "a"), "qa")), {"d": Q6, "a": Q6}


@pytest.mark.parametrize(
    ("traced", "said"),
    [
        ("c", "c: can't be traced: its kernel gives the output of r; set its Trace to False"),
        ("r", "r: can't be traced: it is part of another layer's kernel, or of none"),
        ("qa", "qa: can't be traced: it is part of another layer's kernel, or of none"),
    ],
)
def test_a_trace_of_what_the_design_does_not_have_is_refused(traced, said, tmp_path):
    network, results = residual()
    graph = converted(Graph(network, results, layers={traced: {"Trace": True}}), tmp_path)
    with pytest.raises(UserError, match=said):
        graph.trace(np.zeros((1, 4, 4, 4), np.float32))
    assert not list(tmp_path.iterdir()) and not graph.config.trace_output


def test_a_trace_of_a_layer_that_two_layers_read_is_refused(tmp_path):
    i = pixels(4, 4)
    x = quantised(conv(i, 4, 1, "c"), "q")
    network = model(i, quantised(add(x, quantised(conv(x, 4, 1, "d"), "qd"), "a"), "qa"))
    results = {name: Q6 for name in "cda"}
    graph = converted(Graph(network, results, layers={"c": {"Trace": True}}), tmp_path)
    with pytest.raises(UserError, match="c: can't be traced: 2 layers read it, each from its own stream"):
        graph.trace(np.zeros((1, 4, 4, 4), np.float32))


@pytest.mark.slow  # compiles
def test_a_trace_of_a_layer_with_a_kernel_of_its_own_has_its_values(tmp_path):
    network, results = residual()
    graph = converted(Graph(network, results, layers={"a": {"Trace": True}}).with_weights(), tmp_path)
    images = (np.random.default_rng(0).integers(0, 256, (2, 4, 4, 4)) - 128).astype(np.float32) / 128
    _, traced = graph.trace(images)
    assert set(traced) == {"a"}
    np.testing.assert_array_equal(traced["a"], network.predict(images, verbose=0))


@pytest.mark.slow  # compiles
def test_the_example_of_the_docs_converts(tmp_path, monkeypatch, repository):
    """All but its last lines, which compile it."""
    monkeypatch.chdir(tmp_path)
    page = (repository / "docs" / "dataflow" / "README.md").read_text()
    example = re.search(r"## From hls4ml\n.*?```python\n(.*?)graph\.compile\(\)", page, re.DOTALL)[1]
    names = {"network": qkeras_network()}
    exec(example, names)
    folded = {stage.name: stage.kernel for stage in plan_of(names["graph"]).stages}
    assert folded["c2"].reuse_factor == 16
    assert (folded["c4"].simd, folded["c4"].pe, folded["c4"].multiplier) == (8, 2, "dsp")
    assert (folded["d3"].simd, folded["d3"].pe, folded["d3"].line_memory) == (3, 1, "uram")
