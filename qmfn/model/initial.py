"""Checkpoints without training: calibrated from float weights, or random for tests and first steps."""

from __future__ import annotations

import numpy as np

from qmfn.design import DesignConfig
from qmfn.model.calibration import calibrate, observe_activations
from qmfn.model.equalisation import equalise
from qmfn.model.offsets import for_rounded_weights, with_offsets
from qmfn.network.checkpoint import Checkpoint, check_matches, load_checkpoint, quantise
from qmfn.network.formats import LayerWidths, widths_by_layer
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import Parameters, random_parameters

RANDOM_IMAGES = 8
"""Noise images that the exponents of a random network are chosen on."""


def design_widths(config: DesignConfig) -> dict[str, LayerWidths]:
    """Bits of every layer of the design.

    Raises:
        UserError: an override can't be honoured.
    """
    return widths_by_layer(config.quantisation, architecture(config.model), f"{config.file}: quantisation")


def design_checkpoint(config: DesignConfig) -> Checkpoint:
    """The checkpoint that the design names, or a random one if it names none.

    Raises:
        UserError: the file is missing, damaged, or holds another network or other widths.
    """
    if config.checkpoint is None:
        return random_checkpoint(config, seed=0)
    path = config.resolve(config.checkpoint)
    checkpoint = load_checkpoint(path)
    check_matches(checkpoint, path, config.model, design_widths(config), config.file)
    return checkpoint


def random_checkpoint(config: DesignConfig, seed: int) -> Checkpoint:
    """A network with random weights, its exponents calibrated on noise."""
    layers = architecture(config.model)
    size = config.model.input_size
    noise = np.random.default_rng(seed).integers(0, 256, (RANDOM_IMAGES, size, size, 3), dtype=np.uint8)
    return calibrated_start(config, random_parameters(layers, seed), normalise(noise), {"weights": "random"})[1]


def calibrated_start(
    config: DesignConfig, parameters: Parameters, images: np.ndarray, origin: dict
) -> tuple[Parameters, Checkpoint]:
    """Where training starts: float weights, equalised and with offsets, and the checkpoint they round to.

    Args:
        parameters: the float network.
        images: (N, size, size, 3) from `normalise`; equalisation and exponents are chosen on them.
        origin: goes into the checkpoint.

    Returns:
        Parameters of the same function as the float network's, and the checkpoint.
    """
    from qmfn.model.builder import float_network  # TensorFlow, which reading a checkpoint can do without

    layers = architecture(config.model)
    widths = design_widths(config)
    activations = observe_activations(float_network(layers, parameters), layers, images)
    parameters, activations = equalise(layers, parameters, widths, activations)
    parameters, activations, chosen = with_offsets(layers, parameters, widths, activations)
    start = for_rounded_weights(layers, parameters, widths)
    exponents = calibrate(layers, start, widths, activations, chosen)
    return parameters, quantise(config.model, start, widths, exponents, origin)
