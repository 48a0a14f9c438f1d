"""Headless Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


def screenshot(page: Path, picture: Path, width: int, height: int, *options: str) -> None:
    """A picture of the upper left of a page that is `width` pixels wide."""
    _browse(page, picture.parent, width, height, f"--screenshot={picture}", *options)


def answer(page: Path, folder: Path, width: int, expression: str, height: int = 1000) -> str:
    """What a JavaScript expression gives at the end of a page in a frame of `width` times `height` pixels."""
    asking = folder / "asking.html"
    script = f"<script>parent.postMessage(String({expression}), '*')</script>"
    asking.write_text(page.read_text().replace("</body>", f"{script}</body>"))
    done = _browse(asking, folder, width, height, "--virtual-time-budget=2000", "--dump-dom")
    return re.search("<title>(.*)</title>", done.stdout).group(1)


def _browse(page: Path, folder: Path, width: int, height: int, *options: str) -> subprocess.CompletedProcess:
    """Open a page in a frame, since no window is as narrow as a phone; fails if it writes to the console, where errors
    go. `folder` takes the frame and the browser's profile.
    """
    frame = folder / "frame.html"
    frame.write_text(
        "<title></title><script>onmessage = (message) => { document.title = message.data }</script>"
        '<body style="margin: 0">'
        f'<iframe src="{page.as_uri()}" style="border: 0; width: {width}px; height: {height}px">'
    )
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}", *options, frame.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    return done
