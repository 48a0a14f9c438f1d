"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573): the table, and one loop that spells it out layer by layer.

    112x112x3 -> conv1 3x3 64 /2 -> dwconv1 3x3 -> bottlenecks (t, c, n, s) = (2, 64, 5, 2) (4, 128, 1, 2)
    (2, 128, 6, 1) (4, 128, 1, 2) (2, 128, 2, 1) -> conv2 1x1 512 -> gdconv 7x7 (linear) -> embedding 1x1 128 (linear)

A bottleneck is expand 1x1 + PReLU, depthwise 3x3 + PReLU, project 1x1 (linear), and adds its input where the stride
is 1 and the channels agree. Batch norm is folded into the weights beforehand. A layer has one name everywhere, from
the design file to the C++ comment: `bottleneck3_expand`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qmfn.design import ModelConfig

INPUT = "pixels"
"""Name of the input tensor."""


@dataclass(frozen=True)
class LayerSpec:
    """One row of the network: a convolution with its bias and, where `prelu`, its activation; or a residual add.

    Sizes are pixels along one side; `source` and, at an add, `shortcut` name the layers whose outputs come in.
    """

    name: str
    kind: Literal["conv", "depthwise", "add"]
    source: str
    in_size: int
    out_size: int
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    prelu: bool = False
    shortcut: str = ""

    @property
    def terms(self) -> int:
        """Products per output value: k*k*C_in, k*k for depthwise."""
        return self.kernel**2 * (self.in_channels if self.kind == "conv" else 1)

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Keras' shape: (k, k, C_in, C_out), depthwise (k, k, C, 1)."""
        last = (self.in_channels, self.out_channels) if self.kind == "conv" else (self.in_channels, 1)
        return (self.kernel, self.kernel, *last)

    @property
    def multiplications(self) -> int:
        """Multiplications per image."""
        return self.out_size**2 * self.out_channels * self.terms if self.kind != "add" else 0


def architecture(config: ModelConfig) -> tuple[LayerSpec, ...]:
    """The network, layer by layer, in the order of computation."""
    return tuple(_layers(config))


def _layers(config: ModelConfig) -> Iterator[LayerSpec]:
    stem, head = (_scaled(n, config.width_multiplier) for n in (config.stem_channels, config.head_channels))
    size = config.input_size // 2
    yield LayerSpec("conv1", "conv", INPUT, config.input_size, size, 3, stem, 3, stride=2, padding=1, prelu=True)
    yield LayerSpec("dwconv1", "depthwise", "conv1", size, size, stem, stem, 3, padding=1, prelu=True)
    source, channels, index = "dwconv1", stem, 0
    for row in config.bottlenecks:
        out_channels = _scaled(row.channels, config.width_multiplier)
        for repeat in range(row.repeats):
            index += 1
            stride = row.stride if repeat == 0 else 1
            block = list(_bottleneck(f"bottleneck{index}", source, size, channels, row.expansion, out_channels, stride))
            yield from block
            source, size, channels = block[-1].name, block[-1].out_size, out_channels
    yield LayerSpec("conv2", "conv", source, size, size, channels, head, prelu=True)
    yield LayerSpec("gdconv", "depthwise", "conv2", size, 1, head, head, kernel=size)
    yield LayerSpec("embedding", "conv", "gdconv", 1, 1, head, config.embedding_size)


def _bottleneck(
    name: str, source: str, size: int, channels: int, expansion: int, out_channels: int, stride: int
) -> Iterator[LayerSpec]:
    wide, out = channels * expansion, size // stride
    expand, depthwise, project = f"{name}_expand", f"{name}_depthwise", f"{name}_project"
    yield LayerSpec(expand, "conv", source, size, size, channels, wide, prelu=True)
    yield LayerSpec(depthwise, "depthwise", expand, size, out, wide, wide, 3, stride=stride, padding=1, prelu=True)
    yield LayerSpec(project, "conv", depthwise, out, out, wide, out_channels)
    if stride == 1 and channels == out_channels:
        yield LayerSpec(f"{name}_add", "add", project, out, out, out_channels, out_channels, shortcut=source)


def _scaled(channels: int, width_multiplier: float) -> int:
    return max(4, round(channels * width_multiplier / 4) * 4) if width_multiplier != 1 else channels


def normalise(pixels: np.ndarray) -> np.ndarray:
    """The one rule from pixel to first tensor, shared by Keras, C-simulation, test bench and board: (p - 128) / 128.

    Args:
        pixels: uint8 (..., 3), RGB.

    Returns:
        float32 of the same shape, multiples of 1/128 in [-1, 1).
    """
    return (pixels.astype(np.float32) - 128) / 128
