"""FPGA families: the blocks that their devices have, by the names of their data sheets.

What primitives cost in a family's blocks is the matter of `qmfn.resources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Blocks that all devices of a family share.

    Attributes:
        dsp_ports: bits of the two multiplier inputs of a DSP block, signed, the wide one first.
        block_names: our key of a resource -> its name in this family.
    """

    name: str
    dsp_ports: tuple[int, int]
    block_names: Mapping[str, str]


ULTRASCALE_PLUS = Family(
    "UltraScale+",
    dsp_ports=(27, 18),  # DSP48E2, UG579
    block_names={"lut": "LUT", "ff": "FF", "dsp": "DSP48E2", "bram_18k": "RAMB18E2", "uram": "URAM288"},
)
ULTRASCALE = Family(
    "UltraScale",
    dsp_ports=(27, 18),  # DSP48E2, UG579
    block_names={"lut": "LUT", "ff": "FF", "dsp": "DSP48E2", "bram_18k": "RAMB18E2"},
)
SEVEN_SERIES = Family(
    "7 series",
    dsp_ports=(25, 18),  # DSP48E1, UG479
    block_names={"lut": "LUT", "ff": "FF", "dsp": "DSP48E1", "bram_18k": "RAMB18E1"},
)

PART_NAMES: Mapping[str, Family] = {
    r"x[ac]7": SEVEN_SERIES,
    r"x[acq]zu|xck\d|xcu\d|x[aq]?c?au|x[acq][kv]u\d+p": ULTRASCALE_PLUS,
    r"xc[kv]u\d": ULTRASCALE,
}
"""How the name of a part begins -> its family; the first that matches."""

FAMILY_NAMES = tuple(dict.fromkeys(family.name for family in PART_NAMES.values()))
