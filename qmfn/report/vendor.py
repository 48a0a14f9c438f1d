"""What the vendor's tools made of a design, beside what was estimated: JSON of `report` -> section or document.

Takes `qmfn.vendor.side_by_side.Comparison.as_dict()`; what no report says is None there, and a dash to the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qmfn.report.forms import COUNT, ERROR, TEXT, rate
from qmfn.report.tree import RESOURCES, Block, Cell, Column, Document, Facts, Section, Table, paragraph

STAGES = {
    "estimated": "estimated",
    "estimated_post_synthesis": "estimated post-syn.",
    "c_synthesis": "C-synthesis",
    "post_synthesis": "post-synthesis",
}
"""Key of a row's figures -> what they are."""

EXPECTED = ("estimated", "c_synthesis")
"""Stages that a row shows even where it has no figures of them, if any other row has."""

ERRORS = {
    "estimated_to_c_synthesis": "error to C-syn.",
    "estimated_to_post_synthesis": "error to post-syn.",
    "c_synthesis_to_post_synthesis": "C-syn. to post-syn.",
}
"""Key of a row's relative errors -> what they are."""

FIGURES = {**RESOURCES, "cycles": "cycles", "latency_max": "latency"}

LARGE_ERROR = 0.5
"""Relative error from which on it is coloured."""


def vendor_document(vendor: dict) -> Document:
    """The report of a project of which nothing but the vendor's reports is known."""
    title = vendor.get("top") or Path(vendor["project"]).name
    return Document("Reports of the vendor's tools", title, [_tool(vendor)], [vendor_section(vendor)])


def vendor_section(vendor: dict) -> Section:
    """The run, its figures, and last, where a reader looks, what is wrong with them."""
    rows, total = vendor["rows"], vendor["total"]
    post, top = vendor.get("post_synthesis") or {}, total.get("c_synthesis") or {}
    facts = Facts([
        ("tool", _tool(vendor)),
        ("project", vendor.get("project")),
        ("clock", _clock(vendor.get("clock") or {})),
        ("latency", _range(top, "latency", "C-synthesis")),
        ("initiation interval", _interval(top, vendor.get("clock") or {})),
        ("co-simulation", _cosimulation(vendor.get("cosimulation"))),
        ("post-synthesis", _joined(f"Vivado {post.get('version') or ''}".rstrip(), post.get("part")) if post else None),
    ])  # fmt: skip
    legend = paragraph(
        "BRAM counts blocks of 18 kbit, cycles are per frame (the longest interval), errors are relative to the "
        "vendor's figure."
    )
    shown = {stage: name for stage, name in STAGES.items() if any(row.get(stage) for row in (*rows, total))}
    blocks: list[Block] = [facts, legend, _table("The whole design", _lines(total, shown) + _available(vendor))]
    if rows:
        blocks.append(_table("Layers", [line for row in rows for line in _lines(row, shown)]))
    blocks += [paragraph(problem, style="problem") for problem in vendor.get("problems") or []]
    return Section("Estimated against vendor", blocks, "vendor")


def vendor_shares(vendor: dict | None) -> tuple[str, dict[str, float]] | None:
    """Where the shares of the device come from, and the shares: post-synthesis, or by C-synthesis."""
    available = (vendor or {}).get("available") or {}
    for stage, name in (("post_synthesis", "post-synthesis, by Vivado"), ("c_synthesis", "reported by C-synthesis")):
        used = ((vendor or {}).get("total") or {}).get(stage) or {}
        shares = {resource: used[resource] / available[resource] for resource in RESOURCES
                  if available.get(resource) and used.get(resource)}  # fmt: skip
        if shares:
            return name, shares
    return None


# --- The run ----------------------------------------------------------------------------------------------------------


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _tool(vendor: dict) -> str:
    tool = f"{vendor.get('tool') or 'unknown tool'} {vendor.get('version') or ''}".rstrip()
    return _joined(tool, vendor.get("part") or "unknown part")


def _clock(clock: dict) -> str:
    names = {"target_ns": "target", "estimated_ns": "estimated by C-synthesis", "uncertainty_ns": "uncertainty"}
    return ", ".join(f"{name} {clock[key]:g} ns" for key, name in names.items() if clock.get(key) is not None)


def _range(cycles: dict, what: str, source: str = "") -> str | None:
    low, high = cycles.get(f"{what}_min"), cycles.get(f"{what}_max")
    if low is None and high is None:
        return None
    text = f"{COUNT(high)} cycles" if low == high else f"{COUNT(low)} to {COUNT(high)} cycles"
    return f"{text} ({source})" if source else text


def _interval(cycles: dict, clock: dict) -> str | None:
    interval, period = cycles.get("interval_max"), clock.get("target_ns")
    if not interval:
        return None
    speed = f", {rate(1e9 / (interval * period))} frames/s at the target clock" if period else ""
    return f"{interval:,} cycles per frame{speed} (C-synthesis)"


def _cosimulation(found: dict | None) -> str | None:
    if not found:
        return None
    cycles = found.get("cycles") or {}
    latency, interval = _range(cycles, "latency"), _range(cycles, "interval")
    status = f"{found['status']} ({found['language']})" if found.get("language") else found.get("status")
    return _joined(status, latency and f"latency {latency}", interval and f"interval {interval}")


# --- Its figures ------------------------------------------------------------------------------------------------------


def _table(title: str, lines: list[list[Any]]) -> Table:
    columns = [Column("layer", TEXT), Column("", TEXT), *map(Column, FIGURES.values())]
    return Table(columns, lines, title, sortable=False)


def _lines(row: dict, shown: dict[str, str]) -> list[list[Any]]:
    """A line per stage that says something of the row, and per error; a line of dashes where none does."""
    stages = {stage: name for stage, name in shown.items() if row.get(stage) or stage in EXPECTED}
    lines: list[list[Any]] = [["", name, *_figures(row.get(stage) or {})] for stage, name in stages.items()]
    for error, values in (row.get("relative_error") or {}).items():
        lines.append(["", ERRORS[error], *(_error(values.get(figure)) for figure in FIGURES)])
    lines = lines or [["", "", *_figures({})]]
    lines[0][0] = row["name"]
    return lines


def _figures(figures: dict[str, int | None]) -> Iterable[int | None]:
    return (figures.get(figure) for figure in FIGURES)


def _error(value: float | None) -> Cell:
    return Cell(value, ERROR, status="fair" if abs(value or 0) > LARGE_ERROR else None)


def _available(vendor: dict) -> list[list[Any]]:
    return [["", "available", *_figures(vendor["available"])]] if vendor.get("available") else []
