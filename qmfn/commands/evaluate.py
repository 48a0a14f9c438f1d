"""`evaluate`: face verification accuracy of a design by the LFW protocol, in Python or through the HLS code."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from qmfn.cli import add_design_arguments, quiet_libraries, run_command

ENGINES = ("keras", "csim", "float")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py",
        description="Verification accuracy: 10 folds, cosine, the threshold of a fold chosen on the other nine.",
        epilog="example: python scripts/evaluate.py --config configs/w8a8.yml --faces lfw_112.tar --pairs pairs.txt",
    )
    add_design_arguments(parser)
    parser.add_argument("--faces", required=True, metavar="PATH", help="folder or tar of aligned faces")
    parser.add_argument("--pairs", required=True, metavar="FILE", help="LFW pairs.txt, or CSV path,path,same")
    parser.add_argument(
        "--engine", choices=ENGINES, default="keras",
        help="keras: the quantised network (default); csim: the HLS code, compared with keras; float: the float one",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=-1, metavar="N", help="csim processes (default: every core)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="also draw roc.png and scores.png into this folder")
    parser.add_argument(
        "--float", action="store_true", dest="compare_with_float",
        help="also run the float network and give the mean cosine to its embeddings",
    )  # fmt: skip
    return run_command(evaluate, parser.parse_args(arguments))


def evaluate(arguments: argparse.Namespace) -> int:
    """Exit code 1 if an embedding of csim and Keras differs."""
    quiet_libraries()
    from qmfn import report
    from qmfn.config import load_config
    from qmfn.faces.images import FaceStore
    from qmfn.faces.plots import draw
    from qmfn.faces.verification import cosine, embed, read_pairs, verify

    config = load_config(arguments.config, arguments.overrides)
    pairs = read_pairs(arguments.pairs)
    store = FaceStore(arguments.faces)
    size = config.model.input_size

    def embedded(engine: Callable[[np.ndarray], np.ndarray]) -> tuple[dict[str, np.ndarray], float]:
        """Embedding by picture, and pictures per second."""
        started = time.monotonic()
        embeddings = embed(store, pairs.paths, engine, size=size)
        return embeddings, len(embeddings) / (time.monotonic() - started)

    with _engine(config, arguments.engine, arguments.jobs) as engine:
        embeddings, speed = embedded(engine)
    found = verify(embeddings, pairs)
    result = _result(arguments.engine, found, speed)
    if arguments.engine == "csim":
        keras, _ = embedded(_keras_engine(config))
        result["differing_embeddings"] = sum(not np.array_equal(embeddings[path], keras[path]) for path in keras)
    if arguments.compare_with_float:
        wanted, _ = embedded(_float_engine(config))
        result["cosine_to_float"] = float(np.mean([cosine(embeddings[path], wanted[path]) for path in wanted]))
    _show(result)
    if arguments.plots:
        draw(found, arguments.plots, f"{config.name} ({arguments.engine})")
    if arguments.json:
        report.write_json(result, Path(arguments.json))
    return 1 if result.get("differing_embeddings") else 0


def _result(engine: str, found, images_per_second: float) -> dict:
    return {
        "engine": engine,
        "pairs": found.pairs,
        "images": found.images,
        "images_per_second": images_per_second,
        "accuracy": found.accuracy,
        "accuracy_std": found.accuracy_std,
        "accuracy_interval": list(found.accuracy_interval),
        "auc": found.auc,
        "eer": found.eer,
        "tar_at_far": found.tar_at_far,
        "threshold": found.threshold,
    }


def _show(result: dict) -> None:
    for name, value in result.items():
        print(f"{name:20} {value}")


@contextlib.contextmanager
def _engine(config, name: str, jobs: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """A function from uint8 faces (N, size, size, 3) to embeddings (N, embedding_size)."""
    if name == "csim":
        with _csim_engine(config, jobs) as engine:
            yield engine
    else:
        yield _float_engine(config) if name == "float" else _keras_engine(config)


def _float_engine(config) -> Callable[[np.ndarray], np.ndarray]:
    from qmfn.model.builder import float_network
    from qmfn.model.mobilefacenet import architecture
    from qmfn.model.parameters import import_float_weights
    from qmfn.shared import shared_file

    layers = architecture(config.model)
    weights = import_float_weights(shared_file(config.training.float_weights), layers)
    return _batch_engine(float_network(layers, weights))


def _keras_engine(config) -> Callable[[np.ndarray], np.ndarray]:
    from qmfn.model.builder import quantised_network
    from qmfn.model.initial import design_checkpoint

    return _batch_engine(quantised_network(design_checkpoint(config)))


def _batch_engine(model) -> Callable[[np.ndarray], np.ndarray]:
    from qmfn.model.mobilefacenet import normalise

    return lambda faces: model.predict_on_batch(normalise(faces)).reshape(len(faces), -1)


@contextlib.contextmanager
def _csim_engine(config, jobs: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """The HLS code of a project that is written for this evaluation and gone afterwards."""
    from qmfn.flow import project_simulation
    from qmfn.hls.csim import simulate
    from qmfn.model.mobilefacenet import normalise

    with tempfile.TemporaryDirectory(prefix="qmfn.") as folder:
        simulation = project_simulation(config, Path(folder))
        yield lambda faces: np.stack(list(simulate(simulation, normalise(faces), jobs)))
