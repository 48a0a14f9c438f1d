"""The boards that files can be written for: a name, a part, and what Vivado calls it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Board:
    """A Zynq UltraScale+ board: its name here, its part, and its board part in Vivado without the version."""

    name: str
    title: str
    part: str
    board_part: str


@cache
def boards() -> dict[str, Board]:
    """The boards that files can be written for, by name."""
    with resources.files(__package__).joinpath("boards.csv").open(encoding="utf-8") as table:
        return {row["name"]: Board(**row) for row in csv.DictReader(table)}


def find_board(part: str) -> Board | None:
    """The board with this part, as design files spell it; None for a part that is on no board here."""
    return next((board for board in boards().values() if board.part.lower() == part.strip().lower()), None)
