"""What a design is generated for: a part, a tool, a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qmfn.devices.family import Family
from qmfn.devices.table import Device, family_of, find_device

Tool = Literal["Vitis", "Vivado"]


@dataclass(frozen=True)
class Target:
    """A part as the tools spell it, the tool that generates for it, and the clock in nanoseconds."""

    part: str
    tool: Tool
    clock_period_ns: float

    @property
    def device(self) -> Device:
        """The part's row of the device table.

        Raises:
            UserError: it has none.
        """
        return find_device(self.part)

    @property
    def family(self) -> Family:
        """The blocks of the part.

        Raises:
            UserError: neither the device table nor the part's name tells.
        """
        return family_of(self.part)

    @property
    def clock_mhz(self) -> float:
        return 1000 / self.clock_period_ns
