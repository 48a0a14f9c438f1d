"""What an FPGA has to give: the device table and the look-up from a full part number.

Takes a part as hls4ml and the vendor tools spell it, with or without package and speed grade; gives a
`Device`. The numbers in `devices.csv` are those of the AMD data sheet in its column `source`; a block RAM of
36 Kbit counts as two BRAM_18K. `checked` says what else states the same five counts: the line "Available" of a
C-synthesis report for the part, or nothing. `clock_mhz` alone is no data sheet value: it is a clock that HLS designs
usually close timing at.
"""

from __future__ import annotations

import csv
import difflib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from qmfn.devices.family import FAMILY_NAMES, PART_NAMES, Family
from qmfn.errors import UserError

PACKAGE_AND_GRADE = re.compile(r"(-?[a-z]{3,4}\d{3,4})?(-\d[a-z]{0,2})?(-[a-z])?")
"""What may follow the device in a part number: clg400-1, -ffvc1156-2-e, -sfvc784-2lv-c."""


@dataclass(frozen=True)
class Device:
    """One FPGA. Counts are of the whole device, over all its dies; `clock_mhz` is a typical clock in MHz."""

    part: str
    board: str
    family: str
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int
    clock_mhz: int
    source: str
    checked: str

    @property
    def of_family(self) -> Family:
        """The blocks that the device has."""
        return family_of(self.part)


@cache
def devices() -> dict[str, Device]:
    """Every known device by its part name without package and speed grade."""
    numbers = ("lut", "ff", "dsp", "bram_18k", "uram", "clock_mhz")
    with resources.files(__package__).joinpath("devices.csv").open(encoding="utf-8") as table:
        rows: list[dict[str, Any]] = [row | {key: int(row[key]) for key in numbers} for row in csv.DictReader(table)]
    return {row["part"]: Device(**row) for row in rows}


def family_of(part: str) -> Family:
    """The family that a part belongs to, by its name; the device table need not have it.

    Raises:
        UserError: the name is that of no known family.
    """
    text = part.strip().lower()
    for pattern, family in PART_NAMES.items():
        if re.match(pattern, text):
            return family
    raise UserError(f"part {part!r}: is of no known family; known are {', '.join(FAMILY_NAMES)}")


def find_device(part: str) -> Device:
    """The device that a part number names, whatever its package, speed and temperature grade.

    Raises UserError with the nearest known parts when the device is not in the table.
    """
    text = part.strip().lower()
    for name, device in devices().items():
        if text.startswith(name) and PACKAGE_AND_GRADE.fullmatch(text[len(name) :]):
            return device
    stem = text.split("-")[0]
    near = difflib.get_close_matches(stem, devices(), n=3, cutoff=0.5) or sorted(devices())
    raise UserError(f"part {part!r} is not in the device table; the nearest known: {', '.join(near)}")
