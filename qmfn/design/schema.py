"""The schema of a design file: every key with its unit, default and effect.

Only shapes and ranges live here. What needs the network (does this layer exist, does this reuse factor divide its
work) is checked where the network is known: `settings_by_layer` and `qmfn.stock.reuse`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from qmfn.devices import Target

Bits = Annotated[int, Field(ge=2, le=8)]
"""Width of an activation, PReLU slope or offset: 2 to 8 bits, signed."""

WeightBits = Annotated[int, Field(ge=1, le=8)]
"""Width of a weight: 2 to 8 bits, signed; one bit with the mid-rise quantiser."""

WeightQuantiser = Literal["mid-tread", "mid-rise"]
"""Mid-tread: integers, zero among them. Mid-rise: odd integers, symmetric, no zero."""

WideBits = Annotated[int, Field(ge=2, le=24)]
"""Width of a bias: 2 to 24 bits, signed."""

PRECISION = re.compile(r"^(ap_)?fixed<\s*(\d+)\s*,\s*(-?\d+)\s*>$")


WIDEST = 128
"""Bits of the widest type that a design may ask for."""


class Strict(BaseModel):
    """Unknown keys are errors; values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Bottleneck(Strict):
    """One row of the network table: `repeats` bottlenecks, of which the first has the stride."""

    expansion: PositiveInt = Field(description="expanded channels / input channels (t)")
    channels: PositiveInt = Field(description="output channels (c), before the width multiplier")
    repeats: PositiveInt = Field(description="how many bottlenecks (n)")
    stride: Literal[1, 2] = Field(description="stride of the first one (s)")


PAPER_BOTTLENECKS = (
    Bottleneck(expansion=2, channels=64, repeats=5, stride=2),
    Bottleneck(expansion=4, channels=128, repeats=1, stride=2),
    Bottleneck(expansion=2, channels=128, repeats=6, stride=1),
    Bottleneck(expansion=4, channels=128, repeats=1, stride=2),
    Bottleneck(expansion=2, channels=128, repeats=2, stride=1),
)
"""Table 1 of Chen et al. 2018, arXiv 1804.07573."""


class ModelConfig(Strict):
    """The network. The defaults are MobileFaceNet as published."""

    input_size: Annotated[int, Field(ge=8, le=224)] = Field(
        112, description="pixels, height and width of the aligned face"
    )
    width_multiplier: Annotated[float, Field(gt=0, le=2)] = Field(
        1.0, description="factor on every channel count (rounded to a multiple of 4) except the embedding"
    )
    stem_channels: PositiveInt = Field(64, description="channels of conv1 and dwconv1")
    bottlenecks: tuple[Bottleneck, ...] = Field(
        PAPER_BOTTLENECKS, min_length=1, description="the bottleneck rows (t, c, n, s)", strict=False
    )
    head_channels: PositiveInt = Field(512, description="channels of conv2 and of the global depthwise convolution")
    embedding_size: PositiveInt = Field(128, description="length of the embedding")

    @model_validator(mode="after")
    def _the_strides_leave_a_pixel(self) -> ModelConfig:
        stride = 2
        for row in self.bottlenecks:
            stride *= row.stride
        if self.input_size % stride:
            raise ValueError(f"input_size must be a multiple of {stride}, the product of the strides")
        return self


class LayerBits(Strict):
    """Bits of one layer or of every layer that a pattern matches; what is left out keeps the design's value."""

    weight_bits: WeightBits | None = Field(None, description="bits per weight, signed")
    weight_quantiser: WeightQuantiser | None = Field(None, description="levels of the weights")
    activation_bits: Bits | None = Field(None, description="bits per value of the layer's output, signed")
    bias_bits: WideBits | None = Field(None, description="bits per bias, signed")
    slope_bits: Bits | None = Field(None, description="bits per PReLU slope, signed")
    input_bits: Bits | None = Field(
        None,
        description="bits per value that the layer multiplies, signed, no more than arrive; left out: as it arrives",
    )
    offset_bits: Bits | None = Field(
        None,
        description="bits per offset of a channel behind the PReLU, signed, in steps of the output; the layer needs a "
        "PReLU, and readers that are convolutions without padding",
    )


class QuantisationConfig(Strict):
    """Dynamic fixed point: bits here; the power-of-two exponents come from the checkpoint.

    Weights have one exponent per output channel, every other tensor one for the whole tensor.
    """

    weight_bits: WeightBits = Field(8, description="bits per weight; one bit needs the mid-rise quantiser")
    weight_quantiser: WeightQuantiser = Field(
        "mid-tread",
        description="levels of the weights: integers (mid-tread), or odd integers, better for few bits (mid-rise)",
    )
    activation_bits: Bits = Field(8, description="bits per activation")
    bias_bits: WideBits = Field(16, description="bits per bias")
    slope_bits: Bits = Field(8, description="bits per PReLU slope")
    offset_bits: Bits | None = Field(
        None, description="bits per offset behind a PReLU, in the layers that can have one; null: no offsets"
    )
    layers: dict[str, LayerBits] = Field(
        {}, description="overrides by layer name or shell pattern (bottleneck*_depthwise); a later entry wins"
    )


class HlsLayerConfig(Strict):
    """HLS settings of one layer or of every layer that a pattern matches."""

    reuse_factor: PositiveInt | None = Field(
        None, description="multiplications per output pixel / multipliers; must divide the layer's work"
    )
    simd: PositiveInt | None = Field(
        None, description="folded: terms of a sum per cycle (matrix-vector unit), taps per cycle (depthwise)"
    )
    pe: PositiveInt | None = Field(None, description="folded: outputs per cycle; reuse factor = work / (simd * pe)")
    multiplier: Literal["fabric", "dsp"] | None = Field(
        None, description="folded: multipliers in LUTs, or in DSPs, where low-bit products share one"
    )
    weights_memory: Literal["auto", "bram", "lutram"] | None = Field(
        None, description="folded: where weights are kept; UltraRAM has no initial content, so it can't"
    )
    line_memory: Literal["auto", "bram", "uram", "lutram"] | None = Field(
        None, description="folded: where a sliding window keeps its rows"
    )
    strategy: Literal["Resource", "Latency"] | None = Field(None, description="stock: hls4ml strategy of the layer")
    precision: dict[Literal["weight", "bias", "slope", "accum", "result"], str] = Field(
        {}, description="stock: ap_fixed types `fixed<W,I>`, at least as wide as what exactness needs"
    )

    @field_validator("precision")
    @classmethod
    def _is_a_fixed_point_type(cls, precision: dict[str, str]) -> dict[str, str]:
        for name, text in precision.items():
            match = PRECISION.match(text)
            if match is None or not 1 <= int(match[2]) <= WIDEST:
                raise ValueError(f"{name} must read fixed<W,I> (1 to {WIDEST} bits in total, I of them integer)")
        return precision


class HlsConfig(Strict):
    """What hls4ml is asked to generate."""

    backend: Literal["Vitis", "Vivado"] = Field("Vitis", description="Vitis HLS or Vivado HLS")
    dataflow: Literal["stock", "folded"] = Field(
        "folded",
        description="folded: a few channels per beat through kernels at II = 1 (`VitisFolded`), fits a board; "
        "stock: hls4ml's own layers, whole pixels per beat",
    )
    part: str = Field("xczu7ev-ffvc1156-2-e", min_length=1, description="FPGA part; the default is that of a ZCU104")
    clock_period_ns: Annotated[float, Field(gt=0.5, le=100)] = Field(
        5.0, description="target clock period in nanoseconds"
    )
    strategy: Literal["Resource", "Latency"] = Field("Resource", description="stock: hls4ml strategy of every layer")
    reuse_factor: PositiveInt | Literal["auto"] = Field(
        64,
        description="reuse factor of every layer that sets none of its own; auto: the folding search chooses simd, pe "
        "and memories of all layers, for target_fps or to fill the budget (`qmfn fold` writes them down)",
    )
    target_fps: Annotated[float, Field(gt=0)] | None = Field(
        None, description="reuse_factor auto: frames per second to reach; null: as many as fit the budget"
    )
    budget: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="reuse_factor auto: share of every resource to use at most, at the high end of the estimate"
    )
    layers: dict[str, HlsLayerConfig] = Field(
        {}, description="overrides by layer name or shell pattern; a later entry wins"
    )

    @property
    def target(self) -> Target:
        """Part, tool and clock."""
        return Target(self.part, self.backend, self.clock_period_ns)

    @model_validator(mode="after")
    def _auto_is_for_folded_designs(self) -> HlsConfig:
        if self.reuse_factor == "auto" and self.dataflow != "folded":
            raise ValueError("reuse_factor = auto needs dataflow = folded")
        if self.reuse_factor == "auto" and self.layers:
            raise ValueError("reuse_factor = auto chooses every layer, so layers must be empty")
        if self.reuse_factor != "auto" and self.target_fps is not None:
            raise ValueError("target_fps needs reuse_factor = auto")
        return self


class CsimConfig(Strict):
    """How the C-simulation is compiled."""

    types: Literal["fast", "reference"] = Field(
        "fast", description="fast: ac_types, the same numbers far sooner; reference: the vendor's ap_types"
    )


class ComparisonConfig(Strict):
    """Which faces the C-simulation and Python are compared on."""

    faces: str | None = Field(
        None, description="image, folder or tar of photos; null: faces that installed packages carry"
    )
    images: Annotated[int, Field(ge=1, le=10000)] = Field(8, description="number of faces")


class TrainingConfig(Strict):
    """Quantisation-aware distillation from the float network. Files are relative to the shared data folder."""

    float_weights: str = Field(
        "weights/mobilefacenet_y1_folded.npz", description="float weights: start of the student, and the teacher"
    )
    faces: tuple[str, ...] = Field(
        ("faces/celeba_112.tar", "faces/utkface_112.tar"),
        min_length=1,
        strict=False,
        description="folders or tars of aligned faces; labels are not used",
    )
    held_out_identities: Annotated[int, Field(ge=2)] = Field(
        40, description="people of the first faces entry that are kept out of training for the verification score"
    )
    calibration_images: PositiveInt = Field(64, description="training faces that the exponents are chosen on")
    fitting_images: Annotated[int, Field(ge=0)] = Field(
        512, description="training faces that weights are fitted on layer by layer; 0: they are just rounded"
    )
    steps: Annotated[int, Field(ge=0)] = Field(
        500, description="optimiser steps; 0: rounded float weights, no training"
    )
    batch_size: PositiveInt = Field(32, description="faces per step")
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.01,
        description="peak of the schedule (Adam; linear warm-up over 5 % of the steps, then a squared cosine to zero), "
        "in quantisation steps",
    )
    feature_weight: Annotated[float, Field(ge=0, le=100)] = Field(
        1.0, description="weight of the residual stream's relative squared error beside the embedding's cosine distance"
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="seed of order and augmentation")


class DesignConfig(Strict):
    """One design: network, bits, checkpoint, training, HLS settings, comparison."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")] = Field(
        description="name of the design and of its folder under hls_project/"
    )
    model: ModelConfig = ModelConfig()
    quantisation: QuantisationConfig = QuantisationConfig()
    checkpoint: str | None = Field(
        None, description="checkpoint file, relative to the design file; null: random weights"
    )
    training: TrainingConfig = TrainingConfig()
    hls: HlsConfig = HlsConfig()
    csim: CsimConfig = CsimConfig()
    comparison: ComparisonConfig = ComparisonConfig()

    _file: Path = Path("config")

    @property
    def file(self) -> Path:
        """The file this design was read from: error messages name it, relative paths start at its folder."""
        return self._file

    def with_hls(self, **changes: object) -> DesignConfig:
        """The same design with other HLS settings."""
        changed = self.model_copy(update={"hls": self.hls.model_copy(update=changes)})
        changed._file = self._file
        return changed

    def resolve(self, relative: str) -> Path:
        """Path of a file that the design names, relative to the design file."""
        return (self._file.parent / relative).resolve()
