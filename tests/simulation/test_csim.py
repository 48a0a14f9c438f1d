"""Many images over many processes: the same embeddings, in order, a few images in memory, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import psutil
import pytest
from helpers.designs import noise, written

from qmfn.design import load_config
from qmfn.model.initial import design_checkpoint
from qmfn.simulation import compiler, csim

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 12


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(simulation, images, Keras' embeddings) of the tiny design."""
    folder = tmp_path_factory.mktemp("tiny")
    config = load_config(ROOT / "configs" / "tiny.yml")
    model, graph = written(config, design_checkpoint(config), folder)
    library = compiler.library_for(folder, "fast")
    simulation = csim.Simulation(library, folder / "firmware" / "weights", csim.tensors_of(graph))
    images = noise(config, IMAGES, seed=3)
    return simulation, images, model.predict(images, verbose=0).reshape(IMAGES, -1)


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "LokyProcess" in " ".join(child.cmdline())]


def test_processes_give_the_embeddings_of_keras_in_order(tiny):
    simulation, images, expected = tiny
    assert np.array_equal(np.stack(list(csim.simulate(simulation, images, jobs=2))), expected)
    assert np.array_equal(np.stack(list(csim.simulate(simulation, images, jobs=1))), expected)


def test_images_are_taken_as_they_are_needed(tiny):
    simulation, images, _ = tiny
    taken = 0

    def stream():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield images[0]

    results = csim.simulate(simulation, stream(), jobs=2)
    next(results)
    assert taken < 20
    results.close()


def test_an_interrupted_simulation_leaves_no_process(tiny):
    simulation, images, _ = tiny
    results = csim.simulate(simulation, (image for image in np.repeat(images, 50, axis=0)), jobs=2)
    next(results)
    assert workers()
    results.close()
    assert not workers()


def test_a_dask_cluster_gives_the_same(tiny):
    distributed = pytest.importorskip("distributed")
    simulation, images, expected = tiny
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert np.array_equal(np.stack(list(csim.simulate(simulation, images))), expected)


def test_an_image_of_another_size_is_refused(tiny):
    simulation, images, _ = tiny
    with pytest.raises(ValueError, match=r"image has shape \(31, 32, 3\), the design takes \(32, 32, 3\)"):
        csim.Csim(simulation).predict(images[0, :31])
