"""The largest value of every channel: a layer type from outside the package."""

from dataclasses import dataclass

from qmfn.network.importing import imports
from qmfn.network.network import Layer, Shape, Tensor, register_layer


@register_layer
@dataclass(frozen=True, eq=False)
class GlobalMax(Layer):
    """Maximum over all pixels."""

    def result(self, *inputs):
        return Tensor(Shape(1, 1, inputs[0].shape.channels), inputs[0].type)

    def evaluate(self, inputs, *values):
        return values[0].max(axis=(1, 2), keepdims=True)


@imports("GlobalPooling2D")
def read_global_pooling(node, reader):
    reader.refuse_unless(node, "pool_op", ("Max",), "the pooling")
    return GlobalMax(node.name, reader.sources(node))
