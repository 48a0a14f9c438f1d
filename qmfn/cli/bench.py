"""`bench`: stock hls4ml C-simulation and ours side by side, in one run, on the same design and images.

Each side runs in a process of its own, so that its peak memory is its own. Stock hls4ml simulates on one core only.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qmfn.cli.shared import EXIT_ERROR, Command, add_design_arguments, design_words, load_design, write_result

if TYPE_CHECKING:
    import numpy as np

Result = TypeVar("Result")

STOCK_IMAGES = 4
REPEATS = 16
"""How often our side runs the images that stock runs once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)


def bench(arguments: argparse.Namespace) -> int:
    """Exit code 1 if the two give different embeddings."""
    if arguments.side:
        _run_side(arguments)
        return 0
    load_design(arguments, with_checkpoint=True)
    with tempfile.TemporaryDirectory(prefix="qmfn.") as folder:
        sides = {side: _side_result(arguments, side, Path(folder)) for side in SIDES}
    same = sides["stock"].pop("embeddings") == sides["ours"].pop("embeddings")
    result = {**sides, "ratio": _ratios(sides["stock"], sides["ours"]), "same_embeddings": same}
    _show(result)
    write_result(arguments, result)
    return 0 if same else EXIT_ERROR


COMMAND = Command(
    name="bench",
    group="qmfn itself",
    summary="the C-simulation against that of stock hls4ml",
    description="Stock hls4ml C-simulation and ours: convert, compile, images/s, peak memory.",
    examples=("--config configs/w8a8.yml",),
    add_arguments=add_arguments,
    run=bench,
)


def _side_result(arguments: argparse.Namespace, side: str, folder: Path) -> dict:
    file = folder / f"{side}.json"
    command = [sys.executable, "-m", "qmfn", "bench", *design_words(arguments)]
    print(f"running {side} ...", flush=True)
    environment = {**os.environ, "QMFN_CACHE": str(folder / "cache")}  # nothing compiled beforehand
    done = subprocess.run([*command, "--side", side, "--result", str(file)], env=environment)
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(file.read_text())


def _run_side(arguments: argparse.Namespace) -> None:
    import numpy as np

    from qmfn.model.builder import quantised_network
    from qmfn.model.initial import design_checkpoint
    from qmfn.network.mobilefacenet import normalise

    config = load_design(arguments)
    checkpoint = design_checkpoint(config)
    model = quantised_network(checkpoint)
    size = config.model.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (STOCK_IMAGES, size, size, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory(prefix="qmfn.") as folder:
        result = SIDES[arguments.side](config, checkpoint, model, normalise(pixels), Path(folder))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    arguments.result.write_text(json.dumps({**result, "peak_megabytes": max(peaks) / 1024}))


def _stock(config, checkpoint, model, images: np.ndarray, folder: Path) -> dict:
    """hls4ml as it is: convert, write, build_lib.sh, predict."""
    import numpy as np

    from qmfn.backends.hls4ml import convert
    from qmfn.backends.request import request_of

    with contextlib.redirect_stdout(io.StringIO()):
        request = request_of(config, checkpoint)
        graph, converting = _timed(lambda: convert.unhurried(config, checkpoint, request, model, folder, probes=False))
        _, writing = _timed(graph.write)
        _, compiling = _timed(graph._compile)  # `compile` would write again
    images = np.ascontiguousarray(images, np.float64)
    graph.predict(images[:1])  # reads the weights
    embeddings, seconds = _timed(lambda: graph.predict(images))
    speed = len(images) / seconds
    return _numbers(converting + writing, compiling, speed, speed, embeddings.reshape(len(images), -1))


def _ours(config, checkpoint, model, images: np.ndarray, folder: Path) -> dict:
    """Our conversion, fast types, one process and all cores."""
    import numpy as np

    from qmfn.backends.hls4ml import convert, project
    from qmfn.backends.request import request_of
    from qmfn.simulation import compiler, csim

    with contextlib.redirect_stdout(io.StringIO()):
        request = request_of(config, checkpoint)
        graph, converting = _timed(lambda: convert.convert(config, checkpoint, request, model, folder))
        _, writing = _timed(lambda: project.write_project(graph, folder, folder))
    library, compiling = _timed(lambda: compiler.library_for(folder, "fast"))
    simulation = csim.Simulation(library, folder / "firmware" / "weights", csim.tensors_of(graph))
    repeated = np.concatenate([images] * REPEATS)
    single = csim.Csim(simulation)
    single.predict(images[0])
    embeddings, one_seconds = _timed(lambda: [single.predict(image) for image in repeated])
    list(csim.simulate(simulation, repeated))  # starts the workers, reads the weights
    _, all_seconds = _timed(lambda: list(csim.simulate(simulation, np.concatenate([repeated, repeated]))))
    speeds = len(repeated) / one_seconds, 2 * len(repeated) / all_seconds
    return _numbers(converting + writing, compiling, *speeds, np.stack(embeddings[: len(images)]))


SIDES: dict[str, Callable[..., dict]] = {"stock": _stock, "ours": _ours}


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.monotonic()
    return work(), time.monotonic() - started


def _numbers(convert: float, compile_: float, one: float, every: float, embeddings: np.ndarray) -> dict:
    return {
        "convert_seconds": convert,
        "compile_seconds": compile_,
        "convert_and_compile_seconds": convert + compile_,
        "images_per_second_one_process": one,
        "images_per_second_all_cores": every,
        "embeddings": embeddings.tolist(),
    }


def _ratios(stock: dict, ours: dict) -> dict:
    """How many times better ours is."""
    return {name: ours[name] / stock[name] if "per_second" in name else stock[name] / ours[name] for name in stock}


def _show(result: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "stock", "ours", "ratio", box=None)
    for name, value in result["stock"].items():
        table.add_row(
            name.replace("_", " "), f"{value:.2f}", f"{result['ours'][name]:.2f}", f"{result['ratio'][name]:.1f}x"
        )
    Console(width=100).print(table)
    print("embeddings are the same" if result["same_embeddings"] else "EMBEDDINGS DIFFER")
