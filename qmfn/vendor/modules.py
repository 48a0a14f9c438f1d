"""One module's C-synthesis report, as XML and as text; both hold the same figures, the text also what is inside."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from qmfn.vendor.figures import Clock, Cycles, Resources, nanoseconds, resources, whole
from qmfn.vendor.text_tables import Rows, named_tables, records

Figures = TypeVar("Figures", Clock, Cycles)

TIMING, LATENCY, USE = "Timing", "Latency", "Utilization Estimates"
INSTANCES = "Instance"


@dataclass(frozen=True)
class Part:
    """A row of a module's detail tables: an instance (with its module), a FIFO or a memory.

    `depth` and `bits` are words and width of a FIFO or memory.
    """

    name: str
    module: str | None
    resources: Resources
    depth: int | None = None
    bits: int | None = None


@dataclass(frozen=True)
class Module:
    """C-synthesis figures of one module, everything below it included.

    `share` says what takes them: Instance, FIFO, Memory, Expression, Multiplexer, Register ... -> resources.
    `streams` are the C++ names of its ports. `instances` is None where no report lists them.
    """

    name: str
    clock: Clock = field(default_factory=Clock)
    cycles: Cycles = field(default_factory=Cycles)
    pipeline: str | None = None
    resources: Resources = field(default_factory=Resources)
    available: Resources = field(default_factory=Resources)
    share: dict[str, Resources] = field(default_factory=dict)
    instances: tuple[Part, ...] | None = None
    fifos: tuple[Part, ...] = ()
    memories: tuple[Part, ...] = ()
    streams: frozenset[str] = frozenset()
    part: str | None = None
    tool: str | None = None
    version: str | None = None


def from_xml(root: ElementTree.Element, name: str) -> Module:
    """A module of a `profile` element, or of a `Module` element of Vitis HLS' csynth.xml."""

    def text(path: str) -> str | None:
        return root.findtext(path)

    timing, latency = "PerformanceEstimates/SummaryOfTimingAnalysis", "PerformanceEstimates/SummaryOfOverallLatency"
    pipelined = text(f"{latency}/PipelineInitiationInterval")
    return Module(
        name=name,
        clock=Clock(
            nanoseconds(text("UserAssignments/TargetClockPeriod") or text(f"{timing}/TargetClockPeriod")),
            nanoseconds(text(f"{timing}/EstimatedClockPeriod")),
            nanoseconds(text("UserAssignments/ClockUncertainty") or text(f"{timing}/ClockUncertainty")),
        ),
        cycles=Cycles(
            whole(text(f"{latency}/Best-caseLatency")),
            whole(text(f"{latency}/Average-caseLatency")),
            whole(text(f"{latency}/Worst-caseLatency")),
            whole(text(f"{latency}/Interval-min") or pipelined),
            whole(text(f"{latency}/Interval-max") or pipelined),
        ),
        pipeline=text("PerformanceEstimates/PipelineType") or text(f"{latency}/PipelineType"),
        resources=_xml_resources(root.find("AreaEstimates/Resources")),
        available=_xml_resources(root.find("AreaEstimates/AvailableResources")),
        streams=frozenset(entry.text for entry in root.iterfind("InterfaceSummary/RtlPorts/Object") if entry.text),
        part=text("UserAssignments/Part"),
        version=text("ReportVersion/Version"),
    )


def _xml_resources(element: ElementTree.Element | None) -> Resources:
    return resources({child.tag: child.text for child in element}) if element is not None else Resources()


def from_text(report: str, name: str) -> Module:
    """A module of a .rpt; what is missing of a cut-off file is missing of the module."""
    tables = named_tables(report)
    title = re.search(r"^== (Viv?[a-z]+ HLS) Report for", report, re.MULTILINE)
    version = re.search(r"^\* Version:\s*(\S+)", report, re.MULTILINE)
    part = re.search(r"^\* Target device:\s*(\S+)", report, re.MULTILINE)
    latency, pipeline = _latency(_performance(tables, LATENCY))
    use = tables.get((USE, "", "Summary"), [])
    share = {entry.pop("Name"): resources(entry) for entry in records(use) if "Name" in entry}
    instances = tables.get((USE, "Detail", INSTANCES), [])
    return Module(
        name=name,
        clock=_clock(_performance(tables, TIMING)),
        cycles=latency,
        pipeline=pipeline,
        resources=share.pop("Total", Resources()),
        available=share.pop("Available", Resources()),
        share={what: used for what, used in share.items() if used and not what.startswith(("Available", "Util"))},
        instances=_parts(instances) if _complete(report) or _ends(instances) else None,
        fifos=_parts(tables.get((USE, "Detail", "FIFO"), [])),
        memories=_parts(tables.get((USE, "Detail", "Memory"), [])),
        part=part and part[1],
        tool=title and title[1],
        version=version and version[1],
    )


def _performance(tables: Mapping[tuple[str, str, str], Rows], group: str) -> Rows:
    """The summary of timing or latency; until 2019 their headings carry the unit."""
    for (section, heading, name), rows in tables.items():
        if section == "Performance Estimates" and heading.startswith(group) and name == "Summary":
            return rows
    return []


def _clock(rows: Rows) -> Clock:
    for entry in records(rows):
        return Clock(*(nanoseconds(entry.get(column)) for column in ("Target", "Estimated", "Uncertainty")))
    return Clock()


def _latency(rows: Rows) -> tuple[Cycles, str | None]:
    """Minimum and maximum come first, the intervals before the pipeline type; between them, since 2019, times."""
    if len(rows) != 3 or len(rows[2]) != len(rows[1]) or len(rows[2]) < 5:
        return Cycles(), None
    cells = [cell.strip() for cell in rows[2]]
    low, high, first, last = (whole(cell) for cell in (*cells[:2], *cells[-3:-1]))
    return Cycles(low, None, high, first, last), cells[-1]


def _parts(rows: Rows) -> tuple[Part, ...]:
    """Instances, FIFOs or memories; the row with their total has a name, too, but is none of them."""
    found = []
    for entry in records(rows):
        name = entry[next(iter(entry))]
        if name != "Total":
            depth = whole(entry.get("Depth") or entry.get("Words"))
            found.append(Part(name, entry.get("Module"), resources(entry), depth, whole(entry.get("Bits"))))
    return tuple(found)


def _ends(rows: Rows) -> bool:
    """Whether a detail table has its last row."""
    return bool(rows) and rows[-1][0].strip() == "Total"


def _complete(report: str) -> bool:
    return "\n== Interface" in report


def is_cut_off(report: str) -> bool:
    """Whether a .rpt ends before its last section, or inside a table."""
    last = report.rstrip().rsplit("\n", 1)[-1].strip()
    return not _complete(report) or last.startswith("|") or (last.startswith("+-") and not last.endswith("-+"))


def merged(first: Module, second: Module) -> Module:
    """`first` with what only `second` knows."""
    filled = {
        name: value
        for name, value in vars(second).items()
        if name not in ("cycles", "clock", "instances") and not getattr(first, name) and value
    }
    return replace(
        first,
        **filled,
        clock=_filled(first.clock, second.clock),
        cycles=_filled(first.cycles, second.cycles),
        instances=first.instances if first.instances is not None else second.instances,
    )


def _filled(first: Figures, second: Figures) -> Figures:
    """Figures of `first`, and of `second` where `first` has none."""
    missing = {name: value for name, value in vars(second).items() if getattr(first, name) is None}
    return replace(first, **missing)


def disagreements(first: Module, second: Module) -> list[str]:
    """Figures that two reports of one module give differently, as "LUT 1 and 2"."""
    pairs = {"latency": ("latency_min", "latency_max"), "interval": ("interval_min", "interval_max")}
    found = []
    for what, names in pairs.items():
        for name in names:
            found.append((f"{what} {name[-3:]}", getattr(first.cycles, name), getattr(second.cycles, name)))
    for resource in vars(first.resources):
        found.append((resource, getattr(first.resources, resource), getattr(second.resources, resource)))
    return [f"{what} {one} and {two}" for what, one, two in found if None not in (one, two) and one != two]


