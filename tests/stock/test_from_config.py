"""A design described from config and checkpoint equals the one read from the converted graph."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from helpers.designs import written
from helpers.networks import designs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmfn.design import DesignConfig, load_config
from qmfn.model.initial import design_checkpoint, random_checkpoint
from qmfn.network.checkpoint import Checkpoint
from qmfn.stock import describe, describe_design, estimate

ROOT = Path(__file__).resolve().parents[2]


def assert_equal(config: DesignConfig, checkpoint: Checkpoint) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, graph = written(config, checkpoint, Path(folder))
    converted, described = describe(graph), describe_design(config, checkpoint)
    for wanted, found in zip(converted.layers, described.layers, strict=True):
        assert found == wanted
    assert described == converted


@pytest.mark.slow
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=designs(), seed=st.integers(0, 2**16))
def test_random_designs_are_described_as_hls4ml_converts_them(config, seed):
    assert_equal(config, random_checkpoint(config, seed))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_the_full_network_is_described_as_hls4ml_converts_it(backend):
    config = load_config(ROOT / "configs" / "stock.yml", [f"hls.backend={backend}"])
    assert_equal(config, design_checkpoint(config))


def test_a_full_estimate_without_conversion_takes_a_fraction_of_a_second():
    config = load_config(ROOT / "configs" / "stock.yml")
    checkpoint = design_checkpoint(config)
    start = time.process_time()  # other work on the machine doesn't stretch it
    estimate(describe_design(config, checkpoint))
    assert time.process_time() - start < 1


def test_estimating_needs_neither_tensorflow_nor_hls4ml():
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from qmfn.cli import main
assert main(["estimate", "--config", {str(ROOT / "configs" / "stock.yml")!r}]) == 0
assert not {{"tensorflow", "hls4ml", "qkeras", "sklearn", "scipy", "matplotlib"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert "frames/s (estimated)" in done.stdout and "post-synthesis" in done.stdout
