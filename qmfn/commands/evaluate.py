"""`evaluate`: face verification accuracy of a design, or of the float network, by the LFW protocol."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from qmfn.cli import add_design_arguments, quiet_libraries, run_command

ENGINES = ("keras", "float")


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
        "--engine", choices=ENGINES, default="keras", help="the quantised Keras network (default), or the float one"
    )
    return run_command(evaluate, parser.parse_args(arguments))


def evaluate(arguments: argparse.Namespace) -> int:
    quiet_libraries()
    from qmfn import report
    from qmfn.config import load_config
    from qmfn.faces.images import FaceStore
    from qmfn.faces.verification import embed, read_pairs, verify

    config = load_config(arguments.config, arguments.overrides)
    pairs = read_pairs(arguments.pairs)
    store = FaceStore(arguments.faces)
    embed_batch = _engine(arguments.engine, config)
    started = time.monotonic()
    embeddings = embed(store, pairs.paths, embed_batch, size=config.model.input_size)
    seconds = time.monotonic() - started
    found = verify(embeddings, pairs)
    result = {
        "engine": arguments.engine,
        "pairs": found.pairs,
        "images": found.images,
        "images_per_second": found.images / seconds,
        "accuracy": found.accuracy,
        "accuracy_std": found.accuracy_std,
        "auc": found.auc,
        "eer": found.eer,
        "tar_at_far": found.tar_at_far,
        "threshold": found.threshold,
    }
    for name, value in result.items():
        print(f"{name:18} {value}")
    if arguments.json:
        report.write_json(result, Path(arguments.json))
    return 0


def _engine(name: str, config) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 faces (N, size, size, 3) to embeddings (N, embedding_size)."""
    from qmfn.model.builder import build_model
    from qmfn.model.initial import design_checkpoint
    from qmfn.model.mobilefacenet import architecture, normalise
    from qmfn.model.parameters import import_float_weights, set_parameters
    from qmfn.shared import shared_file

    if name == "float":
        layers = architecture(config.model)
        model = build_model(layers)
        set_parameters(model, import_float_weights(shared_file(config.training.float_weights), layers))
    else:
        checkpoint = design_checkpoint(config)
        model = build_model(checkpoint.layers, checkpoint.formats, exact=True)
        set_parameters(model, checkpoint.parameters())
    return lambda faces: model.predict_on_batch(normalise(faces)).reshape(len(faces), -1)
