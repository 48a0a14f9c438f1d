"""A layer type and a kernel registered from outside the package: docs/dataflow/add_a_kernel.md step by step."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from qmfn.devices import Target
from qmfn.errors import UserError
from qmfn.kernels.kernel import KERNELS
from qmfn.network.importing import RULES
from qmfn.network.network import LAYERS
from qmfn.plan.store import read_plan, write_plan
from qmfn.resources.estimate import estimate_plan
from qmfn.simulation.concurrent import Verification

FILES = Path(__file__).parents[1] / "helpers" / "global_max"
MODULES = ("helpers.global_max.layer", "helpers.global_max.kernel")
PAGE = Path(__file__).parents[2] / "docs" / "dataflow" / "add_a_kernel.md"


@pytest.fixture
def registered():
    """The toy is known within a test only."""
    before = [(table, dict(table)) for table in (LAYERS, KERNELS, RULES)]
    for module in MODULES:
        sys.modules.pop(module, None)
    from helpers.global_max import kernel  # noqa: F401

    yield
    for table, content in before:
        table.clear()
        table.update(content)


def network():
    from qkeras import QActivation, QConv2D, quantized_bits, quantized_relu
    from tensorflow import keras

    inputs = keras.Input((6, 6, 4), name="pixels")
    constants = {"kernel_quantizer": quantized_bits(4, 0, alpha=1), "bias_quantizer": quantized_bits(8, 0, alpha=1)}
    x = QActivation(quantized_relu(4, 1), name="r")(QConv2D(6, 3, name="c", **constants)(inputs))
    x = keras.layers.GlobalMaxPooling2D(keepdims=True, name="largest")(x)
    model = keras.Model(inputs, x)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def converted(model, folder: Path):
    from hls4ml.converters import convert_from_keras_model
    from hls4ml.utils import config_from_keras_model

    settings = config_from_keras_model(model, granularity="name", backend="VitisFolded")
    settings["LayerName"]["pixels"]["Precision"]["result"] = "fixed<8,1>"
    settings["LayerName"]["c"] |= {"ReuseFactor": 36}
    return convert_from_keras_model(
        model, hls_config=settings, backend="VitisFolded", io_type="io_stream", output_dir=str(folder / "generated"),
        project_name="qmfn",
    )  # fmt: skip


@pytest.mark.slow
def test_without_the_kernel_the_layer_is_refused(tmp_path):
    with pytest.raises(UserError, match="largest: .* no kernel for GlobalPooling2D"):
        converted(network(), tmp_path)


@pytest.mark.slow
def test_the_kernel_is_folded_priced_stored_compiled_and_exact(registered, tmp_path):
    from qmfn.backends.hls4ml.stage_layer import plan_of

    model = network()
    graph = converted(model, tmp_path)
    plan = plan_of(graph)
    assert [stage.kernel.kind for stage in plan.stages] == ["window", "matvec", "global_max"]
    assert estimate_plan(plan, Target("xck26", "Vitis", 5.0)).total.expected.lut > 0
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path) == plan

    graph.compile()
    images = ((np.random.default_rng(1).integers(0, 256, (3, 6, 6, 4)) - 128) / 128).astype(np.float32)
    wanted = model.predict(images, verbose=0).reshape(3, -1)
    assert np.array_equal(graph.predict(images).reshape(3, -1), wanted)

    found = Verification(tmp_path / "generated", plan).check(images)  # each stage in a thread, over real FIFO depths
    assert np.array_equal(found.outputs, wanted)
    assert found.iterations == {stage.name: stage.iterations for stage in plan.stages}
    for stage in plan.stages:
        assert np.array_equal(found.schedules[stage.name].writes, stage.schedule().writes), stage.name


def test_the_page_shows_exactly_these_files():
    page = PAGE.read_text()
    for file in ("layer.py", "kernel.py", "global_max.h"):
        assert (FILES / file).read_text() in page, f"{file} differs from what {PAGE.name} shows"
