"""`fold`: foldings of all layers for a frame rate or a budget, written as an ordinary design file."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli.shared import Command, add_design_arguments, load_design, write_result
from qmfn.errors import UserError

if TYPE_CHECKING:
    from qmfn.design import DesignConfig
    from qmfn.report.tree import Section
    from qmfn.resources.estimate import PlanEstimate
    from qmfn.search.foldings import FoundFoldings

PARETO_PARTS = ("xck26", "xczu7ev", "xczu9eg")
"""Devices of the Pareto picture: KV260, ZCU104, ZCU102."""

UNCHANGED = ("name", "model", "quantisation", "training", "csim", "comparison")
"""Groups of a design file that `--output` leaves as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)
    parser.add_argument(
        "--target-fps", type=_positive, metavar="FPS", help="frames per second to reach with as little as can be"
    )
    parser.add_argument(
        "--budget", type=_percent, default=80.0, metavar="PERCENT",
        help="of every resource, at most, at the high end of the estimate (80); without a target it is filled",
    )  # fmt: skip
    parser.add_argument("--part", metavar="PART", help="FPGA part, instead of the design file's")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write a design file with the foldings")
    parser.add_argument(
        "--pareto", type=Path, metavar="PICTURE", help="draw frames/s against LUT, BRAM and DSP on several devices"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: must be above 0")
    return value


def _percent(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text}: must be above 0 and at most 100")
    return value


def fold(arguments: argparse.Namespace) -> int:
    config = load_design(arguments)
    from qmfn import report
    from qmfn.model.initial import design_checkpoint
    from qmfn.network.from_checkpoint import network_of
    from qmfn.search.foldings import frontier, search_foldings

    target = dataclasses.replace(config.hls.target, part=arguments.part or config.hls.part)
    network = network_of(design_checkpoint(config))
    budget = arguments.budget / 100
    found = search_foldings(network, target, arguments.target_fps, budget)
    if arguments.output:  # before anything is printed: a pager that is closed early must not cost the file
        write_design(config, found.as_yaml(), arguments.output)
    report.show(_sections(found))
    write_result(arguments, found.as_dict())
    if arguments.pareto:
        targets = [dataclasses.replace(target, part=part) for part in PARETO_PARTS]
        lines = {one.part: frontier(network, one, budget) for one in targets}
        draw_pareto(lines, config.name, arguments.pareto)
    return 0


COMMAND = Command(
    name="fold",
    group="designs",
    summary="SIMD, PE and memories of a design for a frame rate or a budget",
    description="Chooses SIMD, PE, multipliers and memories of all layers of a folded design; converts nothing.",
    examples=("--config configs/w4a4.yml --target-fps 1000 --output w4a4_fast.yml",),
    add_arguments=add_arguments,
    run=fold,
)


def _sections(found: FoundFoldings) -> list[Section]:
    """What is printed: what limits, the resources of the whole, cycles and FIFOs, the layers."""
    from qmfn.report.content import fifo_section, pace, resources_section
    from qmfn.report.tree import Section, paragraph

    results = found.estimate.report_sections()
    estimate, fifo = results["estimate"], results["fifo"]
    bound = f"The latency is {estimate['latency_cycles']:,} cycles at least."
    head = Section(
        f"Folded design on {found.estimate.target.device.board}",
        [paragraph(pace(estimate)), paragraph(f"What limits: {found.limits}. {bound}")],
    )
    return [head, resources_section(estimate), fifo_section(fifo, estimate), _layers(found)]


def _layers(found: FoundFoldings) -> Section:
    from qmfn.report.forms import TEXT, USED
    from qmfn.report.tree import Column, Section, Table, paragraph

    used = {row.stage.name: row.used.expected for row in found.estimate.stages}

    used = {row.stage.name: row.used.expected for row in found.estimate.stages}
    rows = []
    for name, folding in found.foldings.items():
        kernel, own = found.plan[name].kernel, used[name]
        lines = "" if folding.line_memory == "auto" else folding.line_memory
        counts = (folding.simd, folding.pe, kernel.reuse_factor, kernel.iterations, own.lut, own.dsp, own.bram_18k)
        rows.append([name, folding.multiplier, folding.weights_memory, lines, *counts])
    columns = [
        *(Column(heading, TEXT) for heading in ("layer", "multiplier", "weights", "lines")),
        *(Column(heading, USED) for heading in ("SIMD", "PE", "RF", "cycles", "LUT", "DSP", "BRAM")),
    ]
    return Section("Layers", [paragraph("Cycles per frame, exact; resources estimated."), Table(columns, rows)])


def write_design(config: DesignConfig, group: str, path: Path) -> None:
    """Write the design file with another `hls` group; the rest of its text stays, but for paths to its files.

    Raises:
        UserError: the file can't be written, or `--set` changed what stands outside the group.
    """
    from qmfn.design import load_config
    from qmfn.files import file_aside

    text = with_group(config.file.read_text(encoding="utf-8"), group)
    if config.checkpoint is not None:
        relative = os.path.relpath(config.resolve(config.checkpoint), path.parent.resolve())
        text = re.sub(r"(?m)^checkpoint:[^#\n]*?(?=\s*(#.*)?$)", f"checkpoint: {relative}", text)
    try:
        with file_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
            written = load_config(aside)
            changed = [key for key in UNCHANGED if getattr(written, key) != getattr(config, key)]
            if changed:
                raise UserError(
                    f"--output {path}: keeps the text of {config.file}, so --set {changed[0]}... can't be carried "
                    "over; write it into the design file first."
                )
    except OSError as error:
        raise UserError(f"--output {path}: can't be written ({error.strerror}).") from None


def with_group(text: str, group: str) -> str:
    """A design file's text with its `hls` group replaced, or added at the end."""
    found = re.search(r"(?m)^hls:.*\n(?:(?:[ \t].*)?\n|[ \t].*\Z)*", text if text.endswith("\n") else text + "\n")
    if found is None:
        return f"{text.rstrip()}\n\n{group}"
    rest = text[found.end() :]
    return text[: found.start()] + group + (f"\n{rest}" if rest.strip() else "")


def draw_pareto(lines: dict[str, list[PlanEstimate]], name: str, path: Path) -> None:
    """Frames per second against LUT, BRAM_18K and DSP; one line per device, high ends of the bands as error bars.

    Raises:
        UserError: the picture can't be written.
    """
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from qmfn.files import file_aside
    from qmfn.report.tree import RESOURCES

    figure, panels = pyplot.subplots(1, 3, figsize=(13, 4), sharey=True, facecolor="white", layout="constrained")
    for resource, panel in zip(("lut", "bram_18k", "dsp"), panels, strict=True):
        for estimates in (found for found in lines.values() if found):
            ends = [
                [getattr(getattr(one.total, end), resource) for one in estimates]
                for end in ("low", "expected", "high")
            ]
            low, expected, high = (np.array(end) for end in ends)
            speed = [one.frames_per_second for one in estimates]
            panel.errorbar(
                expected, speed, xerr=[expected - low, high - expected], fmt="o-", capsize=2, linewidth=1, markersize=4,
                label=estimates[0].target.device.board,
            )  # fmt: skip
        panel.set_xlabel(f"{RESOURCES[resource]} (estimated, 10-90 %)")
        panel.locator_params(axis="x", nbins=6)
    panels[0].set_ylabel("frames/s (estimated)")
    panels[0].legend(title=name)
    try:
        with file_aside(path) as aside:
            figure.savefig(aside, format=path.suffix.lstrip(".") or "png", dpi=120)
    except (OSError, ValueError) as error:
        raise UserError(f"--pareto {path}: can't be written ({error}).") from None
    finally:
        pyplot.close(figure)
