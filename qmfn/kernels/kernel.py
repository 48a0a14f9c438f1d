"""What a kernel is: one loop, pipelined at an initiation interval of one cycle, that computes (part of) a layer.

A kernel class says all that is true of its hardware: which layers it computes, the foldings that it can have,
iterations per frame, reads and writes of every iteration, memories, the constants of its generated C++, and a bill of
primitives. Everybody else asks it. Its C++ lies in the same folder. Kernels are registered (`register_kernel`), also
from outside this package.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from qmfn.devices.family import Family
from qmfn.errors import UserError
from qmfn.kernels.primitives import Control, Counter, Multipliers, Primitive, Storage
from qmfn.network.constants import Constants
from qmfn.network.fixed import FixedType
from qmfn.network.network import Layer, Shape, Tensor


@dataclass(frozen=True)
class Folding:
    """How one layer is folded, and where its memories and multipliers go.

    Attributes:
        simd: terms of a sum per cycle.
        pe: outputs (or channels) per cycle.
    """

    simd: int = 1
    pe: int = 1
    weights_memory: Storage = "auto"
    line_memory: Storage = "auto"
    multiplier: Multipliers = "fabric"


@dataclass(frozen=True)
class Table:
    """A read-only memory: integers of `bits` bits, one row per word."""

    name: str
    bits: int
    rows: np.ndarray
    signed: bool = True

    @property
    def type(self) -> str:
        """Name of the element's type in the kernel's C++ configuration."""
        return "weight_rom_t" if self.name == "weights" else f"{self.name}_rom_t"


@dataclass(frozen=True)
class Array:
    """A memory that is declared in the stage's C++ function, one word per row; of type `scope<CONFIG>::name_t`."""

    name: str
    kind: Literal["rom_1p", "ram_s2p"]
    storage: Storage
    scope: str = ""


@dataclass(frozen=True)
class Kernel(ABC):
    """One kernel with its folding; unfolded (SIMD = PE = 1) it stands for a layer that is not folded yet.

    Attributes:
        source: what comes in per frame, from each input.
        result: what goes out per frame.
        input_types: of the values in each input stream.
        output_type: of the values in the output streams.
    """

    source: Shape
    result: Shape
    input_types: tuple[FixedType, ...]
    output_type: FixedType
    simd: int = 1
    pe: int = 1

    kind: ClassVar[str]
    """Name of the kernel: its folder, its C++ function, its row in reports."""

    header: ClassVar[Path]
    """C++ of the kernel."""

    common_headers: ClassVar[tuple[Path, ...]] = ()
    """Headers that it includes."""

    has_copy: ClassVar[bool] = True
    """Its C++ can write a second output stream, for a tensor with two consumers."""

    # --- from a layer to kernels --------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def of_layer(cls, layer: Layer, inputs: Sequence[Tensor]) -> Kernel | None:
        """The unfolded kernel for a layer, or None if it computes no such layer.

        Raises:
            UserError: it computes such layers, but not this one.
        """

    @property
    def simd_choices(self) -> list[int]:
        """SIMD that the layer can have, ascending."""
        return [1]

    @property
    def pe_choices(self) -> list[int]:
        """PE that the layer can have, ascending."""
        return [1]

    def preference(self, simd: int, pe: int) -> Any:
        """Of foldings with equally many multipliers the one with the smallest value is meant by a reuse factor."""
        return -simd

    @property
    def is_foldable(self) -> bool:
        """Whether a folding is chosen for it; else it is as wide as its first input stream."""
        return True

    @property
    def has_lines(self) -> bool:
        """Whether `Folding.line_memory` means something."""
        return False

    @abstractmethod
    def folded(self, folding: Folding | None, values: int, family: Family) -> tuple[tuple[str, Kernel], ...]:
        """The kernels that compute the layer with a folding, each behind what is added to the layer's name for it.

        Args:
            folding: None where nothing can be chosen (`is_foldable`).
            values: per beat of the first input stream, as its producer gives them.
            family: decides how many products share a DSP block.
        """

    # --- work ---------------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def values_read(self) -> int:
        """Values that it takes from each input at a time."""

    @property
    @abstractmethod
    def values_written(self) -> int:
        """Values that it gives at a time."""

    @property
    @abstractmethod
    def iterations(self) -> int:
        """Iterations of the loop per frame: at an initiation interval of 1 its cycles."""

    @abstractmethod
    def reads_and_writes(self) -> tuple[np.ndarray, np.ndarray]:
        """Per iteration of a frame, whether values are read from every input, and written to every output."""

    @property
    def products(self) -> int:
        """Multiplications by weights per output pixel (per input pixel where every one is multiplied as it comes)."""
        return 0

    @property
    def multipliers(self) -> int:
        """Multipliers at work."""
        return 0

    @property
    def reuse_factor(self) -> int:
        """Multiplications per pixel / multipliers; 0 without multipliers."""
        return self.products // self.multipliers if self.multipliers else 0

    @property
    def lookahead(self) -> int:
        """Pixels that it has read when it gives its first one."""
        return 0

    @property
    def burst_share(self) -> float:
        """Share of a frame that neighbours have to buffer or catch up with, as it pauses reading or writing."""
        return 0.0

    # --- hardware -----------------------------------------------------------------------------------------------------

    def bill(self) -> Iterator[Primitive]:
        """All primitives but those at the ends of streams."""
        yield Control()
        for largest in (self.iterations, *self.counters):
            yield Counter(largest)

    @property
    def counters(self) -> tuple[int, ...]:
        """Largest value of each counter beside the loop's own."""
        return ()

    @property
    def input_bits(self) -> int:
        """Bits of a value that it works on."""
        return self.input_types[0].signed_bits

    @property
    def sum_bits(self) -> int:
        """Bits of an accumulator; 0 without one."""
        return 0

    @property
    def multiplier(self) -> Multipliers:
        """Where its products by weights are made."""
        return "fabric"

    # --- C++ ----------------------------------------------------------------------------------------------------------

    @property
    def summary(self) -> str:
        """Sizes, folding and cycles in a line."""
        reuse = f", reuse factor {self.reuse_factor}" if self.multipliers else ""
        return (
            f"{self.kind}, {self.source} -> {self.result}, SIMD {self.simd}, PE {self.pe}{reuse}, "
            f"{self.iterations} cycles per frame"
        )

    @abstractmethod
    def cpp_constants(self) -> dict[str, int | bool]:
        """Constants of its C++ configuration, in their order."""

    def cpp_types(self) -> dict[str, str]:
        """Types of its C++ configuration, in their order."""
        return {}

    def tables(self, constants: Constants | None) -> tuple[Table, ...]:
        """Its read-only memories, in the order in which the loop reads them."""
        return ()

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Its memories that are read and written, as its C++ takes them."""
        return ()

    @property
    def table_storage(self) -> Mapping[str, Storage]:
        """Where each table goes; what is not named goes into LUTs."""
        return {}

    @property
    def table_note(self) -> str:
        """How the integers in the tables are coded."""
        return ""


KERNELS: dict[str, type[Kernel]] = {}
"""Registered kernels by their kind."""

KernelClass = TypeVar("KernelClass", bound=type[Kernel])


def register_kernel(kernel: KernelClass) -> KernelClass:
    """Class decorator: folded designs may use the kernel. One that is registered later is asked first for a layer."""
    KERNELS[kernel.kind] = kernel
    return kernel


def kernel_of(layer: Layer, inputs: Sequence[Tensor]) -> Kernel:
    """The unfolded kernel for a layer.

    Raises:
        UserError: there is none.
    """
    for kernel in reversed(KERNELS.values()):
        found = kernel.of_layer(layer, inputs)
        if found is not None:
            return found
    raise UserError(f"{layer.name}: the folded backend has no kernel for a {type(layer).__name__} of its own.")


@cache
def divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
