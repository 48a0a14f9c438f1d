"""A plan belongs to its graph: two graphs never share one, and hls4ml saves and loads it with the graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmfn.backends.hls4ml.stage_layer import plan_of

pytestmark = pytest.mark.slow


def network(seed: int, channels: int):
    from qkeras import QActivation, QConv2D, QDepthwiseConv2D, quantized_bits, quantized_relu
    from tensorflow import keras

    def constants(kernel: str = "kernel") -> dict:
        return {
            f"{kernel}_quantizer": quantized_bits(4, 0, alpha=1), "bias_quantizer": quantized_bits(8, 0, alpha=1)
        }  # fmt: skip

    inputs = keras.Input((8, 8, 3), name="pixels")
    x = QActivation(quantized_relu(4, 1), name="r")(QConv2D(channels, 1, name="c", **constants())(inputs))
    x = QActivation(quantized_relu(5, 2), name="s")(QDepthwiseConv2D(3, name="d", **constants("depthwise"))(x))
    model = keras.Model(inputs, x)
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def converted(model, folder: Path):
    from hls4ml.converters import convert_from_keras_model
    from hls4ml.utils import config_from_keras_model

    settings = config_from_keras_model(model, granularity="name", backend="VitisFolded")
    settings["LayerName"]["pixels"]["Precision"]["result"] = "fixed<8,1>"
    return convert_from_keras_model(
        model, hls_config=settings, backend="VitisFolded", io_type="io_stream", output_dir=str(folder)
    )


def images() -> np.ndarray:
    return ((np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3)) - 128) / 128).astype(np.float32)


def predicted(graph) -> np.ndarray:
    return graph.predict(images()).reshape(3, -1)


@pytest.fixture(scope="module")
def models():
    return network(0, 4), network(1, 6)


def test_two_graphs_alive_at_once_give_their_own_values(models, tmp_path):
    graphs = [converted(model, tmp_path / str(number)) for number, model in enumerate(models)]
    assert plan_of(graphs[0]) != plan_of(graphs[1])
    for graph in reversed(graphs):
        graph.compile()
    for graph, model in zip(graphs, models, strict=True):
        assert np.array_equal(predicted(graph), model.predict(images(), verbose=0).reshape(3, -1))


def test_a_saved_graph_loads_compiles_and_predicts_equal_values(models, tmp_path):
    from hls4ml.utils.serialization import deserialize_model, serialize_model

    graph = converted(models[0], tmp_path / "first")
    serialize_model(graph, str(tmp_path / "graph.fml"))
    loaded = deserialize_model(str(tmp_path / "graph.fml"))
    assert plan_of(loaded) == plan_of(graph)
    loaded.config.config["OutputDir"] = str(tmp_path / "second")
    for one in (loaded, graph):
        one.compile()
    assert np.array_equal(predicted(loaded), predicted(graph))
    assert np.array_equal(predicted(loaded), models[0].predict(images(), verbose=0).reshape(3, -1))


def test_nothing_of_a_plan_is_on_the_backend_or_on_the_input(models, tmp_path):
    graph = converted(models[0], tmp_path)
    source = next(iter(graph.get_layers()))
    kept = [*vars(graph.config.backend).values(), *source.attributes.values()]
    assert not any(type(value).__name__ in ("Plan", "Stage", "StageAttribute") for value in kept)
