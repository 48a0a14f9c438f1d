"""`evaluate`: face verification accuracy of a design by the LFW protocol, in Python or through the HLS code."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli.shared import EXIT_ERROR, Command, add_design_arguments, load_design, write_result
from qmfn.shared import shared_file

if TYPE_CHECKING:
    import numpy as np

ENGINES = ("keras", "exact", "csim", "float")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)
    parser.add_argument("--faces", required=True, metavar="PATH", help="folder or tar of aligned faces")
    parser.add_argument("--pairs", required=True, metavar="FILE", help="LFW pairs.txt, or CSV path,path,same")
    parser.add_argument(
        "--engine", choices=ENGINES, default="keras",
        help="keras: the quantised network (default); exact: the same in integer arithmetic, the fastest; csim: the "
        "HLS code, compared with keras; float: the float network",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=-1, metavar="N", help="csim processes (default: every core)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="also draw roc.png and scores.png into this folder")
    parser.add_argument(
        "--float", action="store_true", dest="compare_with_float",
        help="also run the float network and give the mean cosine to its embeddings",
    )  # fmt: skip


def evaluate(arguments: argparse.Namespace) -> int:
    """Exit code 1 if an embedding of csim and Keras differs."""
    config = load_design(arguments, with_checkpoint=arguments.engine != "float")
    if arguments.engine == "float" or arguments.compare_with_float:
        shared_file(config.training.float_weights)
    from qmfn.faces.images import FaceStore
    from qmfn.faces.verification import cosine, embed, known_pictures, read_pairs, verify

    pairs = read_pairs(arguments.pairs)
    store = FaceStore(arguments.faces)
    known_pictures(store, pairs.paths)
    import numpy as np

    from qmfn.engines import engine, float_engine, keras_engine
    from qmfn.faces.operating_point import content_hash
    from qmfn.faces.plots import draw
    from qmfn.report.pictures import verification_curves

    size = config.model.input_size

    def embedded(embed_batch: Callable[[np.ndarray], np.ndarray]) -> tuple[dict[str, np.ndarray], float]:
        """Embedding by picture, and pictures per second."""
        started = time.monotonic()
        embeddings = embed(store, pairs.paths, embed_batch, size=size)
        return embeddings, len(embeddings) / (time.monotonic() - started)

    with engine(config, arguments.engine, arguments.jobs) as chosen:
        embeddings, speed = embedded(chosen)
    found = verify(embeddings, pairs)
    result = _result(arguments.engine, found, speed)
    if arguments.engine == "csim":
        keras, _ = embedded(keras_engine(config))
        result["differing_embeddings"] = sum(not np.array_equal(embeddings[path], keras[path]) for path in keras)
    if arguments.compare_with_float:
        wanted, _ = embedded(float_engine(config))
        result["cosine_to_float"] = float(np.mean([cosine(embeddings[path], wanted[path]) for path in wanted]))
    _show(result)
    result["curves"] = verification_curves(found.scores, found.same)
    if config.checkpoint is not None and arguments.engine != "float":
        result["checkpoint_sha256"] = content_hash(config.resolve(config.checkpoint))
    if arguments.plots:
        draw(found, arguments.plots, f"{config.name} ({arguments.engine})")
    write_result(arguments, result)
    return EXIT_ERROR if result.get("differing_embeddings") else 0


COMMAND = Command(
    name="evaluate",
    group="networks",
    summary="verification accuracy of a design by the LFW protocol",
    description="Verification accuracy: 10 folds, cosine, the threshold of a fold chosen on the other nine.",
    examples=("--config configs/w8a8.yml --faces lfw_112.tar --pairs pairs.txt",),
    add_arguments=add_arguments,
    run=evaluate,
)


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
