"""What is known of a network before hls4ml's passes, which drop, insert and rename layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qmfn.network.fixed import FixedType


@dataclass(frozen=True)
class UserModel:
    """The network as the user wrote it.

    Attributes:
        owners: node of the graph -> layer of the user's model; hls4ml makes a node of its own of a layer's activation.
        sources: node -> the nodes that it reads.
        quantisers: node of a QKeras activation -> the type whose assignment does what the quantiser does.
        untyped: nodes whose result type is left to hls4ml (auto).
        identities: nodes that do nothing in the user's model: activations `linear` without quantiser and type.
        traced: layers whose output `graph.trace` shall record.
    """

    owners: Mapping[str, str]
    sources: Mapping[str, tuple[str, ...]]
    quantisers: Mapping[str, FixedType]
    untyped: frozenset[str]
    identities: frozenset[str]
    traced: tuple[str, ...]

    def name_of(self, node: Any) -> str:
        """The layer of the user's model that a node belongs to; one that a pass inserted belongs to what it reads."""
        if node.name in self.owners or not node.inputs:
            return self.owners.get(node.name, node.name)
        return self.name_of(node.get_input_node())

    def sources_of(self, node: str) -> tuple[str, ...]:
        """The nodes whose values a node reads."""
        sources: tuple[str, ...] = ()
        for source in self.sources[node]:
            sources += self.sources_of(source) if source in self.identities else (source,)
        return sources

    def readers_of(self, node: str) -> list[str]:
        """The nodes that read a node's values."""
        return [name for name in self.sources if name not in self.identities and node in self.sources_of(name)]
