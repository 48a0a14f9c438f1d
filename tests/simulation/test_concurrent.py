"""The real kernels over bounded FIFOs: outputs of the csim; iterations, schedules and times of the cycle model."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.designs import noise, written
from helpers.designs import simulate as csim

from qmfn.backends.hls4ml.stage_layer import plan_of
from qmfn.design import DesignConfig, load_config
from qmfn.errors import UserError
from qmfn.model.initial import design_checkpoint
from qmfn.network.from_checkpoint import network_of
from qmfn.plan.fold import unfolded
from qmfn.plan.simulate import simulate
from qmfn.simulation.concurrent import UNBOUNDED, Verification

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 3


@dataclasses.dataclass(frozen=True)
class Design:
    folder: Path
    model: object
    graph: object
    images: np.ndarray
    verification: Verification

    @property
    def plan(self):
        return self.verification.plan


def tiny() -> DesignConfig:
    return load_config(ROOT / "configs" / "tiny.yml", ["hls.dataflow=folded"])


def oddly_folded() -> DesignConfig:
    """Two residual branches, odd sizes, mid-rise weights, DSPs that are shared; every layer folded at random."""
    design = {
        "name": "odd",
        "model": {
            "input_size": 12,
            "stem_channels": 6,
            "bottlenecks": [
                {"expansion": 2, "channels": 6, "repeats": 2, "stride": 1},
                {"expansion": 1, "channels": 4, "repeats": 2, "stride": 2},
            ],
            "head_channels": 10,
            "embedding_size": 6,
        },
        "quantisation": {
            "weight_bits": 3,
            "activation_bits": 4,
            "weight_quantiser": "mid-rise",
            "layers": {"bottleneck*_project": {"activation_bits": 6}},
        },
        "hls": {"dataflow": "folded", "layers": {"conv1": {"simd": 1}}},
    }
    random = np.random.default_rng(6)
    checkpoint = design_checkpoint(DesignConfig.model_validate(design))
    design["hls"]["layers"] = {
        layer.name: {
            "simd": int(random.choice(layer.kernel.simd_choices)),
            "pe": int(random.choice(layer.kernel.pe_choices)),
            "multiplier": "dsp" if layer.kernel.kind == "matvec" and random.random() < 0.5 else "fabric",
        }
        for layer in unfolded(network_of(checkpoint))
        if layer.kernel.is_foldable
    }
    return DesignConfig.model_validate(design)


@pytest.fixture(scope="module", params=[tiny, oddly_folded])
def design(request, tmp_path_factory) -> Design:
    return converted(request.param(), tmp_path_factory.mktemp(request.param.__name__))


def converted(config: DesignConfig, folder: Path) -> Design:
    model, graph = written(config, design_checkpoint(config), folder)
    return Design(folder, model, graph, noise(config, FRAMES, seed=4), Verification(folder, plan_of(graph)))


def unbounded(design: Design) -> dict[str, int]:
    return dict.fromkeys(design.verification.depths, UNBOUNDED)


def shortcuts(design: Design) -> list:
    """The streams that go around layers, straight to an add."""
    plan = design.plan
    return [s for s in plan.fifos if len(plan[s.producer].outputs) == 2 and len(plan[s.consumer].inputs) == 2]


def shortcut(design: Design):
    return shortcuts(design)[0]


def smallest_shortcut(design: Design) -> int:
    """The smallest depth of the shortcut at which the other FIFOs' depths don't deadlock."""
    depths, name = design.verification.depths, shortcut(design).name
    return next(d for d in range(1, 10**6) if not simulate(design.plan, {**depths, name: d}, 1).deadlock)


def test_depths_are_those_of_the_design(design):
    assert design.verification.depths == plan_of(design.graph).depths


def test_outputs_equal_the_csims(design):
    ordinary = csim(design.graph, design.folder)
    wanted = np.stack([ordinary.predict(image) for image in design.images])
    assert np.array_equal(design.verification.run(design.images).outputs, wanted)


def test_kernels_count_the_iterations_of_the_cycle_model(design):
    counted = design.verification.run(design.images).iterations
    assert counted == {stage.name: stage.iterations for stage in design.plan.stages}


def test_kernels_read_and_write_as_their_schedules_say(design):
    recorded = design.verification.run(design.images[:1]).schedules
    for stage in design.plan.stages:
        found, wanted = recorded[stage.name], stage.schedule()
        assert np.array_equal(found.reads, wanted.reads), stage.name
        assert np.array_equal(found.writes, wanted.writes), stage.name


def test_sized_fifos_keep_the_interval_of_unbounded_ones(design):
    sized = design.verification.check(design.images)
    free = design.verification.check(design.images, unbounded(design))
    assert sized.interval == free.interval == design.plan.interval
    assert sized.frame_ends == simulate(design.plan, design.verification.depths, FRAMES).frame_ends
    assert free.frame_ends == simulate(design.plan, None, FRAMES).frame_ends


def test_any_depths_give_the_simulations_times_and_deadlocks(design):
    random = np.random.default_rng(1)
    deadlocks = 0
    for most in [1, 2, 3, 8, 24] * 8:
        depths = {name: int(random.integers(1, most, endpoint=True)) for name in design.verification.depths}
        if random.random() < 0.5:
            depths |= {stream.name: 10**6 for stream in shortcuts(design)}
        found, wanted = design.verification.run(design.images, depths), simulate(design.plan, depths, FRAMES)
        assert (found.frame_ends, found.deadlock) == (wanted.frame_ends, wanted.deadlock)
        deadlocks += found.deadlock is not None
    assert 0 < deadlocks < 40


def test_a_shortcut_one_beat_too_small_deadlocks_and_is_named(design):
    stream, enough = shortcut(design), smallest_shortcut(design)
    verification = design.verification
    assert enough <= verification.depths[stream.name]
    assert len(verification.check(design.images, {stream.name: enough}).outputs) == FRAMES
    with pytest.raises(UserError) as caught:
        verification.check(design.images, {stream.name: enough - 1})
    sentence = f"the FIFO {stream.name} from {stream.producer} to {stream.consumer} is full at {enough - 1} beats"
    assert sentence in str(caught.value)
    assert f"{stream.producer} waits for room in {stream.name}, {stream.consumer} for beats of" in str(caught.value)


def test_a_deadlock_leaves_nothing_behind_for_the_next_run(design):
    before = design.verification.run(design.images)
    assert design.verification.run(design.images, {shortcut(design).name: 1}).deadlock
    after = design.verification.run(design.images)
    assert after.frame_ends == before.frame_ends and np.array_equal(after.outputs, before.outputs)


@pytest.mark.parametrize("name", ["w8a8", "w4a4", "mixed", "extreme"])
def test_shipped_designs_run_as_the_cycle_model_says(name, tmp_path):
    shipped = converted(load_config(ROOT / "configs" / f"{name}.yml"), tmp_path)
    plan, sized = shipped.plan, shipped.verification.check(shipped.images)
    assert sized.iterations == {stage.name: stage.iterations for stage in plan.stages}
    for stage in plan.stages:
        found, wanted = sized.schedules[stage.name], stage.schedule()
        assert np.array_equal(found.reads, wanted.reads), stage.name
        assert np.array_equal(found.writes, wanted.writes), stage.name
    assert sized.interval == shipped.verification.run(shipped.images, unbounded(shipped)).interval == plan.interval
    assert np.array_equal(sized.outputs, shipped.model.predict(shipped.images, verbose=0).reshape(FRAMES, -1))
    assert sum(shipped.verification.depths[s.name] * s.width for s in plan.fifos) <= 10**6
    stream = shortcut(shipped)
    with pytest.raises(UserError, match=f"the FIFO {stream.name} from {stream.producer} to .* deadlocks"):
        shipped.verification.check(shipped.images, {stream.name: 2})


@pytest.mark.parametrize("design", [tiny], indirect=True)
def test_reference_types_give_the_same(design):
    reference = Verification(design.folder, design.plan, types="reference")
    found, wanted = reference.run(design.images), design.verification.run(design.images)
    assert np.array_equal(found.outputs, wanted.outputs) and found.frame_ends == wanted.frame_ends


@pytest.mark.parametrize("design", [tiny], indirect=True)
def test_a_kernel_that_reads_twice_in_an_iteration_is_caught(design, tmp_path):
    shutil.copytree(design.folder / "firmware", tmp_path / "firmware")
    parameters = tmp_path / "firmware" / "parameters.h"
    twice = r"FOLDED_ITERATION \1.read(); \1.read();"
    parameters.write_text(re.sub(r"folded::add<\w+>\((\w+), .*;", twice, parameters.read_text()))
    with pytest.raises(AssertionError, match="_add uses .*_project_out twice in one iteration"):
        Verification(tmp_path, design.plan).run(design.images)


@pytest.mark.parametrize("design", [tiny], indirect=True)
def test_a_pipeline_of_another_design_is_refused(design):
    other = dataclasses.replace(design.plan, stages=design.plan.stages[:-1])
    with pytest.raises(AssertionError, match="the top function calls"):
        Verification(design.folder, other)


@pytest.mark.parametrize("design", [tiny], indirect=True)
def test_input_that_cannot_be_used_is_refused(design, tmp_path):
    with pytest.raises(UserError, match="qmfn.cpp: the HLS project can't be read"):
        Verification(tmp_path, design.plan)
    with pytest.raises(ValueError, match="an image has 3 values, the design takes 3072"):
        design.verification.run(design.images[:, :1, :1])
    with pytest.raises(ValueError, match="no FIFO between two stages: pixels"):
        design.verification.run(design.images, {"pixels": 3})
