"""C-simulation equals QKeras in every value of every tensor, whatever the network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers.designs import compared, noise, simulate, written
from helpers.networks import designs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmfn.design import load_config
from qmfn.model.initial import design_checkpoint, random_checkpoint
from qmfn.simulation.compare import compare

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = int(os.environ.get("QMFN_EXAMPLES", 10))


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same networks on every machine; QMFN_EXAMPLES asks for more
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(config=designs(), seed=st.integers(0, 2**16), types=st.sampled_from(["fast", "fast", "reference"]))
def test_csim_equals_qkeras_for_random_networks_of_the_family(config, seed, types):
    checkpoint = random_checkpoint(config, seed)
    with tempfile.TemporaryDirectory() as folder:
        result = compared(config, checkpoint, Path(folder), noise(config, 3, seed), types)
    assert result.mismatches == 0, result.first_difference
    assert all(tensor.values for tensor in result.tensors)


@pytest.mark.slow
def test_csim_equals_qkeras_at_full_size(tmp_path):
    config = load_config(ROOT / "configs" / "stock.yml", ["hls.backend=Vivado"])
    result = compared(config, design_checkpoint(config), tmp_path, noise(config, 2, seed=0))
    assert result.mismatches == 0, result.first_difference
    assert sum(tensor.values for tensor in result.tensors) == 2 * 8_270_924


@pytest.mark.slow
def test_a_single_wrong_bit_is_found_and_named(tmp_path):
    """The comparison can fail: one weight of the written project is changed in its last bit."""
    config = load_config(ROOT / "configs" / "tiny.yml")
    checkpoint = design_checkpoint(config)
    images = noise(config, 1, seed=0)
    assert compared(config, checkpoint, tmp_path / "right", images).mismatches == 0

    wrong = {name: dict(values) for name, values in checkpoint.integers.items()}
    kernel = wrong["bottleneck2_expand"]["kernel"].copy()
    kernel[0, 0, 0, 3] += 1 if kernel[0, 0, 0, 3] < 7 else -1
    wrong["bottleneck2_expand"]["kernel"] = kernel
    changed = type(checkpoint)(checkpoint.model, checkpoint.widths, checkpoint.exponents, wrong)

    model, _ = written(config, checkpoint, tmp_path / "model")
    _, graph = written(config, changed, tmp_path / "changed")
    result = compare(simulate(graph, tmp_path / "changed"), model, checkpoint, images)
    assert result.first_difference.layer == "bottleneck2_expand"
    assert result.first_difference.index[-1] == 3
    assert result.first_difference.csim != result.first_difference.keras
    assert np.isfinite(result.first_difference.csim)
