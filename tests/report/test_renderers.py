"""Page, Markdown and terminal say the same: every statement and number of a document is looked for in each of them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from helpers.pages import Page
from rich.console import Console

from qmfn.report import compare, html, markdown, show
from qmfn.report.content import design_document
from qmfn.report.forms import TEXT, USED, plain
from qmfn.report.tree import Code, Column, Document, Facts, Legend, Paragraph, Section, Table, Tiles, Utilisation
from qmfn.report.vendor import vendor_document

ENDLESS = 10_000
"""Columns of a terminal that need not leave anything out."""


@pytest.fixture
def complete(designed, evaluated, synthesised) -> Document:
    """A document with every kind of block: also what differs, FIFOs, a stage whose kind is explained."""
    designed["comparison"]["tensors"][1] |= {"mismatches": 3, "max_abs_difference": 0.25}
    designed["fifo"]["fifos"] = [{"name": "conv1_out", "depth": 513, "width": 43}]
    designed["estimate"]["layers"][0] |= {"kind": "matvec", "simd": 3, "pe": 8, "memories": {"lines": "lutram"}}
    return design_document(designed, evaluated, synthesised)


@pytest.fixture
def documents(complete, designed, evaluated, synthesised) -> list[Document]:
    designs = [compare.summary(designed, evaluated, "small/report.json"), compare.Compared("nothing", "report.json")]
    return [complete, vendor_document(synthesised | {"project": "elsewhere/foreign"}), compare.document(designs)]


def in_every_rendering(document: Document) -> Iterator[str]:
    """Texts of the tree that no rendering may lack."""
    for section in document.sections:
        for block in section.blocks:
            match block:
                case Paragraph():
                    yield from (span.text for span in block.in_text)
                case Tiles():
                    for tile in block.tiles:
                        yield from (tile.label, tile.figure, tile.unit, *tile.notes)
                case Facts():
                    yield from (text for pair in block.pairs for text in pair)
                case Legend():
                    yield from (text for key in block.keys if key.share for text in (key.name, key.share, key.amount))
                case Table() if not block.detail:
                    yield from in_table(block)
                case Utilisation():
                    for use in block.uses:
                        yield use.stage
                    yield from (cell.text for line in block.table.lines for cell in line[:1] + line[2:6])
                case Code() if not block.detail:
                    yield block.text


def in_table(table: Table) -> Iterator[str]:
    yield table.title
    yield from (column.heading for column in table.columns)
    yield from (text for hint in table.hints.items() for text in hint)
    yield from (cell.text for line in table.lines for cell in line)


def details(document: Document) -> list[Table | Code]:
    blocks = [block for section in document.sections for block in section.blocks]
    return [block for block in blocks if isinstance(block, Table | Code) and block.detail]


def squeezed(text: str) -> str:
    """Without what a renderer may add or wrap: spaces, line ends, marks of Markdown."""
    return "".join(plain(text).replace("\\|", "|").replace("*", "").split())


def terminal(document: Document, width: int = ENDLESS) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(document.sections, console)
    return console.file.getvalue()


def renderings(document: Document) -> dict[str, str]:
    texts = {
        "page": Page(html.render(document)).text, "Markdown": markdown.render(document), "terminal": terminal(document)
    }  # fmt: skip
    return {name: squeezed(text) for name, text in texts.items()}


def test_every_statement_and_number_is_on_the_page_in_markdown_and_on_the_terminal(documents):
    for document in documents:
        texts = {squeezed(text) for text in in_every_rendering(document)}
        assert len(texts) > 20
        for name, rendered in renderings(document).items():
            assert [text for text in texts if text not in rendered] == [], name


def test_the_numbers_of_a_row_stand_in_its_order(documents):
    for document in documents:
        tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
        rows = ["".join(squeezed(cell.text) for cell in line) for table in tables if not table.detail
                for line in table.lines]  # fmt: skip
        assert rows
        for name, rendered in renderings(document).items():
            assert [row for row in rows if row not in rendered.replace("|", "")] == [], name


def test_details_are_on_the_page_and_in_markdown_but_not_on_the_terminal(complete):
    folded = details(complete)
    assert {block.title for block in folded} == {
        "Bits of every layer", "Depth and width of every FIFO", "configs/small.yml"
    }  # fmt: skip
    page, text, printed = renderings(complete).values()
    for block in folded:
        texts = [block.text] if isinstance(block, Code) else in_table(block)
        for wanted in filter(None, map(squeezed, texts)):
            assert wanted in page and wanted in text
    assert "513" not in printed and "<tiny>" not in printed


def test_what_speaks_of_pictures_is_on_the_page_alone(complete):
    page, text, printed = renderings(complete).values()
    for words in ("Whiskersarethebands", "Aclickonaheadingsorts", "Stagesintheorderofthedata", "slowest"):
        assert words in page and words not in text and words not in printed


def test_every_heading_with_something_below_it_is_everywhere(documents):
    for document in documents:
        for name, rendered in renderings(document).items():
            headings = [section.heading for section in document.sections if section.heading != "Trade-offs"]
            shown = headings[1:] if name == "page" else headings  # the first stands under the page's title
            assert [heading for heading in shown if squeezed(heading) not in rendered] == [], name


@pytest.mark.parametrize("width", [60, 90, 120])
def test_a_narrow_terminal_leaves_spare_columns_out_and_is_never_exceeded(complete, width):
    lines = terminal(complete, width).splitlines()
    assert max(map(len, lines)) <= width
    (headings,) = (line.split() for line in lines if line.startswith("layer") and "RF" in line)
    assert ("memory" in headings) == (width == 120) and "cycles" in headings


def test_a_long_name_loses_its_middle():
    table = Table([Column("layer", TEXT), Column("cycles", USED)], [["dense_" + 80 * "t" + "_config7_s", 123_456]])
    printed = terminal(Document("", "", [], [Section("Layers", [table])]), 40)
    (line,) = (line for line in printed.splitlines() if "123,456" in line)
    assert line.startswith("dense_t") and "...t" in line and line.split()[0].endswith("_config7_s")


def test_a_terminal_needs_plain_characters_alone(documents):
    for document in documents:
        assert terminal(document).isascii() and markdown.render(document).isascii()
