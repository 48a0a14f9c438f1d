"""Vivado's utilisation reports after synthesis, and the co-simulation report of the HLS tools."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from qmfn.vendor.figures import Cycles, Resources, whole
from qmfn.vendor.text_tables import records, row

SITES = {
    "CLB LUTs": "lut", "Slice LUTs": "lut",
    "CLB Registers": "ff", "Slice Registers": "ff", "Registers": "ff",
    "DSPs": "dsp", "DSP Slices": "dsp",
    "URAM": "uram",
}  # fmt: skip
"""Row of a utilisation report -> resource, in the tool's various device families."""

TILES = "Block RAM Tile"
"""Counted in blocks of 36 kbit; a half one is a block of 18 kbit."""


@dataclass(frozen=True)
class PostSynthesis:
    """What Vivado made of the design. `instances`: name of an instance below the top -> resources, if reported."""

    resources: Resources
    version: str | None = None
    part: str | None = None
    instances: dict[str, Resources] = field(default_factory=dict)


@dataclass(frozen=True)
class Cosimulation:
    """C/RTL co-simulation: language, status ("Pass", "Fail") and measured cycles per call."""

    language: str
    status: str
    cycles: Cycles
    interval_avg: int | None = None


def utilisation(report: str) -> PostSynthesis:
    """The flat report (`report_utilization`). Kinds that it does not name are None."""
    found: dict[str, int | None] = {}
    for cells in map(row, report.splitlines()):
        if len(cells) < 2:
            continue
        site = cells[0].strip().rstrip("*")
        resource = "bram_18k" if site == TILES else SITES.get(site)
        if resource and resource not in found:  # per-region tables repeat the names further down
            found[resource] = _blocks_of_18k(cells[1]) if site == TILES else whole(cells[1])
    version = re.search(r"^\| Tool Version : Vivado v\.?(\S+)", report, re.MULTILINE)
    part = re.search(r"^\| Device\s+: (\S+)", report, re.MULTILINE)
    return PostSynthesis(Resources(**found), version and version[1], part and part[1])


def _blocks_of_18k(tiles: str) -> int | None:
    found = re.fullmatch(r"(\d+)(\.[05]0*)?", tiles.strip())
    return round(2 * float(found[0])) if found else None


def utilisation_by_instance(report: str) -> dict[str, Resources]:
    """The hierarchical report (`report_utilization -hierarchical`): instance -> resources.

    Rows in brackets are the part of a module that is in none of its instances, and are left out.
    """
    rows = [cells for cells in map(row, report.splitlines()) if len(cells) > 4]
    header = next((number for number, cells in enumerate(rows) if "Total LUTs" in map(str.strip, cells)), None)
    if header is None:
        return {}
    found: dict[str, Resources] = {}
    for entry in records(rows[header:]):
        name = entry["Instance"]
        if not name.startswith("(") and name not in found:
            found[name] = _instance_resources({column: _count(text) for column, text in entry.items()})
    return found


def _count(text: str) -> int | None:
    return whole(text.split("(")[0])  # a percentage may follow


def _instance_resources(entry: dict[str, int | None]) -> Resources:
    large, small = entry.get("RAMB36"), entry.get("RAMB18")
    blocks = None if large is None or small is None else 2 * large + small
    dsp = next((count for column, count in entry.items() if column.startswith("DSP")), None)
    return Resources(entry.get("Total LUTs"), entry.get("FFs"), dsp, blocks, entry.get("URAM"))


def cosimulation(report: str) -> Cosimulation | None:
    """The language that was simulated, of `<top>_cosim.rpt`; None where there is none."""
    for line in report.splitlines():
        cells = [cell.strip() for cell in row(line)]
        if len(cells) >= 8 and cells[0] in ("VHDL", "Verilog", "SystemC") and cells[1] != "NA":
            low, middle, high, first, between, last = (whole(cell) for cell in cells[2:8])
            return Cosimulation(cells[0], cells[1], Cycles(low, middle, high, first, last), between)
    return None
