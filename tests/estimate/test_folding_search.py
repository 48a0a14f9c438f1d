"""The folding search on a small network: it keeps its word on the built pipeline, and what it writes reads back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qmfn.cli import fold
from qmfn.config import load_config
from qmfn.dataflow.build import build_pipeline
from qmfn.errors import UserError
from qmfn.estimate import find_device
from qmfn.estimate.folded import estimate_pipeline
from qmfn.estimate.folding_search import _Search, frontier, search_foldings, settled
from qmfn.hls.folded.from_checkpoint import design_input, folded_layers, folded_pipeline, foldings_by_layer
from qmfn.hls.types import layer_types
from qmfn.model.initial import design_checkpoint

DEVICE = find_device("xczu7ev")
CLOCK_NS = 5.0
TARGET_FPS = 20_000


@pytest.fixture(scope="module")
def config(configs):
    return load_config(configs / "tiny.yml")


@pytest.fixture(scope="module")
def network(config):
    """(input, layers) of the tiny network."""
    checkpoint = design_checkpoint(config)
    return design_input(checkpoint), folded_layers(checkpoint, layer_types(checkpoint, {}))


@pytest.fixture(scope="module")
def found(network):
    return search_foldings(*network, DEVICE, CLOCK_NS, target_fps=TARGET_FPS)


@pytest.fixture(scope="module")
def fastest(network):
    return search_foldings(*network, DEVICE, CLOCK_NS, budget=0.1)


def test_every_stage_of_the_built_pipeline_meets_the_target(network, found):
    pipeline = build_pipeline(*network, found.foldings)
    assert max(stage.iterations for stage in pipeline.stages) <= 1e9 / CLOCK_NS / TARGET_FPS
    assert found.estimate.frames_per_second >= TARGET_FPS


def test_estimate_is_that_of_the_built_pipeline_with_simulated_fifos(network, found):
    from qmfn.dataflow.fifos import check_depths

    pipeline = build_pipeline(*network, found.foldings)
    check_depths(pipeline, found.depths)
    assert found.estimate == estimate_pipeline(pipeline, found.depths, DEVICE, CLOCK_NS)


def test_a_faster_target_takes_more(network, found):
    faster = search_foldings(*network, DEVICE, CLOCK_NS, target_fps=5 * TARGET_FPS)
    assert max(faster.estimate.utilisation.values()) > max(found.estimate.utilisation.values())


def test_what_the_programme_sees_is_what_is_built(network):
    search = _Search(*network, DEVICE, CLOCK_NS, 0.8)
    _, seen, foldings = search._solved(10_000, np.zeros(5), relaxed=False)
    built = estimate_pipeline(build_pipeline(*network, foldings), None, DEVICE, CLOCK_NS)
    assert list(built.utilisation.values()) == pytest.approx(seen, abs=0.005)


def test_search_chooses_no_worse_than_any_other_folding_of_a_layer(network, found):
    """Exchanging one layer's folding for another one that is fast enough never lowers the largest share by much."""
    search = _Search(*network, DEVICE, CLOCK_NS, 0.8)
    worst = max(found.estimate.utilisation.values())
    bound = int(1e9 / CLOCK_NS / TARGET_FPS)
    for number, layer in enumerate(search.convolutions):
        for option in search.options(number, bound)[:6]:
            pipeline = build_pipeline(*network, found.foldings | {layer.name: option.folding})
            other = estimate_pipeline(pipeline, None, DEVICE, CLOCK_NS)
            assert max(other.utilisation.values()) > 0.97 * worst


def test_fastest_stays_within_the_budget(fastest):
    assert max(fastest.estimate.utilisation.values()) <= 0.1
    assert fastest.estimate.limiting_stage in fastest.limits
    assert "ZCU104" in fastest.limits


def test_a_larger_budget_is_no_slower(network, fastest):
    larger = search_foldings(*network, DEVICE, CLOCK_NS, budget=0.15)
    assert larger.estimate.frames_per_second >= fastest.estimate.frames_per_second


def test_target_that_no_folding_reaches_names_the_layer(network):
    with pytest.raises(UserError, match=r"1e\+06 frames/s at 200 MHz: leaves 200 cycles per frame; \w+ needs [\d,]+"):
        search_foldings(*network, DEVICE, CLOCK_NS, target_fps=1e6)


def test_target_that_does_not_fit_names_resource_and_layer(network):
    with pytest.raises(UserError, match=r"needs [\d.]+% of its LUT .* 2\.0% are allowed; most of it in \w+"):
        search_foldings(*network, DEVICE, CLOCK_NS, target_fps=TARGET_FPS, budget=0.02)


def test_device_without_uram_gets_none(network):
    found = search_foldings(*network, find_device("xczu9eg"), CLOCK_NS, target_fps=TARGET_FPS)
    assert all(folding.line_memory != "uram" for folding in found.foldings.values())


def test_dsps_are_used_where_luts_are_scarce(network):
    scarce = dataclasses.replace(DEVICE, lut=DEVICE.lut // 8)
    found = search_foldings(*network, scarce, CLOCK_NS, target_fps=TARGET_FPS)
    assert any(folding.multiplier == "dsp" for folding in found.foldings.values())


def test_yaml_reads_back_as_the_same_foldings(tmp_path, config, network, found):
    path = tmp_path / "folded.yml"
    fold.write_design(config, found.as_yaml("Vitis", config.hls.part, CLOCK_NS), path)
    written = load_config(path)
    assert written.hls.dataflow == "folded"
    assert foldings_by_layer(written.hls, network[1], str(path)) == found.foldings
    assert max(map(len, path.read_text().splitlines())) <= 120


def test_output_keeps_what_stands_around_the_group(tmp_path, config, found):
    path = tmp_path / "folded.yml"
    fold.write_design(config, found.as_yaml("Vitis", config.hls.part, CLOCK_NS), path)
    before, after = config.file.read_text(), path.read_text()
    start = before.index("hls:")
    assert after.startswith(before[:start])
    assert after.endswith(before[before.index("comparison:") :])


def test_checkpoint_is_found_from_another_folder(tmp_path, configs, found):
    design = load_config(configs / "w4a4.yml")
    path = tmp_path / "deeper" / "folded.yml"
    fold.write_design(design, found.as_yaml("Vitis", design.hls.part, CLOCK_NS), path)
    written = load_config(path)
    assert written.resolve(written.checkpoint) == design.resolve(design.checkpoint)


def test_overrides_that_output_would_lose_are_refused(tmp_path, configs, found):
    design = load_config(configs / "tiny.yml", ["quantisation.weight_bits=6"])
    with pytest.raises(UserError, match="quantisation"):
        fold.write_design(design, found.as_yaml("Vitis", design.hls.part, CLOCK_NS), tmp_path / "folded.yml")
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
    estimates = frontier(*network, DEVICE, CLOCK_NS, budget=0.1)
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
    assert folded_pipeline(chosen, checkpoint).interval <= 200e6 / 20000
    assert chosen.hls.reuse_factor == 1 and chosen.file == design.file
    assert settled(chosen, checkpoint) is chosen


def test_auto_leaves_no_layer_to_the_design(configs):
    with pytest.raises(UserError, match="reuse_factor = auto chooses every layer, so layers must be empty"):
        load_config(configs / "tiny.yml", ["hls.dataflow=folded", "hls.reuse_factor=auto"])
