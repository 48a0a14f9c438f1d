"""What a report is made of: a document of sections of blocks, all plain data.

`content`, `vendor` and `compare` build documents and decide on every statement, heading and number format. `html`,
`markdown` and `terminal` draw them. In text, a block is a paragraph, a file's text or a table, which most blocks have;
pictures and the spans that speak of them are the page's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Literal

from qmfn.report.forms import BAND, COUNT, PERCENT, TEXT, Form, words

Status = Literal["good", "fair", "bad", "open"]
"""A judgement, which renderers colour; `open`: not known."""

Style = Literal["lead", "caption", "problem", "not-done"]
"""Of a paragraph."""

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "uram": "URAM"}
"""Key of a resource in results -> its name."""


# --- Sentences --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """Words of a paragraph that stand out, or that only the page has."""

    text: str
    status: Status | None = None
    bold: bool = False
    page_only: bool = False


@dataclass(frozen=True)
class Paragraph:
    """Sentences. A `problem` says what is wrong or missing; a `caption` explains what stands above it."""

    spans: Sequence[Span]
    style: Style = "lead"

    @property
    def in_text(self) -> list[Span]:
        """What of it is not for the page alone."""
        return [span for span in self.spans if not span.page_only]


def paragraph(*parts: str | Span, style: Style = "lead") -> Paragraph:
    """A paragraph of strings and spans."""
    return Paragraph([Span(part) if isinstance(part, str) else part for part in parts], style)


def on_page(*parts: str | Span) -> list[Span]:
    """Spans that speak of what only the page shows."""
    return [replace(span, page_only=True) for span in paragraph(*parts).spans]


# --- Tables, and blocks that are tables in text -----------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A heading and the type of what is below it.

    hint: what the heading means; bars: the page draws each number's share of the largest behind it; spare: a terminal
    that is too narrow may leave the column out.
    """

    heading: str = ""
    form: Form = COUNT
    hint: str = ""
    bars: bool = False
    spare: bool = False


@dataclass(frozen=True)
class Cell:
    """A value that is not just one of its column: of another form, judged, or with a bar of its own (`share`, 0..1)."""

    value: Any
    form: Form = TEXT
    share: float | None = None
    status: Status | None = None

    @property
    def text(self) -> str:
        return self.form(self.value)

    @property
    def sort(self) -> Any:
        """What a reader's click sorts by: numbers by size, bands by their low ends; None: by its text."""
        first = self.value[0] if isinstance(self.value, list | tuple) else self.value
        return "-Infinity" if first is None else first if isinstance(first, Real) else None


@dataclass(frozen=True)
class Table:
    """Rows of values or cells under typed columns.

    A row whose first cell is empty goes on with the row above it. `marked` names the row to stand out; `detail`: the
    page folds the table away under its title, the terminal leaves it out; `meanings` explains words in the cells.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    detail: bool = False
    sortable: bool = True
    marked: int | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[list[Cell]]:
        """The rows as cells, each with its form and bar."""
        largest = [max((row[place] or 0 for row in self.rows), default=0) if column.bars else None
                   for place, column in enumerate(self.columns)]  # fmt: skip
        return [[_cell(*entry) for entry in zip(row, self.columns, largest, strict=True)] for row in self.rows]

    @property
    def has_headings(self) -> bool:
        return any(column.heading for column in self.columns)

    @property
    def hints(self) -> dict[str, str]:
        """What headings and words in it mean."""
        return {column.heading: column.hint for column in self.columns if column.hint} | dict(self.meanings)


def _cell(value: Any, column: Column, largest: float | None) -> Cell:
    if isinstance(value, Cell):
        return value
    return Cell(value, column.form, None if largest is None else (value or 0) / (largest or 1))


def columns_in_use(columns: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Those columns, by the key of their values, that some row has something in."""
    return {key: column for key, column in columns.items() if any(row.get(key) for row in rows)}


def table_of(columns: Mapping[str, Column], rows: Sequence[Mapping[str, Any]], **options: Any) -> Table:
    """A table of rows by the keys of its columns."""
    return Table(list(columns.values()), [[row.get(key) for key in columns] for row in rows], **options)


@dataclass(frozen=True)
class Tile:
    """A figure of the verdict and what it rests on; `status` open: nobody has looked."""

    label: str
    figure: str
    notes: Sequence[str] = ()
    status: Status | None = None
    unit: str = ""


@dataclass(frozen=True)
class Tiles:
    """The verdict at a glance."""

    tiles: Sequence[Tile]

    @property
    def table(self) -> Table:
        rows = [[tile.label, Cell(f"{tile.figure} {tile.unit}".strip(), status=tile.status), ", ".join(tile.notes)]
                for tile in self.tiles]  # fmt: skip
        return Table([Column(form=TEXT)] * 3, rows)


@dataclass(frozen=True)
class Facts:
    """Names with their values, in words; those that have none are left out."""

    values: Sequence[tuple[str, Any]]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(name, text) for name, value in self.values if value is not None and (text := words(value))]

    @property
    def table(self) -> Table:
        return Table([Column(form=TEXT)] * 2, self.pairs)


@dataclass(frozen=True)
class Key:
    """An entry of a legend: series role (`pictures.COLOURS`), name, and perhaps what the series amounts to."""

    role: str
    name: str
    share: str = ""
    amount: str = ""


@dataclass(frozen=True)
class Legend:
    """What colours stand for; text has those entries that also say an amount."""

    keys: Sequence[Key]

    @property
    def table(self) -> Table:
        return Table([Column(form=TEXT)] * 3, [[key.name, key.share, key.amount] for key in self.keys if key.share])


BUDGET = 0.8
"""Share of a device above which placement and routing get hard."""


def utilisation_status(share: float) -> Status:
    """How full a device is."""
    return "bad" if share > 1 else "fair" if share > BUDGET else "good"


@dataclass(frozen=True)
class Use:
    """How much of a resource a stage of the tools will use: a count with its band."""

    resource: str
    stage: str
    used: int
    band: tuple[int, int]
    available: int

    def share_of(self, count: int) -> float:
        """Of what the device has; a device may have none."""
        return count / max(1, self.available)

    @property
    def status(self) -> Status:
        return utilisation_status(self.share_of(self.band[1]))


@dataclass(frozen=True)
class Utilisation:
    """Shares of a device, the uses of a resource one after another: bars on the page, a table in text."""

    uses: Sequence[Use]

    @property
    def table(self) -> Table:
        columns = [
            Column("resource", TEXT), Column("", TEXT), Column("used"), Column("10-90 %", BAND), Column("available"),
            Column("share", PERCENT), Column("at the high end", PERCENT), Column("", TEXT),
        ]  # fmt: skip
        rows, before = [], None
        for use in self.uses:
            high, status = use.share_of(use.band[1]), None if use.status == "good" else use.status
            rows.append([
                "" if use.resource == before else use.resource, use.stage, use.used, use.band, use.available,
                use.share_of(use.used), Cell(high, PERCENT, status=status),
                Cell("does not fit" if status == "bad" else "", status=status),
            ])  # fmt: skip
            before = use.resource
        return Table(columns, rows)


@dataclass(frozen=True)
class Code:
    """Text as it is in a file or on a command line; `detail` as of tables, but unfolded at first."""

    text: str
    title: str = ""
    detail: bool = False


# --- Pictures: what is drawn, for the page alone ----------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """One bar of a chart over layers. `parts`: (series role, value) from the bottom up; `group` shares a tick."""

    name: str
    group: str
    parts: tuple[tuple[str, float], ...]

    @property
    def height(self) -> float:
        return sum(value for _, value in self.parts)


@dataclass(frozen=True)
class StackedBars:
    """A bar per layer, in the order of the data; `amount` writes a height, `highlighted` names the bar to stand out."""

    bars: Sequence[Bar]
    axis: str
    amount: Callable[[float], str]
    highlighted: str | None = None


@dataclass(frozen=True)
class Roc:
    """TAR over FAR, down to one of the different pairs; `curve` as in `pictures.verification_curves`."""

    curve: Mapping[str, Sequence[float]]
    smallest_far: float


@dataclass(frozen=True)
class Scores:
    """How the cosines of same and different pairs are spread; `histogram` as in `pictures.verification_curves`."""

    histogram: Mapping[str, Sequence[float]]
    threshold: float | None


@dataclass(frozen=True)
class Point:
    """A design in a trade-off: x with its band, y with its interval (either may be absent)."""

    name: str
    x: float
    y: float
    x_band: tuple[float, float] | None = None
    y_band: tuple[float, float] | None = None


@dataclass(frozen=True)
class TradeOff:
    """Designs between two figures: less of x is better, more of y is."""

    x_label: str
    y_label: str
    points: tuple[Point, ...]
    percent: bool = False

    @property
    def best(self) -> list[Point]:
        """Points that no other beats: nobody has less of x and more of y."""
        best: list[Point] = []
        for point in sorted(self.points, key=lambda point: (point.x, -point.y)):
            if not best or point.y > best[-1].y:
                best.append(point)
        return best


@dataclass(frozen=True)
class Picture:
    """A drawing with its description, for who can't see it, and its title, legend and caption."""

    drawing: StackedBars | Roc | Scores | TradeOff
    description: str
    title: str = ""
    legend: Sequence[Key] = ()
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side where there is the width."""

    pictures: Sequence[Picture]


Block = Paragraph | Tiles | Facts | Table | Utilisation | Legend | Code | Picture | Pictures


@dataclass(frozen=True)
class Section:
    """A heading and what is below it; `anchor` is its id on the page."""

    heading: str
    blocks: Sequence[Block]
    anchor: str = ""


@dataclass(frozen=True)
class Document:
    """A report. The first section is its verdict: on the page it stands under the title, without its heading."""

    kicker: str
    title: str
    subtitle: Sequence[str]
    sections: Sequence[Section]
