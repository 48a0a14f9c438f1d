"""`calibrate`: refit the estimates to the shared synthesis data and measure them on held-out repositories."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from qmfn.cli.shared import Command
from qmfn.shared import shared_file

COEFFICIENTS = Path(__file__).parents[1] / "estimate" / "coefficients.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--docs", type=Path, default=Path("docs/estimates"), metavar="DIR", help="where accuracy.md and plots go"
    )
    parser.add_argument("--coefficients", type=Path, default=COEFFICIENTS, metavar="FILE", help="where the fit goes")


def calibrate(arguments: argparse.Namespace) -> int:
    """About a minute on one core."""
    folder = shared_file("synthesis")
    from qmfn.report import atomic_write_text
    from qmfn.stock import calibration, figures

    samples = calibration.select_layers(calibration.read_rows(folder / "layers.csv"))
    samples += calibration.select_streams(calibration.read_rows(folder / "other_layers.csv"))
    fitted = calibration.calibrate(samples, calibration.read_rows(folder / "designs.csv"))
    held_out = calibration.cross_validate(samples)
    layers = [calibration.without_lone_rules(sample) for sample in samples if sample.group in ("resource", "unrolled")]
    text = figures.accuracy_page(held_out, calibration.cross_validate(layers), fitted)
    arguments.docs.mkdir(parents=True, exist_ok=True)
    atomic_write_text(arguments.coefficients, json.dumps(calibration.as_json(fitted), indent=2) + "\n")
    atomic_write_text(arguments.docs / "accuracy.md", text)
    figures.plot_resources(held_out, arguments.docs / "held_out.png")
    print(text)
    return 0


COMMAND = Command(
    name="calibrate",
    group="qmfn itself",
    summary="refit the estimates to the shared synthesis data",
    description="Refit qmfn/resources/coefficients.json; write accuracy tables and plots on held-out repositories.",
    examples=("",),
    add_arguments=add_arguments,
    run=calibrate,
)
