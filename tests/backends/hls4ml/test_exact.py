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

from qmfn.backends.request import request_of
from qmfn.design import load_config
from qmfn.model.initial import design_checkpoint, random_checkpoint
from qmfn.network.from_checkpoint import network_of
from qmfn.plan.fold import unfolded

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
        stages = request_of(config, checkpoint).plan.stages
        shared = {stage.name for stage in stages if getattr(stage.kernel, "products_per_dsp", 1) > 1}
        assert shared == {f"bottleneck{n}_expand" for n in (1, 2, 3)}
    result = compared(config, checkpoint, tmp_path, noise(config, 2, seed=1), types)
    assert result.mismatches == 0, result.first_difference


def test_the_reuse_factor_alone_folds_a_layer():
    config = load_config(ROOT / "configs" / "tiny.yml", ["hls.dataflow=folded", "hls.layers={}", "hls.reuse_factor=2"])
    checkpoint = design_checkpoint(config)
    plan = request_of(config, checkpoint).plan
    for layer in unfolded(network_of(checkpoint)):
        if layer.kernel.is_foldable:
            assert plan[layer.name].kernel.multipliers * 2 == layer.kernel.products
