"""Why a network can't be folded as it is: what no kernel takes in, and types that round what the user didn't ask for.

Looks at a network before and after fusing (`qmfn.network.fuse`), and says it under the names of the user's layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qmfn.errors import UserError
from qmfn.network.fixed import FixedType
from qmfn.network.fuse import Fused, is_exact
from qmfn.network.layers import Add, Prelu, Requantisation, WeightedLayer, ZeroPadding
from qmfn.network.network import Layer, Network
from qmfn.network.user_model import UserModel

DIRECTLY = "for the folded backend an activation must follow a convolution directly"

CHANGES: dict[type[Layer], str] = {Requantisation: "requantisation", ZeroPadding: "zero padding"}
"""What is put in front of a convolution, and what a sentence calls it."""


def check_fused(before: Network, fused: Fused, names: Mapping[str, str], model: UserModel) -> None:
    """Everything has become part of a kernel, and rounds as the user's network does.

    Args:
        names: layer of the network -> layer of the user's model.

    Raises:
        UserError: something has no kernel, or would be computed in another way.
    """
    check = _Check(before, fused.network, fused.absorbed, names, model)
    check.types_of_activations()
    check.nothing_is_left()
    check.roundings()
    check.results()


def result_of(layer: str, before: Network, fused: Fused) -> str:
    """The layer of the network before whose output a layer now gives: an activation may be part of the kernel."""
    order = [other.name for other in before.layers]
    return [name for name in order[order.index(layer) :] if fused.absorbed[name] == layer][-1]


@dataclass(frozen=True)
class _Check:
    before: Network
    after: Network
    absorbed: Mapping[str, str]
    names: Mapping[str, str]
    model: UserModel

    def _name(self, layer: str) -> str:
        return self.names.get(layer, layer)

    def _result_of(self, layer: Layer) -> str:
        return result_of(layer.name, self.before, Fused(self.after, self.absorbed))

    # What is left

    def nothing_is_left(self) -> None:
        left = [layer for layer in self.after.layers if isinstance(layer, Prelu | Requantisation | ZeroPadding)]
        if len(left) == len(self.after.layers):
            (name,) = self.after.inputs
            raise UserError(f"{name}: no convolution or add follows this input; the folded backend needs one.")
        for layer in left:
            if isinstance(layer, Requantisation):
                self._check_producer(layer)
            raise UserError(self._why_no_activation(layer) if isinstance(layer, Prelu) else self._why_in_front(layer))

    def _check_producer(self, layer: Requantisation) -> None:
        """Behind a layer that gives exact results, a requantisation has to be that layer's own."""
        (source,) = layer.sources
        if source not in self.after:
            return
        producer = self.after[source]
        if not isinstance(producer, WeightedLayer | Add) or producer.output.requantises:
            return
        if (shared := self._shared(layer, "requantises")) is not None:
            raise UserError(shared)
        raise UserError(
            f"{self._name(source)}: has the result type {producer.output}, but its sums need "
            f"{self._exact_type(producer)}; the folded backend rounds half to even and saturates, so the type must say "
            "RND_CONV,SAT, hold the sums or be left out."
        )

    def _shared(self, layer: Layer, what: str) -> str | None:
        """Others read what this layer should be the only reader of."""
        (source,) = self.after[layer.name].sources
        if len(self.after.consumers(source)) <= 1 and source not in self.after.outputs:
            return None
        name, producer = self._name(layer.name), self._name(source)
        readers = ", ".join(self.model.owners[other] for other in self.model.readers_of(source))
        return (
            f"{name}: {what} {producer}, which {readers} read; the folded backend takes this only where {name} alone "
            f"reads {producer}."
        )

    def _why_no_activation(self, layer: Prelu) -> str:
        name, (source,) = self._name(layer.name), self.before[layer.name].sources
        if source in self.before and (what := CHANGES.get(type(self.before[source]))) is not None:
            return self._follows_change(layer, source, what)
        convolutions = {other.name: other for other in self.after.layers if isinstance(other, WeightedLayer)}
        producer = convolutions.get(source)
        if producer is None or producer.activation is not None:
            return f"{name}: follows {self._name(source)}; {DIRECTLY}."
        if (shared := self._shared(layer, "is the activation of")) is not None:
            return shared
        between = self.model.sources_of(layer.name)[0]
        if between in self.model.quantisers:  # dropped by hls4ml, as the convolution has its type
            return f"{name}: follows the quantiser {self.model.owners[between]}; {DIRECTLY}."
        return (
            f"{name}: follows {self._name(source)}, whose result type {producer.output} rounds its sums "
            f"({self._exact_type(producer)}); {DIRECTLY}, so leave that type out (auto)."
        )

    def _follows_change(self, layer: Layer, source: str, what: str) -> str:
        if self.absorbed[source] != source:  # it is the rounding of the layer in front
            what = "quantiser"
        convolution = source
        while convolution in self.before and type(self.before[convolution]) in CHANGES:
            (convolution,) = self.before[convolution].sources
        here = f", here {self._name(convolution)}" if convolution in self.before else ""
        return f"{self._name(layer.name)}: follows the {what} {self._name(source)}; {DIRECTLY}{here}."

    def _why_in_front(self, layer: Layer) -> str:
        """Of a requantisation or zero padding that not only convolutions read."""
        name, what = self._name(layer.name), CHANGES[type(layer)]
        only = f"the folded backend takes {what} only where a convolution reads it"
        for reader in self.before.consumers(layer.name):
            its_name = self._name(reader.name)
            if isinstance(reader, Requantisation):
                return (
                    f"{its_name}: requantises behind the {what} {name}; the folded backend takes one requantisation in "
                    "front of a convolution, and padding behind it."
                )
            if isinstance(reader, Prelu):
                return self._follows_change(reader, layer.name, what)
            if isinstance(reader, Add):
                return (
                    f"{its_name}: adds the {what} {name}; for the folded backend it must add what a layer gives, "
                    "unmodified."
                )
            if isinstance(reader, ZeroPadding) and reader.name in self.after:
                return self._why_in_front(reader)
            if not isinstance(reader, WeightedLayer | ZeroPadding):
                return f"{its_name}: reads the {what} {name}; {only}."
        if layer.name in self.before.outputs:
            return f"{name}: is the network's output, but {only}."
        return f"{name}: {only}."

    # Types

    def types_of_activations(self) -> None:
        for layer in self.before.layers:
            if not isinstance(layer, Prelu | Requantisation) or layer.name in self.model.untyped:
                continue
            changes = not layer.output.holds(self.before.tensors[layer.sources[0]].type)
            if isinstance(layer, Prelu) or changes:
                self._must_requantise(layer.name, layer.output)

    def results(self) -> None:
        """Every layer's result is rounded as kernels round."""
        for layer in self.after.layers:
            if isinstance(layer, WeightedLayer | Add):
                self._must_requantise(self._result_of(layer), layer.output)

    def _must_requantise(self, layer: str, output: FixedType) -> None:
        if not output.requantises:
            raise UserError(
                f"{self._name(layer)}: has the result type {output}; the folded backend rounds half to even and "
                "saturates, so the type must say RND_CONV,SAT."
            )

    def roundings(self) -> None:
        """A type of `hls_config` that rounds a layer's result stands for all quantisers that read it."""
        for layer in self.after.layers:
            if not isinstance(layer, WeightedLayer | Add):
                continue
            node = self._result_of(layer)
            readers = self.model.readers_of(node)
            quantised = [reader for reader in readers if reader in self.model.quantisers]
            exact = node in self.model.untyped or is_exact(self.after, layer)
            if node in self.model.quantisers or exact or not quantised:
                continue
            name, own = self._name(node), layer.output
            for reader in readers:
                quantiser = self.model.quantisers.get(reader)
                if quantiser is None:
                    raise UserError(
                        f"{self.model.owners[reader]}: reads {name} as it is, but hls_config rounds it to {own} for "
                        f"{self.model.owners[quantised[0]]}; let both read the quantised values."
                    )
                if not own.covers(quantiser):
                    raise UserError(
                        f"{self.model.owners[reader]}: quantises to {quantiser} what hls_config has rounded to {own} "
                        f"before; give {name} the result type {quantiser}."
                    )

    def _exact_type(self, layer: Layer) -> FixedType | None:
        return layer.exact_type(self.after.inputs_of(layer))
