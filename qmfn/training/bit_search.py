"""Which tensor gets how many bits: the least sensitive assignment within a footprint.

Sensitivities of single tensors are taken to add up, so the choice is a small integer linear programme: one width per
tensor, the sum of sensitivities smallest, subject to

- weights: sum of bits <= limit * 32 bits * number of weights,
- activations: bits averaged over the multiplications that read them <= limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import Bounds, LinearConstraint, milp

from qmfn.design import DesignConfig
from qmfn.errors import UserError
from qmfn.files import file_aside
from qmfn.model.builder import float_network
from qmfn.model.calibration import observe_activations
from qmfn.model.equalisation import equalise
from qmfn.model.initial import design_widths
from qmfn.network.footprint import FLOAT_BITS
from qmfn.network.mobilefacenet import LayerSpec, architecture, normalise
from qmfn.network.parameters import import_float_weights
from qmfn.shared import shared_file
from qmfn.training.data import load_training_faces
from qmfn.training.sensitivity import KINDS, Kind, Sensitivity, measure


@dataclass(frozen=True)
class BitSearch:
    """What was measured and what follows from it; `activation_bits` is None where they were not asked for."""

    sensitivities: tuple[Sensitivity, ...]
    weight_bits: Mapping[str, int]
    activation_bits: Mapping[str, int] | None

    def as_dict(self) -> dict:
        return asdict(self)

    def as_yaml(self) -> str:
        """The `quantisation` group of a design file: the most frequent widths, and the layers that differ."""
        columns = {"weight_bits": self.weight_bits, "activation_bits": self.activation_bits or {}}
        common = {key: Counter(bits.values()).most_common(1)[0][0] for key, bits in columns.items() if bits}
        layers: dict[str, dict[str, int]] = {}
        for key, bits in columns.items():
            for layer, width in bits.items():
                if width != common[key]:
                    layers.setdefault(layer, {})[key] = width
        lines = ["quantisation:"] + [f"  {key}: {width}" for key, width in common.items()] + ["  layers:"]
        for layer, widths in layers.items():
            lines.append(f"    {layer}: {yaml.safe_dump(widths, default_flow_style=True, sort_keys=False).strip()}")
        return "\n".join(lines) + "\n"

    def draw(self, path: Path) -> None:
        """Sensitivity of every layer against bits, weights and activations side by side.

        Raises:
            UserError: the file can't be written.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 12), layout="constrained")
        for axes, kind in zip(figure.subplots(1, 2), KINDS, strict=True):
            table = _by_layer(self.sensitivities, kind)
            widths = sorted({bits for distances in table.values() for bits in distances})
            values = np.array([[distances[bits] for bits in widths] for distances in table.values()])
            image = axes.imshow(np.log10(np.maximum(values, 1e-6)), aspect="auto", cmap="viridis", vmin=-5, vmax=0)
            axes.set_xticks(range(len(widths)), [str(bits) for bits in widths])
            axes.set_yticks(range(len(table)), list(table), fontsize=7)
            axes.set(xlabel="bits", title=f"{kind}s")
        figure.colorbar(image, ax=figure.axes, label="log10 of mean 1 - cosine to the float embedding", shrink=0.4)
        try:
            with file_aside(path) as aside:
                figure.savefig(aside, dpi=90, format="png")
        except OSError as error:
            raise UserError(f"{path}: can't be written ({error.strerror}).") from None


def search(
    config: DesignConfig, images: int, widths: Sequence[int], share: float, activation_bits: float | None
) -> BitSearch:
    """Measure on training faces, then assign.

    Args:
        config: the design; network, float weights and faces are taken from it.
        images: training faces to measure on.
        widths: bits to try.
        share: of the float32 weights, at most.
        activation_bits: mean bits of a multiplication's activation, at most; None leaves activations alone.

    Raises:
        UserError: data are missing, or the limits can't be met.
    """
    layers = architecture(config.model)
    faces = load_training_faces(config.training, config.model.input_size, f"{config.file}: training").train
    chosen = normalise(faces[np.linspace(0, len(faces) - 1, min(images, len(faces)), dtype=int)])
    parameters = import_float_weights(shared_file(config.training.float_weights), layers)
    activations = observe_activations(float_network(layers, parameters), layers, chosen)
    asked = design_widths(config)
    parameters, activations = equalise(layers, parameters, asked, activations)
    found = measure(layers, parameters, activations, chosen, widths, asked)
    return BitSearch(
        tuple(found),
        assign_weight_bits(layers, found, share),
        None if activation_bits is None else assign_activation_bits(layers, found, activation_bits),
    )


def assign_weight_bits(
    layers: Sequence[LayerSpec], sensitivities: Sequence[Sensitivity], share: float
) -> dict[str, int]:
    """Bits per weight of every convolution, all weights together at most `share` of their float32 size.

    Raises:
        UserError: even the fewest bits take more.
    """
    counts = {layer.name: int(np.prod(layer.kernel_shape)) for layer in layers if layer.kind != "add"}
    budget = share * FLOAT_BITS * sum(counts.values())
    found = _assign(_by_layer(sensitivities, "weight"), counts, budget)
    if found is None:
        raise UserError(f"no assignment of the measured weight bits stays within {share:.2%} of the float weights.")
    return found


def assign_activation_bits(
    layers: Sequence[LayerSpec], sensitivities: Sequence[Sensitivity], mean_bits: float
) -> dict[str, int]:
    """Bits of every layer's output, averaged over the multiplications that read it at most `mean_bits`.

    Raises:
        UserError: even the fewest bits are more.
    """
    counts = {layer.name: 0 for layer in layers}
    for reader in layers:
        if reader.source in counts:
            counts[reader.source] += reader.multiplications
    found = _assign(_by_layer(sensitivities, "activation"), counts, mean_bits * sum(counts.values()))
    if found is None:
        raise UserError(f"no assignment of the measured activation bits has a mean of {mean_bits} bits or less.")
    return found


def _by_layer(sensitivities: Sequence[Sensitivity], kind: Kind) -> dict[str, dict[int, float]]:
    """layer -> bits -> distance, never rising with the bits: measured noise must not make fewer bits look better."""
    found: dict[str, dict[int, float]] = {}
    for item in sorted(sensitivities, key=lambda item: item.bits):
        if item.kind == kind:
            widths = found.setdefault(item.layer, {})
            widths[item.bits] = min([item.distance, *widths.values()])
    return found


def _assign(distances: Mapping[str, Mapping[int, float]], counts: Mapping[str, int], budget: float) -> dict | None:
    choices = [(layer, bits) for layer, widths in distances.items() for bits in widths]
    cost = np.array([distances[layer][bits] for layer, bits in choices])
    one_width = np.array([[layer == name for layer, _ in choices] for name in distances], float)
    size = np.array([counts[layer] * bits for layer, bits in choices], float)
    limits = [LinearConstraint(one_width, 1, 1), LinearConstraint(size[None], -np.inf, budget)]
    solution = milp(cost, constraints=limits, integrality=np.ones(len(choices)), bounds=Bounds(0, 1))
    if not solution.success:
        return None
    return {layer: bits for (layer, bits), taken in zip(choices, solution.x, strict=True) if taken > 0.5}
