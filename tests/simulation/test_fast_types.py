"""The fast types are the reference types: same arithmetic, in every mode, and the same whole network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import hls4ml
import numpy as np
import pytest
from helpers.designs import noise, simulate, written

from qmfn.design import load_config
from qmfn.model.initial import design_checkpoint
from qmfn.simulation.compiler import CSIM_TYPES, FLAGS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(hls4ml.__file__).parent / "templates"
FOLDERS = {
    "reference": [TEMPLATES / "vivado" / "ap_types"],
    "fast": [CSIM_TYPES, TEMPLATES / "quartus" / "ac_types"],
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, list[str]]:
    """What `fast_types.cpp` prints with each kind of types."""
    folder = tmp_path_factory.mktemp("types")
    printed = {}
    for types, includes in FOLDERS.items():
        flags = [*FLAGS[types], "-w", *(f"-I{path}" for path in includes)]
        subprocess.run(["g++", *flags, str(Path(__file__).parent / "fast_types.cpp"), "-o", folder / types], check=True)
        done = subprocess.run([folder / types], check=True, capture_output=True, text=True)
        printed[types] = done.stdout.splitlines()
    return printed


def test_every_result_is_the_same_in_every_rounding_and_overflow_mode(outputs):
    assert len(outputs["reference"]) > 50_000
    differing = [i for i, pair in enumerate(zip(*outputs.values(), strict=True)) if pair[0] != pair[1]]
    assert not differing, f"line {differing[0]}: {[lines[differing[0]] for lines in outputs.values()]}"


def test_the_results_are_not_all_the_same_number(outputs):
    assert len(set(outputs["fast"])) > 1_000


@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_a_whole_network_gives_the_same_tensors_with_both(backend, tmp_path):
    config = load_config(ROOT / "configs" / "tiny.yml", [f"hls.backend={backend}"])
    _, graph = written(config, design_checkpoint(config), tmp_path)
    fast, reference = (simulate(graph, tmp_path, types) for types in ("fast", "reference"))
    for image in noise(config, 3, seed=7):
        expected = reference.trace(image)
        for name, values in fast.trace(image).items():
            assert np.array_equal(values, expected[name]), name
