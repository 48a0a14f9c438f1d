"""A network small enough to train in seconds, with faces and float weights of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from qmfn.design import DesignConfig, ModelConfig, load_config
from qmfn.network.mobilefacenet import architecture
from qmfn.network.parameters import random_parameters

MODEL = {
    "input_size": 16,
    "stem_channels": 4,
    "bottlenecks": [{"expansion": 2, "channels": 4, "repeats": 1, "stride": 1}],
    "head_channels": 8,
    "embedding_size": 4,
}
TRAINING = {
    "float_weights": "weights.npz",
    "faces": ["faces"],
    "held_out_identities": 2,
    "calibration_images": 4,
    "steps": 6,
    "batch_size": 4,
    "learning_rate": 0.01,
}


@pytest.fixture(scope="session")
def material(tmp_path_factory, write_faces, write_float_weights) -> Path:
    """A shared data folder: faces of 6 people, float weights of the network."""
    folder = tmp_path_factory.mktemp("shared")
    write_faces(folder / "faces", people=6, pictures=3, size=16)
    layers = architecture(ModelConfig.model_validate(MODEL))
    write_float_weights(folder / "weights.npz", random_parameters(layers, seed=7))
    return folder


@pytest.fixture
def design(tmp_path, material, monkeypatch) -> DesignConfig:
    """The design, its data found through QMFN_SHARED."""
    monkeypatch.setenv("QMFN_SHARED", str(material))
    path = tmp_path / "small.yml"
    bits = {"weight_bits": 4, "activation_bits": 5, "bias_bits": 12, "slope_bits": 4}
    values = {"name": "small", "checkpoint": "small.npz", "model": MODEL, "quantisation": bits, "training": TRAINING}
    path.write_text(yaml.safe_dump(values))
    return load_config(path)
