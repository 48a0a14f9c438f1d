"""A design's HTML report: one file that needs no other, light and dark, on a phone and on paper.

Takes results (`qmfn.report.page` says which), lays them out by templates/design.html.jinja, style.css and sort.js, and
gives report.html.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from qmfn.report.files import atomic_write_text
from qmfn.report.page import design_page

TEMPLATES = Path(__file__).parent / "templates"


def write_html(
    result: dict,
    folder: Path,
    *,
    evaluation: dict | None = None,
    vendor: dict | None = None,
    config_text: str | None = None,
    command: str | None = None,
) -> Path:
    """Write report.html into `folder` in one step; gives its path.

    Args:
        result: what becomes report.json; any section may be missing.
        evaluation: what `evaluate --json` writes; with a key `curves` (`pictures.verification_curves`) also its ROC
            curve and histogram are drawn.
        vendor: what `report --json` writes.
        config_text: text of the design file.
        command: command line that makes this design again.

    Raises:
        UserError: the file can't be written.
    """
    path = folder / "report.html"
    atomic_write_text(path, render("design.html.jinja", design_page(result, evaluation, vendor, config_text, command)))
    return path


def render(template: str, values: dict[str, Any]) -> str:
    """A page by its template."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=True,
    )  # fmt: skip
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(name: str) -> Markup:
    """A layer's name that a narrow column may break after its underscores."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))
