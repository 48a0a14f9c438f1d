"""The reports of the shipped designs in headless Chromium, at the width of a desktop and of a phone.

QMFN_SCREENSHOTS=FOLDER keeps the pictures (`make pictures`: those of the docs).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.browser import answer, needs_chromium, screenshot
from PIL import Image

DESIGNS = (
    pytest.param("w4a4", marks=pytest.mark.slow),
    *(pytest.param(name, marks=pytest.mark.long) for name in ("w8a8", "mixed", "extreme", "stock")),
)
WIDTHS = {"desktop": 1280, "phone": 390}
COLOURS = 72
"""Of a kept picture: a quarter of the bytes. With 40 the tracks of the bars melt into the page."""

SIZE = "`${document.documentElement.scrollWidth} ${document.body.scrollHeight}`"


@pytest.fixture(scope="module", params=DESIGNS)
def design(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def page(design, repository, tmp_path_factory) -> Path:
    """The report of a conversion of the design, compared on one face; compiled libraries stay out of the user's cache.

    The design's path is relative, since the report shows it.
    """
    output = tmp_path_factory.mktemp("converted")
    command = [sys.executable, "scripts/convert.py", "--config", f"configs/{design}.yml", "--output", output]
    done = subprocess.run(
        [*command, "--set", "comparison.images=1"], cwd=repository, capture_output=True, text=True, check=False,
        env={**os.environ, "QMFN_CACHE": str(output / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return output / design / "report.html"


@needs_chromium
@pytest.mark.parametrize("device", WIDTHS)
def test_the_report_of_a_shipped_design_looks_well(design, page, tmp_path, device):
    width = WIDTHS[device]
    wide, high = map(int, answer(page, tmp_path, width, SIZE).split())
    assert wide == width, "something is wider than the page"
    whole = answer(page, tmp_path, width, SIZE, high)
    assert whole == f"{wide} {high}", "the page grows with its window, a picture of all of it would lack the end"

    shot = tmp_path / f"report_{design}_{device}.png"
    screenshot(page, shot, width, high, "--blink-settings=preferredColorScheme=1")
    with Image.open(shot) as picture:
        assert picture.size == (width, high)
        assert (np.asarray(picture.convert("L")) < 128).any(axis=1).mean() > 0.3  # text or bars in many of the rows
        if kept := os.environ.get("QMFN_SCREENSHOTS"):
            # Without k-means the palette lies beside the page's colours: grey tracks turn pink, series change hue.
            fewer = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1)
            fewer.save(Path(kept) / shot.name, optimize=True)
