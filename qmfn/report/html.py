"""A document as a page: one file that needs no other, light and dark, on a phone and on paper.

templates/page.html.jinja frames the sections and blocks.html.jinja has a macro for every block, named after its class.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from qmfn.report import forms, pictures, tree
from qmfn.report.files import atomic_write_text

TEMPLATES = Path(__file__).parent / "templates"

LONG_TITLE = 24
"""Characters; longer ones are set smaller."""

TALL_TABLE = 20
"""Rows; a longer table scrolls in a window of its own."""

LONGEST_SCALE = 2.0
"""Shares above it end at the edge of the utilisation bars; their figures still say how much it is."""


def write(document: tree.Document, path: Path) -> None:
    """Write the page in one step.

    Raises:
        UserError: the file can't be written.
    """
    atomic_write_text(path, render(document))


def render(document: tree.Document) -> str:
    """The page's text."""
    return _environment().get_template("page.html.jinja").render(document=document)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=True,
    )  # fmt: skip
    environment.filters |= {
        "breakable": _breakable, "kind": lambda block: type(block).__name__, "picture": pictures.picture,
        "scale": Scale, "count": forms.COUNT, "band": forms.BAND, "percent": forms.PERCENT,
    }  # fmt: skip
    environment.globals |= {"LONG_TITLE": LONG_TITLE, "TALL_TABLE": TALL_TABLE}
    return environment


def _breakable(name: str) -> Markup:
    """A layer's name that a narrow column may break after its underscores."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


class Scale:
    """Where on their tracks, in percent, the bars of a utilisation end."""

    def __init__(self, utilisation: tree.Utilisation) -> None:
        self._uses = utilisation.uses
        highest = max((use.share_of(use.band[1]) for use in self._uses), default=0)
        self._end = min(max(1.08, 1.06 * highest), LONGEST_SCALE)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """What a device has, and what of it can be routed well: place on the track, and what it is."""
        return [(self.place(share), forms.percent(share, 0)) for share in (tree.BUDGET, 1.0)]

    @property
    def resources(self) -> Iterator[tuple[str, list[tree.Use]]]:
        """The uses by resource."""
        return ((name, list(uses)) for name, uses in groupby(self._uses, lambda use: use.resource))

    def place(self, share: float) -> float:
        return 100 * min(1.0, share / self._end)

    def is_beyond(self, share: float) -> bool:
        return share > self._end
