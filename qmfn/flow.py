"""From a design file to a verified HLS project: a list of named steps that can stop after any of them.

Everything is written into a folder beside the final one, which takes its place when the last step is done: an error or
an interrupt leaves what stood there before.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from qmfn import projects, report, stock
from qmfn.backends import boards
from qmfn.backends.hls4ml import convert, project, readback
from qmfn.backends.hls4ml.pragmas import check_project_pragmas
from qmfn.backends.hls4ml.stage_layer import plan_of
from qmfn.backends.request import Request, request_of
from qmfn.design import DesignConfig
from qmfn.devices import Device
from qmfn.devices.boards import find_board
from qmfn.errors import UserError
from qmfn.faces.evaluation import known_evaluation
from qmfn.faces.samples import comparison_faces
from qmfn.files import folder_aside
from qmfn.model.builder import float_network, quantised_network
from qmfn.model.initial import design_checkpoint
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.footprint import footprint
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import import_float_weights
from qmfn.plan.fifos import check_depths
from qmfn.plan.store import write_plan
from qmfn.resources.estimate import estimate_plan
from qmfn.search.foldings import settled
from qmfn.shared import shared_folder
from qmfn.simulation import compare, compiler, concurrent, csim


@dataclass
class Run:
    """What the steps hand on, each thing from the step on that makes it; `result` is what becomes report.json."""

    config: DesignConfig
    folder: Path
    final: Path
    result: dict[str, Any] = field(default_factory=dict)
    checkpoint: Checkpoint = field(init=False)
    request: Request = field(init=False)
    faces: np.ndarray = field(init=False)
    face_names: list[str] = field(init=False)
    model: Any = field(init=False)
    graph: Any = field(init=False)
    simulation: csim.Simulation = field(init=False)
    embeddings: np.ndarray = field(init=False)

    @property
    def images(self) -> np.ndarray:
        """The comparison faces as the network takes them."""
        return normalise(self.faces)


@dataclass(frozen=True)
class Step:
    """One step; `says` is printed while it runs."""

    name: str
    says: str
    do: Callable[[Run], None]


def load(run: Run) -> None:
    """Checkpoint, footprint and every HLS setting: whatever can be wrong with the design shows here."""
    run.checkpoint = design_checkpoint(run.config)
    run.config = settled(run.config, run.checkpoint)
    device = _device(run.config)
    run.request = request_of(run.config, run.checkpoint)
    _check_memories(run.config, run.request, device)
    layers = run.checkpoint.layers
    run.result["design"] = {
        "name": run.config.name,
        "config": str(run.config.file),
        "dataflow": run.config.hls.dataflow,
        "backend": run.config.hls.backend,
        "part": run.config.hls.part,
        "board": device.board,
        "clock_period_ns": run.config.hls.clock_period_ns,
        "input_size": run.config.model.input_size,
        "embedding_size": run.config.model.embedding_size,
        "layers": len(layers),
        "multiplications": sum(layer.multiplications for layer in layers),
        "checkpoint": dict(run.checkpoint.origin),
    }
    run.result["footprint"] = footprint(run.checkpoint).as_dict()


def _device(config: DesignConfig) -> Device:
    try:
        return config.hls.target.device
    except UserError as error:
        raise UserError(f"{config.file}: hls.part = {config.hls.part}: {error}.") from None


def _check_memories(config: DesignConfig, request: Request, device: Device) -> None:
    for layer, folding in request.foldings.items():
        if folding.line_memory == "uram" and not device.uram:
            raise UserError(
                f"{config.file}: hls.layers: {layer} has line_memory = uram, but {device.part} ({device.board}) has no "
                "UltraRAM; ask for bram, lutram or auto."
            )


def gather_faces(run: Run) -> None:
    """The faces that Python and C-simulation will be compared on."""
    settings = run.config.comparison
    source = None if settings.faces is None else run.config.resolve(settings.faces)
    run.faces, run.face_names = comparison_faces(source, settings.images, run.config.model.input_size)


def build(run: Run) -> None:
    """The quantised Keras network."""
    run.model = quantised_network(run.checkpoint)


def write(run: Run) -> None:
    """hls4ml's graph and the HLS project, read back and checked against what was asked."""
    started = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):  # hls4ml narrates
        run.graph = convert.convert(run.config, run.checkpoint, run.request, run.model, run.folder)
        project.write_project(run.graph, run.folder, run.final)
    readback.check_project(run.graph, run.checkpoint, run.request, run.folder)
    if run.request.plan is not None:
        check_project_pragmas(run.folder, run.config.hls.backend)
        write_plan(plan_of(run.graph), run.folder)
        _write_board_files(run)
    run.result["csim"] = {"convert_seconds": time.monotonic() - started}


def _write_board_files(run: Run) -> None:
    """Top level, scripts and driver where the design's part is on a board that there are files for."""
    board = find_board(run.config.hls.part)
    if board is None:
        return
    hls, model = run.config.hls, run.config.model
    output = run.request.types[run.checkpoint.layers[-1].name].output
    design = boards.BoardDesign(
        model.input_size, model.embedding_size, output, hls.clock_period_ns, hls.backend,
        clock_uncertainty=run.graph.config.get_config_value("ClockUncertainty"),
    )  # fmt: skip
    boards.write_board_files(run.folder, board, design)


def estimate_design(run: Run) -> None:
    """Cycles and resources per layer or stage, estimated."""
    if run.request.plan is None:
        run.result |= stock.estimate(stock.describe(run.graph)).report_sections()
        return
    plan = plan_of(run.graph)
    run.result |= estimate_plan(plan, run.config.hls.target).report_sections()
    run.result["estimate"]["latency_cycles"] = check_depths(plan).latency  # simulated; the estimate knows a lower bound


def compile_csim(run: Run) -> None:
    """The C-simulation library."""
    started = time.monotonic()
    library = compiler.library_for(run.folder, run.config.csim.types)
    run.simulation = csim.Simulation(library, run.folder / "firmware" / "weights", csim.tensors_of(run.graph))
    run.result["csim"] |= {"types": run.config.csim.types, "compile_seconds": time.monotonic() - started}


def compare_with_python(run: Run) -> None:
    """Every value of every layer; expected outputs go into the project's test bench."""
    simulation = csim.Csim(run.simulation)
    started = time.monotonic()
    found = compare.compare(
        simulation, run.model, run.checkpoint, run.images, run.config.hls.dataflow == "folded",
        lambda images: tqdm(images, desc="comparing", unit="face", leave=False, disable=None),
    )  # fmt: skip
    run.result["csim"]["images_per_second"] = found.images / (time.monotonic() - started)
    run.embeddings = np.stack(found.embeddings)
    project.write_test_bench(run.folder, run.images, run.embeddings)
    run.result["comparison"] = {
        "images": found.images,
        "faces": run.face_names,
        "mismatches": found.mismatches,
        "first_difference": str(found.first_difference) if found.first_difference else None,
        "cosine_to_float": _cosine_to_float(run, run.embeddings),
        "tensors": [asdict(tensor) for tensor in found.tensors],
    }


def _cosine_to_float(run: Run, embeddings: np.ndarray) -> float | None:
    """Mean cosine between quantised and float embeddings; None where there is nothing to compare with."""
    if run.config.checkpoint is None:
        return None
    path = shared_folder() / run.config.training.float_weights
    layers = architecture(run.config.model)
    try:
        weights = import_float_weights(path, layers)
    except UserError:  # not there, or those of another network
        return None
    model = float_network(layers, weights)
    wanted = model.predict(run.images, verbose=0).reshape(embeddings.shape)
    lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(np.mean(np.sum(embeddings * wanted, axis=1) / lengths)) if lengths.all() else None


VERIFIED_FRAMES = 3
"""Frames that run at once in the verification mode: enough for the pipeline to fill and its interval to show."""


def verify(run: Run) -> None:
    """All stages of a folded design at the same time, over FIFOs of their depths."""
    if run.request.plan is None:
        return
    faces = np.resize(np.arange(len(run.images)), VERIFIED_FRAMES)  # the first ones again where there are fewer
    run.result["verification"] = concurrent.verdict(
        plan_of(run.graph), run.folder, run.images[faces], run.embeddings[faces], run.config.csim.types
    )


STEPS = (
    Step("load", "reading design and checkpoint", load),
    Step("faces", "finding and aligning faces", gather_faces),
    Step("model", "building the quantised Keras network", build),
    Step("write", "converting with hls4ml, writing the HLS project", write),
    Step("estimate", "estimating cycles and resources", estimate_design),
    Step("compile", "compiling the C-simulation", compile_csim),
    Step("compare", "comparing C-simulation and Python", compare_with_python),
    Step("verify", "running all stages at once over FIFOs of their depths", verify),
)
STEP_NAMES = tuple(step.name for step in STEPS)


def project_simulation(config: DesignConfig, folder: Path) -> csim.Simulation:
    """The compiled C-simulation of a design whose project is written into `folder`, without faces or report."""
    run = Run(config, folder, folder)
    for step in (load, build, write, compile_csim):
        step(run)
    return run.simulation


def run_flow(
    config: DesignConfig,
    output: Path,
    until: str,
    say: Callable[[str], None],
    command: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Run the steps up to `until`, then put the project and its report in place.

    Args:
        output: folder of projects; the design goes into `output/<name>`.
        until: name of the last step.
        say: takes one line of progress.
        command: command line that does the same again, for the report.
        force: replace a project that was written from another design file.

    Returns:
        The result, as in report.json.

    Raises:
        UserError: something that the user gave can't be used, or `output/<name>` must stay (`projects.Place`).
    """
    steps = STEPS[: STEP_NAMES.index(until) + 1]
    place = projects.Place(output / config.name, config.file, until == STEP_NAMES[-1], force)
    with _aside(place) as folder:
        place.check()
        run = Run(config, folder, Path(os.path.realpath(place.folder)))
        for number, step in enumerate(steps, start=1):
            say(f"[{number}/{len(steps)}] {step.says}")
            step.do(run)
        text = config.file.read_text(encoding="utf-8") if config.file.is_file() else None
        run.result["design"] |= {"command": command, "config_text": text}
        report.write(folder, run.result, known_evaluation(config))
        place.mark(folder)
        kept = place.take(folder)
    if kept:
        say(kept)
    return run.result


@contextlib.contextmanager
def _aside(place: projects.Place) -> Iterator[Path]:
    """A folder beside the final one, gone afterwards whatever happens."""
    final = place.real_folder
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(folder_aside(final.parent, f".{final.name}."))
        except OSError as error:
            raise UserError(f"{place.folder}: can't be written ({error.strerror}: {error.filename}).") from None
        folder.chmod(0o755)  # a temporary folder is its owner's alone
        yield folder
