"""Results as the commands give them, small enough to read."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.report.pictures import verification_curves

RESOURCES = ("lut", "ff", "dsp", "bram_18k", "uram")
AVAILABLE = {"lut": 230_400, "ff": 460_800, "dsp": 1_728, "bram_18k": 624, "uram": 96}
STAGES = {"conv1": ("conv", 7_441), "conv1_prelu": ("prelu", 2_050), "bottleneck1_expand": ("pointwise", 99_123)}


def counts(lut: int) -> dict[str, int]:
    return {"lut": lut, "ff": 2 * lut, "dsp": 12, "bram_18k": 7, "uram": 0}


def bands(lut: int) -> dict[str, list[int]]:
    return {resource: [count // 2, count * 2] for resource, count in counts(lut).items()}


def after_synthesis(lut: int) -> dict:
    return {"expected": counts(lut // 2), "band": bands(lut // 2)}


def stage(name: str, kind: str, cycles: int) -> dict:
    return {
        "layer": name, "kind": kind, "reuse_factor": 9, "multipliers": 24, "cycles": cycles, **counts(4_321),
        "weight_bits": 864, "activation_bits": 5, "accumulator_bits": 15, "band": bands(4_321),
        "post_synthesis": after_synthesis(4_321),
    }  # fmt: skip


def tensor(layer: str, values: int, mismatches: int = 0, difference: float = 0.0) -> dict:
    return {"layer": layer, "values": values, "mismatches": mismatches, "max_abs_difference": difference}


@pytest.fixture
def designed() -> dict:
    """report.json of a design that fits and is bit-exact."""
    parts = {"weight_bits": 864, "exponent_bits": 40, "bias_bits": 80, "slope_bits": 32, "offset_bits": 0}
    layers = [{"layer": name, "weights": 216, "weight_width": 4, **parts, "total_bits": 1_016, "float_bits": 7_424}
              for name in ("conv1", "bottleneck1_expand")]  # fmt: skip
    return {
        "design": {
            "name": "small", "config": "configs/small.yml", "backend": "Vitis", "part": "xczu7ev-ffvc1156-2-e",
            "board": "ZCU104", "clock_period_ns": 5.0, "input_size": 32, "embedding_size": 8, "layers": 2,
            "multiplications": 166_528, "checkpoint": {"weights": "random", "seeds": [1, 2], "auc": 0.98765432},
            "command": "python scripts/convert.py --config configs/small.yml",
            "config_text": "name: small  # <tiny> & quick\n",
        },
        "footprint": {
            "layers": layers, **{part: 2 * bits for part, bits in parts.items()}, "total_bits": 2_032,
            "float_bits": 14_848, "weight_share": 0.125, "share": 0.1369,
        },
        "comparison": {
            "images": 4, "faces": ["astronaut", "orl/s1/1.pgm"], "mismatches": 0, "first_difference": None,
            "cosine_to_float": 0.9876, "tensors": [tensor("conv1", 8_192), tensor("conv1_prelu", 1_000)],
        },
        "verification": {
            "frames": 3, "stages": 63, "mismatches": 0, "interval_cycles": 154_368, "first_frame_cycles": 350_530,
        },
        "csim": {"convert_seconds": 1.5, "compile_seconds": 22.5, "images_per_second": 3.4},
        "estimate": {
            "tool": "Vitis HLS 2023.1", "layers": [stage(name, *rest) for name, rest in STAGES.items()],
            "total": counts(60_000), "band": bands(60_000), "post_synthesis": after_synthesis(60_000),
            "available": AVAILABLE, "share": dict.fromkeys(RESOURCES, 0.26),
            "share_high": dict.fromkeys(RESOURCES, 0.52), "fits": True, "interval_cycles": 99_123,
            "latency_cycles": 123_456, "frames_per_second": 2_017.7, "bottleneck": "bottleneck1_expand",
            "clock_mhz": 200.0,
        },
        "fifo": {"count": 3, "bits": 330_448},
    }  # fmt: skip


@pytest.fixture
def evaluated() -> dict:
    """JSON of `evaluate`, with what its pictures need."""
    random = np.random.default_rng(0)
    same = np.arange(400) < 200
    scores = np.clip(random.normal(np.where(same, 0.6, 0.05), 0.15), -1, 1)
    return {
        "engine": "csim", "pairs": 400, "images": 512, "images_per_second": 1.0, "accuracy": 0.9875,
        "accuracy_std": 0.01, "accuracy_interval": [0.975, 0.9925], "auc": 0.998, "eer": 0.0125,
        "tar_at_far": {"1e-2": 0.97, "1e-3": 0.9}, "threshold": 0.312, "curves": verification_curves(scores, same),
    }  # fmt: skip


@pytest.fixture
def synthesised() -> dict:
    """JSON of `report`: C-synthesis of the design."""
    figures = {"estimated": counts(60_000) | {"cycles": 99_123}, "c_synthesis": counts(48_000) | {"cycles": 99_200}}
    errors = {"estimated_to_c_synthesis": {"lut": 0.25, "ff": 0.25, "dsp": 0.0, "cycles": -0.0008}}
    row = {"modules": [], **figures, "estimated_post_synthesis": None, "post_synthesis": None, "relative_error": errors}
    return {
        "tool": "Vitis HLS", "version": "2024.1", "part": "xczu7ev", "clock": {"target_ns": 5.0, "estimated_ns": 3.65},
        "available": AVAILABLE, "rows": [row | {"name": "conv1", "what": "layer"}],
        "total": row | {"name": "total", "what": "total"}, "cosimulation": None, "post_synthesis": None,
        "problems": ["conv1: its report is cut off."],
    }  # fmt: skip
