"""Distillation: schedule, order of the faces, and a run that can be killed and resumed."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.network.checkpoint import load_checkpoint
from qmfn.training import distill
from qmfn.training.distill import faces_of_step, images_of_step, learning_rate

STEPS = 200


def test_the_learning_rate_warms_up_for_5_percent_of_the_steps():
    rates = [learning_rate(step, STEPS, 0.1) for step in range(STEPS)]
    assert np.allclose(np.diff([0, *rates[:10]]), 0.01)
    assert max(rates) == rates[9] == pytest.approx(0.1)


def test_then_it_falls_like_the_square_of_half_a_cosine_to_zero():
    rates = [learning_rate(step, STEPS, 0.1) for step in range(10, STEPS)]
    assert rates[0] == pytest.approx(0.1)
    assert all(later < earlier for earlier, later in zip(rates, rates[1:], strict=False))
    assert rates[len(rates) // 2] == pytest.approx(0.025)
    assert 0 < rates[-1] < 1e-4


@pytest.mark.parametrize("steps", [1, 2, 19])
def test_a_short_run_has_a_usable_rate_in_every_step(steps):
    assert all(0 < learning_rate(step, steps, 0.1) <= 0.1 for step in range(steps))


def test_what_the_networks_see_depends_on_step_and_seed_alone():
    faces = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), dtype=np.uint8)
    first, again, other = (images_of_step(17, faces, 4, seed) for seed in (3, 3, 4))
    assert first.shape == (4, 16, 16, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("faces", "batch_size"), [(48, 8), (50, 8), (8, 8)])
@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_an_epoch_shows_every_face_once_but_for_an_incomplete_last_batch(faces, batch_size, epoch):
    per_epoch = faces // batch_size
    steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
    seen = np.concatenate([faces_of_step(step, faces, batch_size, 0) for step in steps])
    assert len(set(seen)) == len(seen) == per_epoch * batch_size
    assert set(seen) <= set(range(faces))


def test_epochs_come_in_different_orders():
    first, second = (faces_of_step(step, 48, 48, 0) for step in (0, 1))
    assert not np.array_equal(first, second)


@pytest.fixture
def steps_taken(monkeypatch) -> list[int]:
    """The steps of all runs of a test; a state is saved after every second one."""
    taken: list[int] = []

    def noted(step: int, *rest):
        taken.append(step)
        return faces_of_step(step, *rest)

    monkeypatch.setattr(distill, "faces_of_step", noted)
    monkeypatch.setattr(distill, "SAVE_EVERY", 2)
    return taken


def interrupt_after(count: int, taken: list[int], monkeypatch) -> None:
    """Ctrl-C when the run wants its batch number `count`."""
    whole = distill.faces_of_step

    def interrupted(step: int, *rest):
        if len(taken) == count:
            raise KeyboardInterrupt
        return whole(step, *rest)

    monkeypatch.setattr(distill, "faces_of_step", interrupted)


def integers_of(path) -> dict[str, np.ndarray]:
    checkpoint = load_checkpoint(path)
    return {
        f"{layer}/{name}": values
        for layer, arrays in checkpoint.integers.items()
        for name, values in arrays.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [[], ["quantisation.offset_bits=4"]], ids=["no offsets", "offsets"])
def test_a_stopped_and_resumed_run_gives_the_same_integers(design, overrides, tmp_path, steps_taken, monkeypatch):
    design = load_config(design.file, overrides)
    distill.train(design, tmp_path / "whole", tmp_path / "whole.npz")
    assert steps_taken == [0, 1, 2, 3, 4, 5]

    steps_taken.clear()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(3, steps_taken, patch)
        distill.train(design, tmp_path / "run", tmp_path / "resumed.npz")
    assert not (tmp_path / "resumed.npz").exists()
    distill.train(design, tmp_path / "run", tmp_path / "resumed.npz")
    assert steps_taken == [0, 1, 2, 2, 3, 4, 5]

    whole, resumed = integers_of(tmp_path / "whole.npz"), integers_of(tmp_path / "resumed.npz")
    assert [name for name in whole if not np.array_equal(whole[name], resumed[name])] == []
    start = integers_of(tmp_path / "whole" / "start.npz")
    assert any(not np.array_equal(whole[name], start[name]) for name in whole)


@pytest.mark.slow
def test_a_finished_run_leaves_a_log_a_state_and_a_checkpoint_that_says_where_it_comes_from(
    design, tmp_path, steps_taken
):
    checkpoint = distill.train(design, tmp_path / "run", tmp_path / "small.npz")
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert tuple(rows[0]) == distill.LOG_FIELDS
    assert (tmp_path / "run" / "state" / "checkpoint").exists()

    origin = load_checkpoint(tmp_path / "small.npz").origin
    assert origin == checkpoint.origin
    assert (origin["initialised_from"], origin["distilled_on"], origin["steps"]) == ("weights.npz", ["faces"], 6)
    assert 0 <= origin["held_out_auc"] <= 1
    assert -1 <= origin["held_out_cosine"] <= 1

    distill.train(design, tmp_path / "run", tmp_path / "small.npz")
    assert steps_taken == [0, 1, 2, 3, 4, 5], "a finished run has nothing left to do"


@pytest.mark.slow
def test_without_steps_the_checkpoint_is_the_calibrated_start(design, tmp_path):
    untrained = load_config(design.file, ["training.steps=0"])
    distill.train(untrained, tmp_path / "run", tmp_path / "small.npz")
    start, found = integers_of(tmp_path / "run" / "start.npz"), integers_of(tmp_path / "small.npz")
    assert all(np.array_equal(start[name], found[name]) for name in start)


@pytest.mark.slow
def test_a_folder_of_another_design_is_refused(design, tmp_path):
    untrained = load_config(design.file, ["training.steps=0"])
    distill.train(untrained, tmp_path / "run", tmp_path / "small.npz")
    before = (tmp_path / "small.npz").read_bytes()
    for override in ("quantisation.weight_bits=5", "training.seed=1", "model.head_channels=12"):
        other = load_config(design.file, ["training.steps=0", override])
        with pytest.raises(UserError, match="run: holds the training run of other settings; delete it or choose"):
            distill.train(other, tmp_path / "run", tmp_path / "small.npz")
    assert (tmp_path / "small.npz").read_bytes() == before


@pytest.mark.slow
def test_hls_settings_may_change_between_two_starts(design, tmp_path):
    untrained = load_config(design.file, ["training.steps=0"])
    distill.train(untrained, tmp_path / "run", tmp_path / "small.npz")
    other = load_config(design.file, ["training.steps=0", "hls.reuse_factor=2"])
    distill.train(other, tmp_path / "run", tmp_path / "small.npz")


@pytest.mark.parametrize(
    "override",
    [
        pytest.param("training.batch_size=13", id="more faces in a batch than there are"),
        pytest.param("training.held_out_identities=6", id="everybody held out"),
    ],
)
def test_too_few_faces_are_an_error(design, tmp_path, override):
    with pytest.raises(UserError, match=f"small.yml: {override.replace('=', ' = ')}: .* to train on"):
        distill.train(load_config(design.file, [override]), tmp_path / "run", tmp_path / "small.npz")
    assert not (tmp_path / "small.npz").exists()


@pytest.mark.slow
def test_a_large_batch_is_no_error_without_steps(design, tmp_path):
    untrained = load_config(design.file, ["training.batch_size=13", "training.steps=0"])
    distill.train(untrained, tmp_path / "run", tmp_path / "small.npz")
    assert (tmp_path / "small.npz").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("images", "used"), [(1, 1), (5, 5), (12, 12), (13, 12)])
def test_as_many_faces_calibrate_as_asked_or_all(design, tmp_path, monkeypatch, images, used):
    seen = []
    calibrated = distill.calibrated_start

    def noted(config, weights, faces, origin):
        seen.append(len(np.unique(faces, axis=0)))
        return calibrated(config, weights, faces, origin)

    monkeypatch.setattr(distill, "calibrated_start", noted)
    config = load_config(design.file, ["training.steps=0", f"training.calibration_images={images}"])
    distill.train(config, tmp_path / "run", tmp_path / "small.npz")
    assert seen == [used]


@pytest.mark.parametrize(("people", "pictures"), [(1, 3), (4, 1)], ids=["one person", "one picture of each"])
def test_faces_that_give_no_verification_score_are_an_error(design, tmp_path, write_faces, people, pictures):
    faces = write_faces(tmp_path / "faces", people=people, pictures=pictures, size=16)
    more = write_faces(tmp_path / "more", people=2, pictures=2, size=16)
    few = load_config(design.file, [f"training.faces=[{faces}, {more}]", "training.steps=0"])
    with pytest.raises(UserError, match=r"training.held_out_identities = 2: .* held-out faces of \d people"):
        distill.train(few, tmp_path / "run", tmp_path / "small.npz")


def test_a_folder_below_a_file_is_an_error(design, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/run: can't keep the training run \(Not a directory\)\.$"):
        distill.train(design, tmp_path / "file" / "run", tmp_path / "small.npz")


def test_a_folder_where_a_file_stands_is_an_error(design, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(UserError, match=r"run: can't keep the training run \(File exists\)\.$"):
        distill.train(design, tmp_path / "run", tmp_path / "small.npz")


def test_a_damaged_claim_is_an_error(design, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="run: "):
        distill.train(design, tmp_path / "run", tmp_path / "small.npz")
