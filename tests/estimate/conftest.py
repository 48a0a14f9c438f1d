"""Rows of the shared synthesis data as `LayerDesign`, and small networks to describe."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from qmfn.estimate import LayerDesign

SHARED = Path(os.environ.get("QMFN_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.fixture(scope="session")
def synthesis():
    """name -> rows of synthesis/name.csv as dicts of text; skips where the shared data is absent."""

    def rows(name: str) -> list[dict[str, str]]:
        path = SHARED / "synthesis" / f"{name}.csv"
        if not path.exists():
            pytest.skip(f"{path} is absent; QMFN_SHARED names the folder of the shared data")
        with path.open(encoding="utf-8") as table:
            return list(csv.DictReader(table))

    return rows


@pytest.fixture(scope="session")
def stock_convolutions(synthesis) -> list[tuple[dict[str, str], LayerDesign]]:
    """(report row, layer) of every stock io_stream Conv2D."""
    rows = synthesis("layers")
    return [
        (row, _convolution(row))
        for row in rows
        if row["stock"] == "yes" and row["kind"] == "conv2d" and row["io_type"] == "io_stream"
    ]


def _convolution(row: dict[str, str]) -> LayerDesign:
    def number(column: str) -> int:
        return int(row[column])

    return LayerDesign(
        name=row["config"],
        kind="conv",
        in_height=number("in_h"),
        in_width=number("in_w"),
        in_channels=number("in_c"),
        out_height=number("out_h"),
        out_width=number("out_w"),
        out_channels=number("out_c"),
        kernel=number("k_h"),
        stride=number("stride_h"),
        reuse_factor=number("reuse_factor"),
        strategy=row["strategy"],
        input_bits=number("in_bits"),
        weight_bits=number("w_bits"),
        accumulator_bits=number("accum_bits"),
        result_bits=number("out_bits"),
        zero_weights=number("n_zeros"),
    )


@pytest.fixture(scope="session")
def backend_of():
    """Report row -> name of the hls4ml backend whose tool wrote it."""
    return lambda row: row["tool"].removesuffix(" HLS")
