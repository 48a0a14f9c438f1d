"""A comparison as sentences and one table, for the terminal."""

from __future__ import annotations

from qmfn.report.content import Section, Table
from qmfn.vendor.figures import RESOURCES, Cycles
from qmfn.vendor.side_by_side import Comparison, Figures, Row
from qmfn.vendor.vivado import Cosimulation

STAGES = {
    "estimated": "estimated",
    "estimated_post_synthesis": "estimated post-syn.",
    "c_synthesis": "C-synthesis",
    "post_synthesis": "post-synthesis",
}
ERRORS = {
    "estimated_to_c_synthesis": "error to C-syn.",
    "estimated_to_post_synthesis": "error to post-syn.",
    "c_synthesis_to_post_synthesis": "C-syn. to post-syn.",
}
ALWAYS = ("estimated", "c_synthesis")
COLUMNS = ["layer", "", "LUT", "FF", "DSP", "BRAM_18K", "URAM", "cycles", "latency"]
NAME_WIDTH = 34
"""Characters that a name may have in a line of 120."""


def sections(comparison: Comparison) -> list[Section]:
    """The run, its figures, and last, where a reader looks, what is wrong with them."""
    parts = [
        Section("Vendor reports", _run(comparison)),
        Section("Estimated, C-synthesis and post-synthesis", [_legend()], _table(comparison)),
    ]
    if comparison.problems:
        parts.append(Section("Missing or doubtful", list(comparison.problems)))
    return parts


def _run(comparison: Comparison) -> list[str]:
    run, top = comparison.run, comparison.run.top
    sentences = [f"{run.tool or 'unknown tool'} {run.version or ''}, {run.part or 'unknown part'}: {run.project}"]
    if top:
        clock = top.clock
        sentences.append(
            f"Clock (C-synthesis): target {_ns(clock.target_ns)}, estimated {_ns(clock.estimated_ns)}, "
            f"uncertainty {_ns(clock.uncertainty_ns)}."
        )
        sentences.append(_speed(top.cycles, clock.target_ns))
    if run.cosimulation:
        sentences.append(_cosimulated(run.cosimulation))
    if run.post_synthesis:
        post = run.post_synthesis
        sentences.append(f"Post-synthesis: Vivado {post.version or ''}, {post.part or 'unknown part'}.")
    return sentences


def _speed(cycles: Cycles, period: float | None) -> str:
    low, high, interval = cycles.latency_min, cycles.latency_max, cycles.interval_max
    text = f"Latency (C-synthesis): {_cell(low)} to {_cell(high)} cycles, interval {_cell(interval)} cycles"
    if interval and period:
        text += f", {1e9 / (interval * period):,.1f} frames/s (C-synthesis) at the target clock"
    return text + "."


def _cosimulated(found: Cosimulation) -> str:
    cycles = found.cycles
    return (
        f"Co-simulation ({found.language}): {found.status}, latency {_cell(cycles.latency_min)} to "
        f"{_cell(cycles.latency_max)} cycles, interval {_cell(cycles.interval_min)} to {_cell(cycles.interval_max)}."
    )


def _ns(value: float | None) -> str:
    return "-" if value is None else f"{value:g} ns"


def _legend() -> str:
    return "cycles are per frame (the longest interval); errors are relative to the vendor's figure."


def _table(comparison: Comparison) -> Table:
    lines = [line for row in (*comparison.rows, comparison.total) for line in _lines(row)]
    if top := comparison.run.top:
        lines.append(["", "available", *(_cell(getattr(top.available, resource)) for resource in RESOURCES), "", ""])
    return Table(COLUMNS, lines, text_columns=2)


def _lines(row: Row) -> list[list[str]]:
    """A line per stage that says something of the row; estimates and C-synthesis are missed where they don't."""
    stages = [stage for stage in STAGES if stage in ALWAYS or row.figures.get(stage)]
    lines = [["", STAGES[stage], *_figures(row.figures.get(stage) or {})] for stage in stages]
    for error, values in row.errors.items():
        lines.append(["", ERRORS[error], *(_percent(values[resource]) for resource in (*RESOURCES, "cycles")), ""])
    lines[0][0] = _shortened(row.name)
    return lines


def _figures(figures: Figures) -> list[str]:
    return [_cell(figures.get(name)) for name in (*RESOURCES, "cycles", "latency_max")]


def _cell(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"


def _shortened(name: str) -> str:
    """A vendor's name without its middle, where the types are."""
    if len(name) <= NAME_WIDTH:
        return name
    return f"{name[:16]}…{name[-(NAME_WIDTH - 17):]}"
