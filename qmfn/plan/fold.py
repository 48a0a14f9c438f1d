"""From a network and its foldings to the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qmfn.devices.family import Family
from qmfn.errors import UserError
from qmfn.kernels import Folding, Kernel, kernel_of
from qmfn.network.constants import Constants
from qmfn.network.network import Network
from qmfn.plan.plan import Plan, Stage, connected


@dataclass(frozen=True)
class UnfoldedLayer:
    """A layer with its unfolded kernel, and the tensors that it reads."""

    name: str
    kernel: Kernel
    sources: tuple[str, ...]


def unfolded(network: Network) -> list[UnfoldedLayer]:
    """Every layer with the kernel that computes it, in the order of computation.

    Raises:
        UserError: a layer has no kernel, or the network has more than one input or output.
    """
    if len(network.inputs) != 1:
        raise UserError(f"the network has the inputs {', '.join(network.inputs)}; the folded backend takes one.")
    if len(network.outputs) != 1:
        raise UserError(f"the network has the outputs {', '.join(network.outputs)}; the folded backend gives one.")
    return [
        UnfoldedLayer(layer.name, kernel_of(layer, network.inputs_of(layer)), layer.sources) for layer in network.layers
    ]


def constants_of(network: Network) -> dict[str, Constants]:
    """The integers of every layer that has some."""
    found = {layer.name: layer.integers(network.inputs_of(layer)) for layer in network.layers}
    return {name: constants for name, constants in found.items() if constants is not None}


def fold(network: Network, foldings: Mapping[str, Folding], family: Family) -> Plan:
    """The plan of a network; FIFO depths are not sized yet (`qmfn.plan.fifos`).

    Args:
        foldings: by layer, for those that can be folded (`Kernel.is_foldable`); SIMD and PE must divide the work.
        family: of the device; it decides how many products share a DSP block.

    Raises:
        UserError: a layer has no kernel, or is read in a way that streams can't serve.
    """
    return fold_layers(network, unfolded(network), foldings, family)


def fold_layers(
    network: Network, layers: Sequence[UnfoldedLayer], foldings: Mapping[str, Folding], family: Family
) -> Plan:
    """The same, where the unfolded layers are known already."""
    builder = _Builder(network, layers)
    for layer in layers:
        builder.add(layer, foldings.get(layer.name), family)
    return connected(network.inputs, builder.stages, network.digest, constants_of(network))


@dataclass
class _Builder:
    """Stages so far, and for every tensor the streams that its consumers have not taken yet."""

    network: Network
    layers: Sequence[UnfoldedLayer]
    stages: list[Stage] = field(default_factory=list)

    def __post_init__(self) -> None:
        readers: dict[str, list[str]] = {}
        for layer in self.layers:
            for name in layer.sources:
                readers.setdefault(name, []).append(layer.name)
        self.readers = {layer.name: len(readers.get(layer.name, ())) for layer in self.layers}
        self.values = {name: tensor.shape.channels for name, tensor in self.network.inputs.items()}
        self.free = {name: [name] for name in self.network.inputs}
        for name, names in readers.items():
            most, takes = (1, "one reader of the input") if name in self.free else (2, "at most two readers of a layer")
            if len(names) > most:
                raise UserError(f"{name}: is read by {', '.join(names)}; the folded backend takes {takes}.")
        (output,) = self.network.outputs
        for name, count in self.readers.items():
            if bool(count) == (name == output):
                what = "the network's output, and a layer reads it" if count else "read by no layer"
                raise UserError(
                    f"{name}: is {what}; the folded backend takes networks in which the output alone is read by no "
                    "layer."
                )

    def add(self, layer: UnfoldedLayer, folding: Folding | None, family: Family) -> None:
        inputs = tuple(self.free[name].pop(0) for name in layer.sources)
        parts = layer.kernel.folded(folding, self.values[inputs[0]], family)
        for number, (suffix, kernel) in enumerate(parts, start=1):
            name = f"{layer.name}{suffix}"
            readers = self.readers[layer.name] if number == len(parts) else 1
            outputs = (f"{name}_out",) if readers <= 1 else tuple(f"{name}_out{n}" for n in range(1, readers + 1))
            self.stages.append(Stage(name, layer.name, kernel, inputs, outputs))
            self.values |= dict.fromkeys(outputs, kernel.values_written)
            inputs = outputs
        self.free[layer.name] = list(inputs)
