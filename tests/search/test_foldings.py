"""The folding search on a small network: it keeps its word on the built pipeline, and what it writes reads back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qmfn.backends.request import request_of
from qmfn.cli import fold
from qmfn.design import load_config
from qmfn.devices import Target, devices
from qmfn.errors import UserError
from qmfn.model.initial import design_checkpoint
from qmfn.network.from_checkpoint import network_of
from qmfn.plan.assumed import assumed_depths
from qmfn.plan.fold import fold as fold_network
from qmfn.plan.fold import unfolded
from qmfn.plan.foldings import foldings_by_layer
from qmfn.resources.estimate import estimate_plan
from qmfn.search.foldings import _Search, frontier, search_foldings, settled

CLOCK_NS = 5.0
TARGET = Target("xczu7ev-ffvc1156-2-e", "Vitis", CLOCK_NS)
TARGET_FPS = 20_000


@pytest.fixture(scope="module")
def config(configs):
    return load_config(configs / "tiny.yml")


@pytest.fixture(scope="module")
def network(config):
    """The tiny network."""
    return network_of(design_checkpoint(config))


def built(network, foldings):
    """The plan of the tiny network, with assumed FIFO depths."""
    plan = fold_network(network, foldings, TARGET.family)
    return plan.with_depths(assumed_depths(plan))


@pytest.fixture(scope="module")
def found(network):
    return search_foldings(network, TARGET, target_fps=TARGET_FPS)


@pytest.fixture(scope="module")
def fastest(network):
    return search_foldings(network, TARGET, budget=0.1)


def test_every_stage_of_the_built_plan_meets_the_target(network, found):
    plan = built(network, found.foldings)
    assert max(stage.iterations for stage in plan.stages) <= 1e9 / CLOCK_NS / TARGET_FPS
    assert found.estimate.frames_per_second >= TARGET_FPS


def test_estimate_is_that_of_the_built_plan_with_simulated_fifos(network, found):
    from qmfn.plan.fifos import check_depths

    plan = built(network, found.foldings).with_depths(found.plan.depths)
    check_depths(plan)
    assert found.plan == plan
    assert found.estimate == estimate_plan(plan, TARGET)


def test_a_faster_target_takes_more(network, found):
    faster = search_foldings(network, TARGET, target_fps=5 * TARGET_FPS)
    assert max(faster.estimate.utilisation.values()) > max(found.estimate.utilisation.values())


def test_what_the_programme_sees_is_what_is_built(network):
    search = _Search(network, TARGET, 0.8)
    _, seen, foldings = search._solved(10_000, np.zeros(5), relaxed=False)
    estimate = estimate_plan(built(network, foldings), TARGET)
    assert list(estimate.utilisation.values()) == pytest.approx(seen, abs=0.005)


def test_search_chooses_no_worse_than_any_other_folding_of_a_layer(network, found):
    """Exchanging one layer's folding for another one that is fast enough never lowers the largest share by much."""
    search = _Search(network, TARGET, 0.8)
    worst = max(found.estimate.utilisation.values())
    bound = int(1e9 / CLOCK_NS / TARGET_FPS)
    for number, layer in enumerate(search.foldable):
        for option in search.options(number, bound)[:6]:
            other = estimate_plan(built(network, found.foldings | {layer.name: option.folding}), TARGET)
            assert max(other.utilisation.values()) > 0.97 * worst


def test_fastest_stays_within_the_budget(fastest):
    assert max(fastest.estimate.utilisation.values()) <= 0.1
    assert fastest.plan.slowest.name in fastest.limits
    assert "ZCU104" in fastest.limits


def test_a_larger_budget_is_no_slower(network, fastest):
    larger = search_foldings(network, TARGET, budget=0.15)
    assert larger.estimate.frames_per_second >= fastest.estimate.frames_per_second


def test_target_that_no_folding_reaches_names_the_layer(network):
    with pytest.raises(UserError, match=r"1e\+06 frames/s at 200 MHz: leaves 200 cycles per frame; \w+ needs [\d,]+"):
        search_foldings(network, TARGET, target_fps=1e6)


def test_target_that_does_not_fit_names_resource_and_layer(network):
    with pytest.raises(UserError, match=r"needs [\d.]+% of its LUT .* 2\.0% are allowed; most of it in \w+"):
        search_foldings(network, TARGET, target_fps=TARGET_FPS, budget=0.02)


def test_device_without_uram_gets_none(network):
    found = search_foldings(network, dataclasses.replace(TARGET, part="xczu9eg"), target_fps=TARGET_FPS)
    assert all(folding.line_memory != "uram" for folding in found.foldings.values())


def test_dsps_are_used_where_luts_are_scarce(network, monkeypatch):
    device = TARGET.device
    monkeypatch.setitem(devices(), device.part, dataclasses.replace(device, lut=device.lut // 8))
    found = search_foldings(network, TARGET, target_fps=TARGET_FPS)
    assert any(folding.multiplier == "dsp" for folding in found.foldings.values())


def test_yaml_reads_back_as_the_same_foldings(tmp_path, config, network, found):
    path = tmp_path / "folded.yml"
    fold.write_design(config, found.as_yaml(), path)
    written = load_config(path)
    assert written.hls.dataflow == "folded"
    assert foldings_by_layer(written.hls, unfolded(network), str(path)) == found.foldings
    assert max(map(len, path.read_text().splitlines())) <= 120


def test_output_keeps_what_stands_around_the_group(tmp_path, config, found):
    path = tmp_path / "folded.yml"
    fold.write_design(config, found.as_yaml(), path)
    before, after = config.file.read_text(), path.read_text()
    start = before.index("hls:")
    assert after.startswith(before[:start])
    assert after.endswith(before[before.index("comparison:") :])


def test_checkpoint_is_found_from_another_folder(tmp_path, configs, found):
    design = load_config(configs / "w4a4.yml")
    path = tmp_path / "deeper" / "folded.yml"
    fold.write_design(design, found.as_yaml(), path)
    written = load_config(path)
    assert written.resolve(written.checkpoint) == design.resolve(design.checkpoint)


def test_overrides_that_output_would_lose_are_refused(tmp_path, configs, found):
    design = load_config(configs / "tiny.yml", ["quantisation.weight_bits=6"])
    with pytest.raises(UserError, match="quantisation"):
        fold.write_design(design, found.as_yaml(), tmp_path / "folded.yml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("name: a\nhls:\n  part: x\n\ncsim: {}\n", "name: a\nhls: new\n\ncsim: {}\n"),
        ("name: a\nhls: {part: x}\n", "name: a\nhls: new\n"),
        ("name: a\nhls:\n  part: x", "name: a\nhls: new\n"),
        ("name: a\n", "name: a\n\nhls: new\n"),
    ],
)
def test_group_is_replaced_or_added(text, wanted):
    assert fold.with_group(text, "hls: new\n") == wanted


def test_frontier_is_within_the_budget_and_falls(network):
    estimates = frontier(network, TARGET, budget=0.1)
    speeds = [estimate.frames_per_second for estimate in estimates]
    assert len(speeds) > 2
    assert speeds == sorted(speeds, reverse=True)
    assert all(max(estimate.utilisation.values()) <= 0.1 for estimate in estimates)


def test_command_prints_and_writes(tmp_path, configs, capsys):
    files = ["--output", str(tmp_path / "x.yml"), "--json", str(tmp_path / "x.json")]
    assert fold.COMMAND.main(["--config", str(configs / "tiny.yml"), "--target-fps", "20000", *files]) == 0
    assert "frames/s (estimated)" in capsys.readouterr().out
    assert (tmp_path / "x.json").exists()
    assert load_config(tmp_path / "x.yml").hls.dataflow == "folded"


def test_command_says_what_is_in_the_way(configs, capsys):
    assert fold.COMMAND.main(["--config", str(configs / "tiny.yml"), "--target-fps", "1e6"]) == 1
    assert "however it is folded" in capsys.readouterr().err


def test_reuse_factor_auto_folds_for_the_target(configs):
    auto = "hls={dataflow: folded, part: xczu7ev-ffvc1156-2-e, reuse_factor: auto, target_fps: 20000}"
    design = load_config(configs / "tiny.yml", [auto])
    checkpoint = design_checkpoint(design)
    chosen = settled(design, checkpoint)
    assert request_of(chosen, checkpoint).plan.interval <= 200e6 / 20000
    assert chosen.hls.reuse_factor == 1 and chosen.file == design.file
    assert settled(chosen, checkpoint) is chosen


def test_auto_leaves_no_layer_to_the_design(configs):
    with pytest.raises(UserError, match="reuse_factor = auto chooses every layer, so layers must be empty"):
        load_config(configs / "tiny.yml", ["hls.dataflow=folded", "hls.reuse_factor=auto"])
