"""The layer types: a module each, with what a layer computes, its NumPy reference, and how it is read from hls4ml."""

from qmfn.network.layers.add import Add
from qmfn.network.layers.convolution import Convolution, DepthwiseConvolution, WeightedLayer
from qmfn.network.layers.prelu import Prelu
from qmfn.network.layers.requantisation import Requantisation
from qmfn.network.layers.zero_padding import ZeroPadding

__all__ = [
    "Add",
    "Convolution",
    "DepthwiseConvolution",
    "Prelu",
    "Requantisation",
    "WeightedLayer",
    "ZeroPadding",
]
