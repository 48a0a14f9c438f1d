"""What no fusing rule takes is refused under the layer's name; without hls4ml, on networks of a few layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qmfn.errors import UserError
from qmfn.network.constants import Activation
from qmfn.network.fixed import FixedType
from qmfn.network.fuse import fuse
from qmfn.network.layers import Add, Convolution, Prelu, Requantisation, ZeroPadding
from qmfn.network.network import Network, Padding, Shape, Tensor
from qmfn.network.unfused import check_fused
from qmfn.network.user_model import UserModel

INPUT = Tensor(Shape(6, 6, 4), FixedType(8, 1))
Q6, Q4, U4 = FixedType.requantising(6, 3), FixedType.requantising(4, 2), FixedType.requantising(4, 1, signed=False)
U8 = FixedType.requantising(8, 1, signed=False)
WIDE = FixedType(40, 20)
ONE = Padding(1, 1, 1, 1)


def conv(name: str, source: str, output: FixedType = WIDE, padding: Padding = ONE) -> Convolution:
    weights = np.round(np.random.default_rng(0).normal(0, 0.3, (3, 3, 4, 4)) * 8) / 8
    return Convolution(name, (source,), weights, np.zeros(4), output, padding=padding)


def relu(name: str, source: str, output: FixedType = U4) -> Prelu:
    return Prelu(name, (source,), Activation(np.zeros(4)), output)


def quantised(name: str, source: str, output: FixedType = Q4) -> Requantisation:
    return Requantisation(name, (source,), output)


def checked(*layers) -> Network:
    """The fused network, whose output is the last layer's."""
    network = Network({"pixels": INPUT}, layers, (layers[-1].name,))
    names = {name: name for name in ("pixels", *(layer.name for layer in layers))}
    sources = {"pixels": ()} | {layer.name: layer.sources for layer in layers}
    quantisers = {layer.name: layer.output for layer in layers if isinstance(layer, Requantisation | Prelu)}
    fused = fuse(network)
    check_fused(network, fused, names, UserModel(names, sources, quantisers, frozenset(), frozenset(), ()))
    return fused.network


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([conv("c", "pixels"), relu("r", "c"), quantised("q", "c"), Add("a", ("r", "q"), Q6)],
         "r: is the activation of c, which r, q read; .* only where r alone reads c"),
        ([conv("c", "pixels"), ZeroPadding("z", ("c",), ONE), relu("r", "z")],
         "r: follows the zero padding z; .* here c"),
        ([conv("c", "pixels"), relu("r", "c", U8), ZeroPadding("z", ("r",), ONE), quantised("q", "z")],
         "q: requantises behind the zero padding z"),
        ([conv("c", "pixels"), relu("r", "c", U8), quantised("q", "r")],
         "q: is the network's output, .* requantisation"),
        ([conv("c", "pixels"), relu("r", "c"), ZeroPadding("z", ("r",), ONE)], "z: is the network's output"),
        ([conv("c", "pixels"), relu("r", "c", U8), quantised("p", "r", Q6), quantised("q", "p"), conv("d", "q", Q6)],
         "q: requantises behind the requantisation p"),
        ([quantised("q", "pixels")], "pixels: no convolution or add follows"),
        ([conv("c", "pixels", Q6), relu("r", "c", U8)], "r: follows .*c"),
        ([conv("c", "pixels", FixedType(8, 4)), relu("r", "c")], "r: follows c, whose result type fixed<8,4> rounds"),
        ([conv("c", "pixels"), conv("d", "c", Q6)], "c: has the result type fixed<40,20>; .* must say RND_CONV,SAT"),
        ([conv("c", "pixels"), relu("r", "c"), Add("a", ("r", "r"), FixedType(5, 4)), quantised("q", "a")],
         "a: has the result type fixed<5,4>, but its sums need ufixed<5,2>"),
        ([conv("c", "pixels"), relu("r", "c", U8), Add("a", ("r", "r"), Q6), quantised("q", "a"), conv("d", "q", Q6)],
         "q: quantises to fixed<4,2,.* what hls_config has rounded to fixed<6,3,.* give a the result type fixed<4,2,"),
        ([relu("r", "pixels"), conv("c", "r", Q6)], "r: follows pixels"),
        ([conv("c", "pixels"), relu("r", "c", U8), relu("s", "r")], "s: follows r"),
    ],
)  # fmt: skip
def test_what_is_in_no_kernel_is_refused_and_named(layers, said):
    with pytest.raises(UserError, match=f"^{said}"):
        checked(*layers)


@pytest.mark.parametrize("output", [WIDE, Q6])
def test_a_relu_behind_exact_sums_or_sums_rounded_to_its_own_steps_equals_two_roundings(output):
    layers = conv("c", "pixels", output), relu("r", "c")
    (fused,) = checked(*layers).layers
    values = np.random.default_rng(1).integers(-128, 128, (2, 6, 6, 4))
    apart = Network({"pixels": INPUT}, layers, ("r",)).outputs_of({"pixels": values})["r"]
    assert np.array_equal(fused.evaluate([INPUT], values), apart)


def test_padding_behind_padding_is_the_convolutions():
    network = checked(
        conv("c", "pixels"), relu("r", "c"), ZeroPadding("y", ("r",), ONE), ZeroPadding("z", ("y",), ONE),
        dataclasses.replace(conv("d", "z", Q6), padding=Padding()),
    )  # fmt: skip
    assert network["d"].padding == ONE + ONE
