"""What kernels are made of: the entries of a bill, before any FPGA family has put a price on them.

A kernel lists primitives with their widths and counts, never LUTs; `qmfn.resources` prices them for a family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Storage = Literal["auto", "bram", "uram", "lutram"]
"""Where a memory goes; auto: the tool, or the folding search, decides."""

Multipliers = Literal["fabric", "dsp"]


@dataclass(frozen=True)
class Control:
    """States, handshake and pipeline enables of one loop."""


@dataclass(frozen=True)
class Counter:
    """Counts up to `largest` and starts again."""

    largest: int


@dataclass(frozen=True)
class Registers:
    """Flip-flops."""

    bits: int


@dataclass(frozen=True)
class Comparators:
    """Comparisons of `bits` bits in all with constants."""

    bits: int


@dataclass(frozen=True)
class Multiplexer:
    """One of `inputs` words of `bits` bits."""

    inputs: int
    bits: int


@dataclass(frozen=True)
class Adders:
    """`count` adders of `bits` bits; `registered` of their outputs, as a share, have a register."""

    bits: int
    count: int = 1
    registered: float = 0


@dataclass(frozen=True)
class AdderTrees:
    """`count` sums of `terms` values of `bits` bits; `registered`: share of the levels that have a register."""

    terms: int
    bits: int
    count: int = 1
    registered: float = 0


@dataclass(frozen=True)
class Products:
    """`count` products of signed factors, each in LUTs or in a DSP block; `registered`: their results are."""

    a_bits: int
    b_bits: int
    count: int
    where: Multipliers
    registered: bool = False


@dataclass(frozen=True)
class WideProducts:
    """`count` products that nothing binds: the tool puts them into DSP blocks from some width on."""

    a_bits: int
    b_bits: int
    count: int


@dataclass(frozen=True)
class Shifters:
    """`count` barrel shifters of `bits` bits by an amount of `amount_bits` bits."""

    bits: int
    amount_bits: int
    count: int


@dataclass(frozen=True)
class Requantisers:
    """`count` times rounding half to even from `bits` to `to_bits` bits, and saturating; none where it widens."""

    bits: int
    to_bits: int
    count: int


@dataclass(frozen=True)
class Rom:
    """A read-only memory; one word is a constant."""

    depth: int
    width: int
    storage: Storage


@dataclass(frozen=True)
class Ram:
    """A memory that is read and written in the same cycle, with an output register."""

    depth: int
    width: int
    storage: Storage


@dataclass(frozen=True)
class Fifo:
    """`depth` beats of `width` bits between two stages."""

    depth: int
    width: int


Primitive = (
    Control | Counter | Registers | Comparators | Multiplexer | Adders | AdderTrees | Products | WideProducts | Shifters
    | Requantisers | Rom | Ram | Fifo
)  # fmt: skip
