"""The course of a training run: `log.csv` and a picture of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

LOG_FIELDS = ("step", "loss", "learning_rate", "held_out_auc", "held_out_cosine", "seconds")
"""Columns of `log.csv`: mean loss since the row before, scores on the people that are kept out, seconds of training."""


def read_log(path: Path) -> list[dict[str, float]]:
    """Rows of a log, oldest first; none if there is no file yet."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def draw_curves(rows: Sequence[dict[str, float]], path: Path) -> None:
    """Loss and scores over the steps, as a picture."""
    from matplotlib.figure import Figure

    steps = [row["step"] for row in rows]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, scores = figure.subplots(1, 2)
    loss.plot(steps, [row["loss"] for row in rows], marker=".")
    loss.set(xlabel="step", ylabel="1 - cosine to the float embedding", yscale="log", title="training loss")
    scores.plot(steps, [row["held_out_cosine"] for row in rows], marker=".", label="cosine to float")
    scores.plot(steps, [row["held_out_auc"] for row in rows], marker=".", label="verification AUC")
    scores.set(xlabel="step", title="people kept out of training")
    scores.legend()
    for axes in (loss, scores):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
