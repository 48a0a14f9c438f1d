"""Several designs side by side: bits, accuracy, frames per second, resources.

Takes folders of converted designs (report.json, and evaluation.json if there is one) and gives a document, a picture of
the trade-offs and plain values. It calculates nothing but shares and means; what a design has no figure of is None in
the values and a dash to the reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qmfn.errors import UserError
from qmfn.report.content import is_exact
from qmfn.report.files import EVALUATION, REPORT, checked, read_results
from qmfn.report.forms import BITS, COUNT, MEAN, NBSP, PRECISE_PERCENT, RATE, TEXT, VERDICT
from qmfn.report.tree import (
    RESOURCES,
    Cell,
    Column,
    Document,
    Picture,
    Pictures,
    Point,
    Section,
    Span,
    Table,
    TradeOff,
    on_page,
    paragraph,
    utilisation_status,
)


@dataclass(frozen=True)
class Usage:
    """A resource post-synthesis, as estimated: count, its band, share of the device at the band's high end."""

    expected: int
    low: int
    high: int
    share_high: float


@dataclass(frozen=True)
class Compared:
    """One design. Rates and shares are 0..1, bits are bits.

    bit_exact: whether C-simulation and Python agree in every value; None where nothing was compared.
    weight_width: mean over all weights.
    """

    name: str
    source: str
    board: str | None = None
    clock_mhz: float | None = None
    bit_exact: bool | None = None
    weight_width: float | None = None
    footprint_bits: int | None = None
    footprint_share: float | None = None
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    frames_per_second: float | None = None
    fits: bool | None = None
    resources: dict[str, Usage] | None = None


def read_designs(paths: Sequence[Path]) -> list[Compared]:
    """Designs by their folders or report.json files; those of one name are told apart by their paths.

    Raises:
        UserError: a file is missing, or is not what a command wrote.
    """
    designs = [_read_design(path) for path in paths]
    times = Counter(design.name for design in designs)
    return [
        replace(design, name=f"{design.name} ({path})") if times[design.name] > 1 else design
        for design, path in zip(designs, paths, strict=True)
    ]


def _read_design(path: Path) -> Compared:
    file = path / REPORT if path.is_dir() else path
    result, evaluation = read_results(file)
    with checked(file):
        return summary(result, evaluation, str(file))


def summary(result: dict, evaluation: dict | None, source: str) -> Compared:
    """What is compared of one design."""
    design, footprint, estimate = (result.get(key) or {} for key in ("design", "footprint", "estimate"))
    period = design.get("clock_period_ns")
    weights = sum(layer["weights"] for layer in footprint.get("layers", []))
    return Compared(
        name=design.get("name") or Path(source).parent.name,
        source=source,
        board=design.get("board") or design.get("part"),
        clock_mhz=1000 / period if period else None,
        bit_exact=is_exact(result.get("comparison")),
        weight_width=footprint["weight_bits"] / weights if weights else None,
        footprint_bits=footprint.get("total_bits"),
        footprint_share=footprint.get("share"),
        accuracy=evaluation["accuracy"] if evaluation else None,
        accuracy_interval=tuple(evaluation["accuracy_interval"]) if evaluation else None,
        frames_per_second=estimate.get("frames_per_second"),
        fits=estimate.get("fits"),
        resources=_usage(estimate) if estimate else None,
    )


def _usage(estimate: dict) -> dict[str, Usage]:
    """Post-synthesis: the one stage that stock and folded designs both have an estimate of."""
    after, available = estimate["post_synthesis"], estimate["available"]
    return {
        resource: Usage(after["expected"][resource], low, high, high / max(1, available[resource]))
        for resource in RESOURCES
        for low, high in (after["band"][resource],)
    }


def as_dict(designs: Sequence[Compared]) -> dict[str, Any]:
    """Ready for JSON."""
    return {"designs": [asdict(design) for design in designs]}


# --- Document and picture ---------------------------------------------------------------------------------------------


def document(designs: Sequence[Compared]) -> Document:
    """A table with a line per design, and the trade-offs."""
    sources = paragraph(*on_page(", ".join(design.source for design in designs)), style="caption")
    names = dict.fromkeys(design.name.split(" (")[0] for design in designs)
    sections = [Section("Designs side by side", [LEAD, _table(designs), sources])]
    if found := trade_offs(designs):
        pictures = [Picture(one, f"{one.y_label} against {one.x_label}.", one.y_label) for one in found]
        lead = paragraph(*on_page(TRADE_OFFS))
        sections.append(Section("Trade-offs", [lead, Pictures(pictures)], "trade-offs"))
    return Document("QMobileFaceNet designs side by side", " · ".join(names), [], sections)


LEAD = paragraph(
    "Frames/s and resources (post-synthesis) are estimated; a design fits if the high ends of the bands do.",
    *on_page(
        " The bar behind a resource is its share of the device at the high end, coloured ",
        Span(f"above 80{NBSP}%", "fair"), " and ", Span(f"above 100{NBSP}%", "bad"), ". A click on a heading sorts.",
    ),
)  # fmt: skip

TRADE_OFFS = (
    "The line joins the designs that no other beats: none has less of what stands below and more of what stands at the "
    f"side. Whiskers are 10–90{NBSP}% bands of estimates and 95{NBSP}% intervals of accuracies."
)


def _table(designs: Sequence[Compared]) -> Table:
    columns = [
        Column("design", TEXT), Column("device", TEXT), Column("exact", VERDICT), Column("fits", VERDICT),
        Column("frames/s", RATE), Column("accuracy", PRECISE_PERCENT), Column("w", MEAN, "mean bits of a weight"),
        Column("footprint", BITS, "all parameters", spare=True),
        Column("of float32", PRECISE_PERCENT, "the footprint, against 32-bit float"), *map(Column, RESOURCES.values()),
    ]  # fmt: skip
    rows = [
        [
            design.name,
            design.board,
            _judged(design.bit_exact, "bit-exact", "differs"),
            _judged(design.fits, "fits", "does not fit"),
            design.frames_per_second,
            design.accuracy,
            design.weight_width,
            design.footprint_bits,
            design.footprint_share,
            *(_usage_cell(design.resources[resource] if design.resources else None) for resource in RESOURCES),
        ]
        for design in designs
    ]
    return Table(columns, rows)


def _judged(value: bool | None, yes: str, no: str) -> Cell | None:
    return None if value is None else Cell(yes if value else no, VERDICT, status="good" if value else "bad")


def _usage_cell(used: Usage | None) -> Cell | None:
    """The count, and a bar of the share at the high end of its band."""
    if used is None:
        return None
    status = utilisation_status(used.share_high)
    return Cell(used.expected, COUNT, min(1.0, used.share_high), None if status == "good" else status)


def trade_offs(designs: Sequence[Compared]) -> list[TradeOff]:
    """Those that at least one design has both figures of: speed for LUTs, accuracy for bits."""
    fast = [
        Point(design.name, used.expected, design.frames_per_second, (used.low, used.high))
        for design in designs
        if design.frames_per_second and (used := (design.resources or {}).get("lut"))
    ]
    accurate = [
        Point(design.name, design.footprint_bits, design.accuracy, None, design.accuracy_interval)
        for design in designs
        if design.footprint_bits and design.accuracy is not None
    ]
    found = [
        TradeOff("LUT post-synthesis (estimated)", "frames/s (estimated)", tuple(fast)),
        TradeOff("bits of parameters", "verification accuracy", tuple(accurate), percent=True),
    ]
    return [one for one in found if one.points]


def write_picture(designs: Sequence[Compared], path: Path) -> None:
    """The trade-offs side by side; the suffix says the format.

    Raises:
        UserError: no design has an estimate or an evaluation, or the picture can't be written.
    """
    from qmfn.report.pictures import ON_PAPER, save, trade_off_figure

    found = trade_offs(designs)
    if not found:
        raise UserError(f"{path}: nothing to draw, no design has an estimate or an {EVALUATION} beside its report.")
    save(trade_off_figure(found, ON_PAPER), path)
