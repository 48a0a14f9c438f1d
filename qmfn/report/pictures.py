"""Pictures of a report: matplotlib figures as inline SVG that follow the page's theme.

A figure is drawn with one placeholder colour per role (`COLOURS`); in the SVG every placeholder becomes the page's CSS
variable of that role, so that one picture is right in light, in dark and on paper. Text stays text, in the page's font.
Sizes are CSS pixels. Gives `Markup` for the templates; `save` writes a figure to a file of its own instead.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from qmfn.errors import UserError
from qmfn.files import file_aside
from qmfn.report.tree import Bar, Picture, Point, Roc, Scores, StackedBars, TradeOff

COLOURS = {
    "ink": "#a1c001", "muted": "#a1c002", "line": "#a1c003", "paper": "#a1c004", "wash": "#a1c005", "warn": "#a1c006",
    "s1": "#a1c011", "s2": "#a1c012", "s3": "#a1c013", "s4": "#a1c014", "s5": "#a1c015",
}  # fmt: skip
"""Role -> placeholder; the page's style.css has a variable of each name, `--s1` to `--s5` for series."""

ON_PAPER = {
    "ink": "#20262b", "muted": "#69737c", "line": "#dedbd4", "paper": "#ffffff", "wash": "#f4f2ed", "warn": "#c2701d",
    "s1": "#2f6f82", "s2": "#79a7a1", "s3": "#c8a865", "s4": "#8b83a6", "s5": "#b9bec2",
}  # fmt: skip
"""The light theme's colours (style.css), for pictures that stand alone."""

PIXELS_PER_INCH = 72
"""An SVG of matplotlib has 72 units per inch; the page shows one unit as one pixel."""

WIDE, NARROW, SQUARE = 1040, 350, 420
"""Widths: over a whole desktop page, of a phone, half a page (a desktop widens that a little, a phone shrinks it)."""

BOLD_LETTER = 7
"""Pixels, with room to spare, of a bold letter of 11 points."""

LARGEST_ZOOM = 1.25

TIP = "tip-"
"""Start of the id of what shows a text under the pointer."""

HISTOGRAM_BINS = 60

ROC_POINTS = 400


def picture(found: Picture) -> Markup:
    """A picture of the tree; a chart over layers twice, for desktop and phone: the page's style shows one."""
    drawing = found.drawing
    if not isinstance(drawing, StackedBars):
        return inline_svg(_figure(drawing), found.description)
    tips = [f"{bar.name}: {drawing.amount(bar.height)}" for bar in drawing.bars]
    wide, narrow = (
        inline_svg(bars_figure(drawing, width, height), found.description, css_class, tips)
        for width, height, css_class in ((WIDE, 240, "only-wide"), (NARROW, 205, "only-narrow"))
    )
    return wide + narrow


def _figure(drawing: Roc | Scores | TradeOff) -> Figure:
    match drawing:
        case Roc():
            return roc_figure(drawing)
        case Scores():
            return scores_figure(drawing)
        case TradeOff():
            return trade_off_figure([drawing])


def bars_figure(chart: StackedBars, width: int, height: int) -> Figure:
    """A bar per layer, stacked; the highlighted one in its own colour, with its name."""
    axes = _chart(width, height)
    bars = chart.bars
    _columns(axes, bars, chart.highlighted)
    highlighted = next((index for index, bar in enumerate(bars) if bar.name == chart.highlighted), None)
    if highlighted is not None:
        text = f"{bars[highlighted].name} · {chart.amount(bars[highlighted].height)}"
        _point_at(axes, bars, highlighted, text)
    axes.set_ylabel(chart.axis)
    return _figure_of(axes)


def _columns(axes: Axes, bars: Sequence[Bar], highlighted: str | None) -> None:
    for index, bar in enumerate(bars):
        bottom = 0.0
        for role, value in bar.parts:
            colour = COLOURS["warn" if bar.name == highlighted else role]
            axes.bar(index, value, 0.78, bottom, color=colour, linewidth=0)[0].set_gid(f"{TIP}{index}")
            bottom += value
    axes.set_xlim(-0.7, len(bars) - 0.3)
    axes.set_ylim(0, max((bar.height for bar in bars), default=1) * 1.16 or 1)
    axes.yaxis.set_major_formatter(_short_number)
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
    _group_ticks(axes, bars)


def _group_ticks(axes: Axes, bars: Sequence[Bar]) -> None:
    """One tick in the middle of neighbours of a group, a faint band under every other group."""
    runs: list[tuple[str, int, int]] = []
    for index, bar in enumerate(bars):
        if runs and runs[-1][0] == bar.group:
            runs[-1] = (bar.group, runs[-1][1], index)
        else:
            runs.append((bar.group, index, index))
    for _, first, last in runs[1::2]:
        axes.axvspan(first - 0.5, last + 0.5, color=COLOURS["wash"], linewidth=0, zorder=-2)
    ticks, labels, free_from = [], [], -np.inf
    pixels = _plot_pixels(axes)
    for group, first, last in runs:
        middle = (first + last) / 2
        half = (len(group) * 6.2 + 6) / 2 * len(bars) / pixels
        if middle - half >= free_from:
            ticks.append(middle)
            labels.append(group)
            free_from = middle + half
    axes.set_xticks(ticks, labels)


def _point_at(axes: Axes, bars: Sequence[Bar], index: int, text: str) -> None:
    """Text over a bar, moved to the left as far as the right edge asks."""
    pixels = _plot_pixels(axes)
    room = pixels * (1 - (index + 0.7) / len(bars))
    moved = min(-6, room - BOLD_LETTER * len(text))
    axes.annotate(
        text, (index, bars[index].height), xytext=(moved, 6), textcoords="offset points", ha="left", va="bottom",
        color=COLOURS["warn"], fontweight="bold", fontsize=11,
    )  # fmt: skip


def _figure_of(axes: Axes) -> Figure:
    assert isinstance(axes.figure, Figure), "charts have a figure of their own"
    return axes.figure


def _plot_pixels(axes: Axes) -> float:
    """Width of a chart without its vertical axis."""
    return _figure_of(axes).get_figwidth() * PIXELS_PER_INCH - 60


def roc_figure(roc: Roc) -> Figure:
    """TAR over FAR, FAR on a logarithmic axis."""
    axes, smallest_far = _chart(SQUARE, 270), roc.smallest_far
    far, tar = np.array(roc.curve["far"]), np.array(roc.curve["tar"])
    first = max(0, int((far <= smallest_far).sum()) - 1)  # what is left of the axis would be a line up its edge
    shown = np.maximum(far, smallest_far)[first:]
    axes.plot(shown, tar[first:], drawstyle="steps-post", color=COLOURS["s1"], linewidth=2)
    floor = max(0.0, float(tar[far <= smallest_far].max(initial=0)) - 0.1)
    axes.set(xscale="log", xlim=(smallest_far, 1), ylim=(floor, 1 + 0.02 * (1 - floor)))
    axes.set(xlabel="false accept rate", ylabel="true accept rate")
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_minor_locator(NullLocator())
    return _figure_of(axes)


def scores_figure(scores: Scores) -> Figure:
    """Histogram of the cosines of same and of different pairs, with the threshold between them."""
    axes, histogram, threshold = _chart(SQUARE, 270), scores.histogram, scores.threshold
    edges = np.array(histogram["edges"])
    for role, key in (("s3", "different"), ("s1", "same")):
        axes.stairs(histogram[key], edges, fill=True, color=COLOURS[role], alpha=0.75, linewidth=0)
    tallest = max(*histogram["same"], *histogram["different"], 1)
    axes.set(xlabel="cosine of the two embeddings", ylabel="pairs")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, tallest * 1.14))
    if threshold is not None:
        axes.axvline(threshold, color=COLOURS["ink"], linewidth=1, linestyle=(0, (3, 2)))
        axes.annotate(
            f"threshold {threshold:.3f}", (threshold, tallest * 1.14), xytext=(5, -4), textcoords="offset points",
            va="top", color=COLOURS["ink"], fontsize=11,
        )  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return _figure_of(axes)


def trade_off_figure(panels: Sequence[TradeOff], colours: Mapping[str, str] = COLOURS) -> Figure:
    """Side by side: designs as points with error bars, a step line through those that no other design beats."""
    figure, every = _axes(SQUARE * len(panels), 290, colours, len(panels))
    for panel, axes in zip(panels, every, strict=True):
        _trade_off(panel, axes, colours)
    return figure


def _trade_off(panel: TradeOff, axes: Axes, colours: Mapping[str, str]) -> None:
    best = panel.best
    axes.step([p.x for p in best], [p.y for p in best], where="post", color=colours["s1"], alpha=0.45, linewidth=1.5)
    for point in panel.points:
        axes.errorbar(
            point.x, point.y, _errors(point.y, point.y_band), _errors(point.x, point.x_band), fmt="o",
            color=colours["s1" if point in best else "s4"], markersize=7, elinewidth=1.2, capsize=3,
        )  # fmt: skip
    _name_points(axes, panel.points, colours["ink"])
    axes.margins(x=0.12, y=0.16)
    if panel.percent:
        axes.set_ylim(top=min(1.004, axes.get_ylim()[1]))
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(_short_number)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(_percent if panel.percent else _short_number)


def _name_points(axes: Axes, points: Sequence[Point], colour: str) -> None:
    """Names beside their points, towards the middle, and below the point where a neighbour's name is above."""
    (left, right), (bottom, top) = ((min(ends), max(ends)) for ends in ([p.x for p in points], [p.y for p in points]))
    width, height = (right - left) or 1, (top - bottom) or 1
    above: list[Point] = []
    for point in sorted(points, key=lambda point: point.x):
        crowded = any(
            abs(other.x - point.x) < 0.25 * width and abs(other.y - point.y) < 0.12 * height for other in above
        )
        if not crowded:
            above.append(point)
        inwards = -1 if point.x > (left + right) / 2 else 1
        axes.annotate(
            point.name, (point.x, point.y), xytext=(8 * inwards, -7 if crowded else 7), textcoords="offset points",
            ha="left" if inwards > 0 else "right", va="top" if crowded else "bottom", color=colour,
            parse_math=False,
        )  # fmt: skip


def _errors(value: float, band: tuple[float, float] | None) -> list[list[float]] | None:
    return [[max(0.0, value - band[0])], [max(0.0, band[1] - value)]] if band else None


def verification_curves(scores: np.ndarray, same: np.ndarray) -> dict:
    """What the pictures of an evaluation need, small enough for its JSON (key `curves`).

    Args:
        scores, same: cosines (N,) and truth, bool (N,), of a `VerificationResult`.

    Returns:
        `roc`: far and tar, 0..1, `ROC_POINTS` at most; `scores`: edges of the bins, counts of same and different pairs.
    """
    from sklearn.metrics import roc_curve

    far, tar, _ = roc_curve(same, scores)
    kept = np.unique(np.linspace(0, len(far) - 1, min(len(far), ROC_POINTS)).round().astype(int))
    edges = np.linspace(min(-0.4, float(scores.min())), 1, HISTOGRAM_BINS + 1)
    counts = {name: np.histogram(scores[same == truth], edges)[0].tolist()
              for name, truth in (("same", True), ("different", False))}  # fmt: skip
    return {
        "roc": {"far": far[kept].round(6).tolist(), "tar": tar[kept].round(6).tolist()},
        "scores": {"edges": edges.round(4).tolist(), **counts},
    }


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file; the suffix says the format (none: PNG).

    Raises:
        UserError: the picture can't be written.
    """
    figure.set_layout_engine("constrained", w_pad=0.14, h_pad=0.14)
    try:
        with file_aside(path) as aside:
            figure.savefig(aside, format=path.suffix.lstrip(".").lower() or "png", dpi=160)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the picture can't be written ({error}).") from None


# --- matplotlib to the page -------------------------------------------------------------------------------------------


def inline_svg(figure: Figure, label: str, css_class: str = "", tips: Sequence[str] = ()) -> Markup:
    """A figure as an `<svg>` for HTML: themed, without ids that another picture could have, without outside names.

    Args:
        label: what a screen reader says.
        tips: texts for the elements whose id is `TIP` and an index.
    """
    stream = io.StringIO()
    # The salt keeps the ids of clip paths and markers apart from those of the page's other pictures.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{label}{css_class}"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    # Its style sheet would hold for the whole page; its font is not the page's.
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(rf'<g id="{TIP}(\d+)">', lambda found: f"<g>{_tip(tips, int(found[1]))}", text)
    text = re.sub(r'<g id="[^"]*"(/?)>', r"<g\1>", text)
    text = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", text).replace("xlink:href", "href")
    for role, placeholder in COLOURS.items():
        text = text.replace(placeholder, f"var(--{role})")
    width, height = (figure.get_size_inches() * PIXELS_PER_INCH).round().astype(int)
    opening = (
        f'<svg class="picture {css_class}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'style="max-width: {LARGEST_ZOOM * width:g}px">'
    )
    return Markup(re.sub(r"<svg[^>]*>", opening, text, count=1))


def _tip(tips: Sequence[str], index: int) -> str:
    return f"<title>{escape(tips[index])}</title>" if index < len(tips) else ""


def _chart(width: int, height: int) -> Axes:
    return _axes(width, height, COLOURS, 1)[1][0]


def _axes(width: int, height: int, colours: Mapping[str, str], panels: int) -> tuple[Figure, list[Axes]]:
    """Axes without a frame, with faint horizontal lines."""
    figure = Figure((width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), layout="constrained", facecolor="white")
    every = figure.subplots(1, panels, squeeze=False)[0]
    for axes in every:
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(colours["line"])
        axes.tick_params(which="both", length=0, colors=colours["muted"], labelsize=11, pad=5)
        axes.grid(axis="y", color=colours["line"], linewidth=0.8)
        axes.set_axisbelow(True)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(color=colours["muted"], fontsize=11)
        axes.set_facecolor("none")
    return figure, list(every)


def _short_number(value: float, _position: float = 0) -> str:
    """1200 -> 1.2k, 3400000 -> 3.4M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _percent(value: float, _position: float = 0) -> str:
    return f"{100 * value:.4g} %"
