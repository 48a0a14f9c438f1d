"""Several designs side by side: bits, accuracy, frames per second, resources.

Takes folders of converted designs (report.json, and evaluation.json if there is one) and gives sections for the
terminal, a page, pictures of the trade-offs and plain values. It calculates nothing but shares and means; what a design
has no figure of is None there and a dash to the reader.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qmfn.errors import UserError
from qmfn.report.content import RESOURCES, Section, Table
from qmfn.report.files import atomic_write_text

REPORT, EVALUATION = "report.json", "evaluation.json"


@dataclass(frozen=True)
class Usage:
    """A resource after synthesis, as estimated: count, its band, share of the device at the band's high end."""

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
    result = _json(file, "convert the design first")
    beside = file.parent / EVALUATION
    evaluation = _json(beside, "evaluate the design again") if beside.exists() else None
    try:
        return summary(result, evaluation, str(file))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{file}: is no report of scripts/convert.py ({type(error).__name__}: {error}); convert the design again."
        ) from None


def _json(path: Path, remedy: str) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; {remedy}.") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}).") from None
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error}); {remedy}.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no result of a design; {remedy}.")
    return found


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
        bit_exact=_bit_exact(result.get("comparison")),
        weight_width=footprint["weight_bits"] / weights if weights else None,
        footprint_bits=footprint.get("total_bits"),
        footprint_share=footprint.get("share"),
        accuracy=evaluation["accuracy"] if evaluation else None,
        accuracy_interval=tuple(evaluation["accuracy_interval"]) if evaluation else None,
        frames_per_second=estimate.get("frames_per_second"),
        fits=estimate.get("fits"),
        resources=_usage(estimate) if estimate else None,
    )


def _bit_exact(comparison: dict | None) -> bool | None:
    if not comparison or not any(tensor["values"] for tensor in comparison["tensors"]):
        return None
    return not comparison["mismatches"] and not any(tensor["mismatches"] for tensor in comparison["tensors"])


def _usage(estimate: dict) -> dict[str, Usage]:
    """After synthesis: the one stage that stock and folded designs both have an estimate of."""
    after, available = estimate["post_synthesis"], estimate["available"]
    return {
        kind: Usage(after["expected"][kind], low, high, high / max(1, available[kind]))
        for kind in RESOURCES
        for low, high in (after["band"][kind],)
    }


def as_dict(designs: Sequence[Compared]) -> dict[str, Any]:
    """Ready for JSON."""
    return {"designs": [asdict(design) for design in designs]}


# --- Words and tables -------------------------------------------------------------------------------------------------

DASH = "-"

COLUMNS = [
    "design", "device", "exact", "w", "footprint", "accuracy", "frames/s", "LUT", "FF", "DSP", "BRAM", "URAM", "fits",
]  # fmt: skip
NOTE = (
    "w: mean bits of a weight; footprint: all parameters, share of float32; frames/s and resources (after synthesis) "
    "are estimated; fits: at the high end of the bands."
)
YES_NO = {True: "yes", False: "NO", None: DASH}


def sections(designs: Sequence[Compared]) -> list[Section]:
    """One table, a line per design."""
    return [Section("Designs side by side", [NOTE], Table(COLUMNS, [_cells(design) for design in designs], 3))]


def _cells(design: Compared) -> list[str]:
    return [
        design.name,
        design.board or DASH,
        YES_NO[design.bit_exact],
        _text(design.weight_width, "{:.2f}"),
        _text(design.footprint_share, "{:.2%}"),
        _text(design.accuracy, "{:.2%}"),
        _text(design.frames_per_second, "{:,.1f}"),
        *(_text(design.resources[kind].expected if design.resources else None, "{:,}") for kind in RESOURCES),
        YES_NO[design.fits],
    ]


def _text(value: float | None, form: str) -> str:
    return DASH if value is None else form.format(value)


# --- Page and pictures ------------------------------------------------------------------------------------------------


def panels(designs: Sequence[Compared]) -> list:
    """Trade-offs that at least one design has both figures of: speed for LUTs, accuracy for bits."""
    from qmfn.report.pictures import Panel, Point

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
        Panel("LUT after synthesis (estimated)", "frames/s (estimated)", tuple(fast)),
        Panel("bits of parameters", "verification accuracy", tuple(accurate), percent=True),
    ]
    return [panel for panel in found if panel.points]


def write_picture(designs: Sequence[Compared], path: Path) -> None:
    """The trade-offs side by side; the suffix says the format.

    Raises:
        UserError: no design has an estimate or an evaluation, or the picture can't be written.
    """
    from qmfn.report.pictures import ON_PAPER, save, trade_off_figure

    found = panels(designs)
    if not found:
        raise UserError(f"{path}: nothing to draw, no design has an estimate or an {EVALUATION} beside its report.")
    save(trade_off_figure(found, ON_PAPER), path)


def write_page(designs: Sequence[Compared], path: Path) -> None:
    """One self-contained HTML file.

    Raises:
        UserError: the file can't be written.
    """
    from qmfn.report.html import render

    atomic_write_text(path, render("compare.html.jinja", _page(designs)))


def _page(designs: Sequence[Compared]) -> dict[str, Any]:
    from qmfn.report.page import Grid
    from qmfn.report.pictures import inline_svg, trade_off_figure

    pictures = [
        (panel.y_label, inline_svg(trade_off_figure([panel]), f"{panel.y_label} against {panel.x_label}."))
        for panel in panels(designs)
    ]
    headings = [
        "design", "device", "exact", "fits", "frames/s", "accuracy", "weight bits", "footprint", "of float32",
        *RESOURCES.values(),
    ]  # fmt: skip
    return {
        "title": " · ".join(dict.fromkeys(design.name.split(" (")[0] for design in designs)),
        "table": Grid(headings, [_page_cells(design) for design in designs], 2),
        "pictures": pictures,
        "sources": [design.source for design in designs],
    }


def _page_cells(design: Compared) -> list:
    from qmfn.report.page import NBSP, Cell, bits

    def cell(value: float | None, text: str) -> Cell:
        return Cell("–", -1) if value is None else Cell(text.format(value), value)

    def percent(value: float | None) -> Cell:
        return cell(None if value is None else 100 * value, f"{{:.2f}}{NBSP}%")

    return [
        Cell(design.name),
        Cell(design.board or "–"),
        _judged(design.bit_exact, "bit-exact", "differs"),
        _judged(design.fits, "fits", "does not fit"),
        cell(design.frames_per_second, "{:,.1f}"),
        percent(design.accuracy),
        cell(design.weight_width, "{:.2f}"),
        Cell(bits(design.footprint_bits), design.footprint_bits) if design.footprint_bits else Cell("–", -1),
        percent(design.footprint_share),
        *(_usage_cell(design.resources[kind] if design.resources else None) for kind in RESOURCES),
    ]


def _judged(value: bool | None, yes: str, no: str):
    from qmfn.report.page import Cell

    if value is None:
        return Cell("–", -1)
    return Cell(yes if value else no, int(value), status="good" if value else "bad")


def _usage_cell(used: Usage | None):
    """The count, and a bar of the share at the high end of its band."""
    from qmfn.report.page import Cell, utilisation_status

    if used is None:
        return Cell("–", -1)
    status = utilisation_status(used.share_high)
    return Cell(f"{used.expected:,}", used.expected, min(1.0, used.share_high), None if status == "good" else status)
