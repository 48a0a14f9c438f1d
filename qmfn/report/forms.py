"""How values are written, the same in every report: numbers with their units, and the types of table columns.

Strings are typographic; where only plain characters will do, `plain` gives those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NBSP = "\u00a0"
"""Between a number and its unit: the two stay on one line."""

DASH = "–"

PLAIN = str.maketrans({NBSP: " ", "–": "-", "−": "-", "×": "x", "±": "+-", "·": "-"})


def plain(text: str) -> str:
    """In characters that every terminal has and a reader can search for."""
    return text.translate(PLAIN)


def percent(share: float, digits: int = 1) -> str:
    """A share, 0..1, in percent; a very large one without decimals."""
    return f"{100 * share:,.{0 if share >= 10 else digits}f}{NBSP}%"


def bits(number: float) -> str:
    """Bits with a decimal prefix, as in Mbit."""
    for size, unit in ((1e6, "Mbit"), (1e3, "kbit")):
        if number >= size:
            return f"{number / size:.3g}{NBSP}{unit}"
    return f"{number:,.0f}{NBSP}bit"


def rate(per_second: float) -> str:
    """Frames per second with as many digits as a reader wants."""
    return f"{per_second:,.1f}" if per_second < 1000 else f"{per_second:,.0f}"


def counted(number: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def words(value: Any) -> str:
    """A value of a result as a reader expects it: dicts and lists without their brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {words(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return " and ".join(map(words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _error(value: float) -> str:
    sign = "" if round(value, 3) == 0 else "+" if value > 0 else "−"
    return sign + percent(abs(value))


def _band(ends: Sequence[int]) -> str:
    low, high = ends
    return f"{low:,} – {high:,}" if low != high else f"{low:,}"


@dataclass(frozen=True)
class Form:
    """The type of a column: how its values are written, and whether they are words or numbers. None is a dash."""

    write: Callable[[Any], str]
    is_text: bool = False

    def __call__(self, value: Any) -> str:
        return DASH if value is None else self.write(value)


TEXT = Form(words, is_text=True)
VERDICT = Form(str)
COUNT = Form("{:,}".format)
USED = Form(lambda count: f"{count:,}" if count else DASH)
"""A count of which 0 is a dash, so that what is there stands out."""
NUMBER = Form("{:g}".format)
MEAN = Form("{:.2f}".format)
COSINE = Form("{:.4f}".format)
RATE = Form(rate)
BITS = Form(bits)
PERCENT = Form(percent)
PRECISE_PERCENT = Form(lambda share: percent(share, 2))
ERROR = Form(_error)
BAND = Form(_band)
BAND_IN_THOUSANDS = Form(lambda ends: f"{ends[0] / 1000:.1f} – {ends[1] / 1000:.1f}")
