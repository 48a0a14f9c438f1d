"""The kernel for `GlobalMax`: one maximum per channel is kept, PE channels per cycle."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from helpers.global_max.layer import GlobalMax

from qmfn.kernels import Kernel, register_kernel
from qmfn.kernels.common import COMMON_H
from qmfn.kernels.primitives import Comparators, Ram, Registers


@register_kernel
@dataclass(frozen=True, kw_only=True)
class GlobalMaxKernel(Kernel):
    kind: ClassVar[str] = "global_max"
    header: ClassVar[Path] = Path(__file__).with_name("global_max.h")
    common_headers: ClassVar[tuple[Path, ...]] = (COMMON_H,)

    @classmethod
    def of_layer(cls, layer, inputs):
        if not isinstance(layer, GlobalMax):
            return None
        (source,) = inputs
        return cls(
            source=source.shape, result=layer.result(source).shape, input_types=(source.type,), output_type=source.type
        )

    # Nothing is multiplied, so no reuse factor: the kernel is as wide as its input stream.
    @property
    def is_foldable(self):
        return False

    def folded(self, folding, values, family):
        return (("", dataclasses.replace(self, pe=values)),)

    # What the loop does: one iteration per beat of PE values; results with the last pixel.
    @property
    def channel_folds(self):
        return self.source.channels // self.pe

    @property
    def iterations(self):
        return self.source.pixels * self.channel_folds

    @property
    def values_read(self):
        return self.pe

    @property
    def values_written(self):
        return self.pe

    def reads_and_writes(self):
        writes = np.zeros((self.source.pixels, self.channel_folds), bool)
        writes[-1] = True
        return np.ones(writes.size, bool), writes.ravel()

    # What it is made of.
    @property
    def counters(self):
        return (self.channel_folds - 1,)

    def bill(self):
        yield from super().bill()
        width = self.pe * self.input_bits
        yield Comparators(width)
        yield Ram(self.channel_folds, width, "lutram") if self.channel_folds > 1 else Registers(width)

    # The constants of its C++.
    def cpp_constants(self):
        return {"pe": self.pe, "pixels": self.source.pixels, "channel_folds": self.channel_folds}
