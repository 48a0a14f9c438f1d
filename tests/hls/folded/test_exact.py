"""Folded designs equal QKeras in every value of every stage, whatever the network and its folding."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from helpers.designs import compared, noise
from helpers.networks import folded_designs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmfn.config import load_config
from qmfn.hls.folded.from_checkpoint import folded_layers, folded_pipeline
from qmfn.hls.types import layer_types
from qmfn.model.initial import design_checkpoint, random_checkpoint

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = int(os.environ.get("QMFN_EXAMPLES", 8))


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same networks on every machine; QMFN_EXAMPLES asks for more
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(config=folded_designs(), seed=st.integers(0, 2**16), types=st.sampled_from(["fast", "fast", "reference"]))
def test_every_stage_equals_qkeras_for_random_networks_and_foldings(config, seed, types):
    checkpoint = random_checkpoint(config, seed)
    with tempfile.TemporaryDirectory() as folder:
        result = compared(config, checkpoint, Path(folder), noise(config, 3, seed), types)
    assert result.mismatches == 0, result.first_difference
    assert len(result.tensors) == len(checkpoint.layers)
    assert all(tensor.values for tensor in result.tensors)


@pytest.mark.parametrize("types", ["fast", pytest.param("reference", marks=pytest.mark.slow)])
@pytest.mark.parametrize("multiplier", ["fabric", pytest.param("dsp", marks=pytest.mark.slow)])
def test_tiny_equals_qkeras(tmp_path, types, multiplier):
    layers = {"bottleneck*_expand": {"simd": 4, "pe": 4, "multiplier": multiplier}}
    config = load_config(ROOT / "configs" / "tiny.yml", ["hls.dataflow=folded", f"hls.layers={layers}"])
    checkpoint = design_checkpoint(config)
    if multiplier == "dsp":
        shared = [stage for stage in folded_pipeline(config, checkpoint).stages if stage.lanes_per_dsp > 1]
        assert {stage.name for stage in shared} == {f"bottleneck{n}_expand" for n in (1, 2, 3)}
    result = compared(config, checkpoint, tmp_path, noise(config, 2, seed=1), types)
    assert result.mismatches == 0, result.first_difference


def test_the_reuse_factor_alone_folds_a_layer():
    config = load_config(ROOT / "configs" / "tiny.yml", ["hls.dataflow=folded", "hls.layers={}", "hls.reuse_factor=2"])
    checkpoint = design_checkpoint(config)
    pipeline = folded_pipeline(config, checkpoint)
    for layer in folded_layers(checkpoint, layer_types(checkpoint, {})):
        if layer.stage.kind != "add":
            stage = next(stage for stage in pipeline.stages if stage.name == layer.name)
            assert stage.multipliers * 2 == layer.stage.reuse_factor
