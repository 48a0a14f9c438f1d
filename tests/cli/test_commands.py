"""The command lines: help, steps, JSON, exit codes, and what happens when the compiler is at fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from qmfn import flow
from qmfn.backends.hls4ml import project
from qmfn.cli import convert
from qmfn.design import ModelConfig
from qmfn.design.schema import QuantisationConfig
from qmfn.faces.evaluation import evaluation_file
from qmfn.faces.operating_point import content_hash
from qmfn.network.mobilefacenet import architecture
from qmfn.network.parameters import random_parameters
from qmfn.report import SECTIONS
from qmfn.simulation.compare import Comparison, Difference, TensorComparison

COMMANDS = ("convert", "train", "evaluate", "search_bits", "estimate")


@pytest.fixture(scope="session")
def converted(tmp_path_factory, material, start, finish) -> Path:
    """A folder with the finished project of the small design, what the script printed, and its JSON."""
    folder = tmp_path_factory.mktemp("converted")
    outcome = finish(
        start("convert", "--config", material / "tiny.yml", "--output", folder, "--json", folder / "result.json")
    )
    assert outcome.code == 0, outcome.err
    (folder / "printed.txt").write_text(outcome.out)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_printed_by_every_script(start, finish, command):
    outcome = finish(start(command, "--help"))
    assert outcome.code == 0
    assert outcome.err == ""
    assert "--config" in outcome.out and "example: python scripts" in outcome.out


def test_the_steps_of_the_command_are_those_of_the_flow():
    assert convert.STEPS == flow.STEP_NAMES


@pytest.mark.parametrize("arguments", [[], ["--config", "tiny.yml", "--until", "synthesis"], ["--until", "load"]])
def test_a_wrong_option_shows_the_usage_and_exits_with_2(start, finish, arguments):
    outcome = finish(start("convert", *arguments))
    assert outcome.code == 2
    assert outcome.err.startswith("usage: convert.py")


@pytest.mark.slow
def test_a_conversion_ends_with_a_verified_project(converted):
    report = json.loads((converted / "tiny" / "report.json").read_text())
    assert report["comparison"]["images"] == 2
    assert report["comparison"]["mismatches"] == 0
    assert "Bit-exact" in (converted / "tiny" / "report.md").read_text()
    for file in ("firmware/qmfn.cpp", "firmware/parameters.h", "csim/qmfn.cpp", "tb_data/tb_input_features.dat"):
        assert (converted / "tiny" / file).stat().st_size, file


@pytest.mark.slow
def test_a_conversion_leaves_nothing_but_the_project_and_a_library_in_the_cache(converted, cache):
    assert not list((converted / "tiny").rglob("*.so"))
    assert {path.name for path in cache.glob("*/*")} == {"libqmfn.so", "sha256"}
    assert sorted(path.name for path in converted.iterdir()) == ["printed.txt", "result.json", "tiny"]


@pytest.mark.slow
def test_it_prints_every_step_and_where_the_report_is(converted):
    printed = (converted / "printed.txt").read_text()
    assert [line[:5] for line in printed.splitlines() if line.startswith("[")] == [f"[{n}/8]" for n in range(1, 9)]
    assert f"report: {converted / 'tiny' / 'report.html'}" in printed


@pytest.mark.slow
def test_the_project_knows_its_final_place(converted):
    settings = yaml.load((converted / "tiny" / "hls4ml_config.yml").read_text(), Loader=yaml.BaseLoader)
    assert settings["OutputDir"] == str((converted / "tiny").resolve())


@pytest.mark.slow
def test_json_is_the_report_with_the_documented_keys(converted):
    result = json.loads((converted / "result.json").read_text())
    assert result == json.loads((converted / "tiny" / "report.json").read_text())
    assert set(result) == set(SECTIONS) - {"verification"}  # of folded designs only
    assert {"name", "config", "backend", "part", "clock_period_ns", "layers"} <= set(result["design"])
    assert {"weight_share", "share", "total_bits", "float_bits", "layers"} <= set(result["footprint"])
    assert set(result["csim"]) == {"types", "convert_seconds", "compile_seconds", "images_per_second"}
    assert {"images", "faces", "mismatches", "first_difference", "cosine_to_float", "tensors"} == set(
        result["comparison"]
    )
    assert {"layers", "total", "available", "share", "frames_per_second", "bottleneck"} <= set(result["estimate"])
    assert set(result["fifo"]) == {"count", "bits"}


@pytest.mark.slow
def test_a_known_accuracy_stands_beside_the_report_and_compare_shows_it(call, configs, material, tmp_path):
    checkpoint = material / "tiny.npz"
    known = json.loads((configs / "checkpoints" / "w4a4.evaluation.json").read_text())
    known["checkpoint_sha256"] = content_hash(checkpoint)
    beside = evaluation_file(checkpoint)
    beside.write_text(json.dumps(known))
    try:
        call("convert", "--config", "trained.yml", "--output", tmp_path, "--until", "estimate")
    finally:
        beside.unlink()
    assert json.loads((tmp_path / "tiny" / "evaluation.json").read_text()) == known
    assert f"{100 * known['accuracy']:.2f} %" in call("compare", tmp_path / "tiny").out


@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_until_estimate_stops_there(call, tmp_path, backend):
    outcome = call(
        "convert", "--config", "tiny.yml", "--set", f"hls.backend={backend}", "--until", "estimate",
        "--output", tmp_path, "--json", tmp_path / "new" / "result.json",
    )  # fmt: skip
    assert outcome.code == 0
    assert "[5/5]" in outcome.out and "compiling" not in outcome.out
    result = json.loads((tmp_path / "new" / "result.json").read_text())
    assert set(result) == {"design", "footprint", "csim", "estimate", "fifo"}
    assert result["design"]["backend"] == backend
    assert (tmp_path / "tiny" / "firmware" / "qmfn.cpp").exists()
    assert not list((tmp_path / "tiny").rglob("*.so"))
    assert "Not compared" in (tmp_path / "tiny" / "report.md").read_text()


def test_a_new_result_replaces_the_earlier_one(call, earlier):
    assert call("convert", "--config", "tiny.yml", "--until", "load", "--output", earlier).code == 0
    names = [".qmfn.json", "report.html", "report.json", "report.md", "tiny"]
    assert sorted(path.name for path in earlier.rglob("*")) == names
    assert "earlier" not in (earlier / "tiny" / "report.json").read_text()


def test_faces_of_the_command_line_come_before_those_of_the_design(call, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(flow, "run_flow", lambda config, *_: asked.append(config.comparison.faces) or {})
    call("convert", "--config", "tiny.yml", "--faces", "grass.png", "--output", tmp_path)
    assert asked == [str(Path("grass.png").resolve())]


@pytest.fixture
def compared(monkeypatch) -> Callable[[Comparison], None]:
    """A function that makes a comparison the result of C-simulation and Keras, without compiling anything."""

    def finds(comparison: Comparison) -> None:
        monkeypatch.setattr(flow.compiler, "library_for", lambda *_: None)
        monkeypatch.setattr(flow.csim, "Csim", lambda *_: None)
        monkeypatch.setattr(flow.compare, "compare", lambda *_: comparison)
        monkeypatch.setattr(flow.project, "write_test_bench", lambda *_: None)

    return finds


@pytest.mark.slow
def test_a_single_differing_value_is_exit_code_1_and_the_report_says_so(call, tmp_path, compared):
    different = Comparison(
        images=2,
        tensors=[TensorComparison("conv1", values=10, mismatches=1, max_abs_difference=0.5)],
        first_difference=Difference("conv1", 0, (1, 2, 3), 0.5, 1.0),
        embeddings=[[1.0] * 8] * 2,
    )
    compared(different)
    outcome = call("convert", "--config", "tiny.yml", "--output", tmp_path)
    assert outcome.code == 1
    assert "1 of 10 values differ, first in conv1" in " ".join(outcome.out.split())
    assert "conv1[1, 2, 3] of image 0: csim 0.5, Keras 1.0" in (tmp_path / "tiny" / "report.md").read_text()


@pytest.mark.slow
def test_train_writes_the_checkpoint_that_the_design_names(call, tmp_path):
    outcome = call(
        "train", "--config", "trained.yml", "--set", f"checkpoint={tmp_path / 'new' / 'tiny.npz'}",
        "--run", tmp_path / "run", "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert outcome.code == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result) == {"checkpoint", "origin", "footprint"}
    assert Path(result["checkpoint"]).exists()
    assert "held-out AUC" in outcome.out
    trained = call(
        "convert", "--config", "trained.yml", "--set", f"checkpoint={result['checkpoint']}",
        "--until", "load", "--output", tmp_path,
    )  # fmt: skip
    assert trained.code == 0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["keras", "float"])
def test_evaluate_measures_a_design_of_any_input_size(call, tmp_path, engine):
    outcome = call(
        "evaluate", "--config", "tiny.yml", "--faces", "faces", "--pairs", "pairs.csv",
        "--engine", engine, "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["engine"], result["pairs"]) == (engine, 20)


@pytest.mark.slow
def test_evaluate_through_the_hls_code_gives_the_embeddings_of_keras(call, tmp_path):
    outcome = call(
        "evaluate", "--config", "tiny.yml", "--faces", "faces", "--pairs", "pairs.csv",
        "--engine", "csim", "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["engine"], result["differing_embeddings"], result["images"]) == ("csim", 0, 12)


@pytest.mark.slow
def test_evaluate_says_so_when_an_embedding_differs(call, monkeypatch):
    from qmfn.simulation import csim

    right = csim.simulate
    monkeypatch.setattr(csim, "simulate", lambda *given: (embedding + 1 for embedding in right(*given)))
    outcome = call("evaluate", "--config", "tiny.yml", "--faces", "faces", "--pairs", "pairs.csv", "--engine", "csim")
    assert outcome.code == 1
    assert "differing_embeddings 12" in " ".join(outcome.out.split())


@pytest.mark.slow
def test_evaluate_gives_the_rates_of_the_protocol(call, tmp_path, write_faces):
    write_faces(tmp_path / "faces", people=4, pictures=3, size=112)
    outcome = call(
        "evaluate", "--config", "tiny.yml", "--set", "model.input_size=112", "--faces", tmp_path / "faces",
        "--pairs", "pairs.csv", "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["engine"], result["pairs"], set(result["tar_at_far"])) == ("keras", 20, {"1e-2", "1e-3"})
    assert all(0 <= result[rate] <= 1 for rate in ("accuracy", "auc", "eer"))
    assert {"accuracy_std", "threshold", "images", "images_per_second"} <= set(result)
    low, high = result["accuracy_interval"]
    assert low <= result["accuracy"] <= high


@pytest.mark.slow
def test_evaluate_draws_and_compares_with_the_float_network(call, tmp_path):
    outcome = call(
        "evaluate", "--config", "tiny.yml", "--faces", "faces", "--pairs", "pairs.csv", "--float",
        "--plots", tmp_path / "plots", "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert 0 < json.loads((tmp_path / "result.json").read_text())["cosine_to_float"] <= 1
    for name in ("roc.png", "scores.png"):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_plots_that_cannot_be_written_are_an_error(call):
    outcome = call(
        "evaluate", "--config", "tiny.yml", "--faces", "faces", "--pairs", "pairs.csv", "--plots", "file.txt/plots"
    )
    assert outcome.code == 1
    assert "file.txt/plots: can't take the plots (Not a directory)." in outcome.last_errors[-1]


@pytest.mark.slow
def test_a_bit_search_gives_a_quantisation_group_that_a_design_takes(call, tmp_path):
    outcome = call(
        "search_bits", "--config", "tiny.yml", "--footprint", 12, "--activation-bits", 5, "--images", 4,
        "--output", tmp_path / "bits.yml", "--plot", tmp_path / "bits.png", "--json", tmp_path / "bits.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    group = yaml.safe_load((tmp_path / "bits.yml").read_text())
    assert outcome.out.endswith((tmp_path / "bits.yml").read_text())
    assert QuantisationConfig.model_validate(group["quantisation"]).layers
    assert (tmp_path / "bits.png").read_bytes().startswith(b"\x89PNG")
    assert {"weight", "activation"} == {row["kind"] for row in json.loads((tmp_path / "bits.json").read_text())[
        "sensitivities"]}  # fmt: skip


@pytest.mark.slow
def test_a_footprint_that_cannot_be_met_is_an_error(call):
    outcome = call("search_bits", "--config", "tiny.yml", "--footprint", 6, "--images", 2)
    assert outcome.code == 1
    assert outcome.last_errors == [
        "error: no assignment of the measured weight bits stays within 6.00% of the float weights."
    ]


def test_json_that_cannot_be_written_is_an_error(call, tmp_path):
    outcome = call(
        "convert", "--config", "tiny.yml", "--until", "load", "--output", tmp_path, "--json", "file.txt/result.json"
    )
    assert outcome.code == 1
    (line,) = outcome.last_errors
    assert line.startswith("error: file.txt/result.json can't be written: ")


@pytest.mark.slow
def test_without_a_compiler_the_error_says_how_to_get_one(call, earlier, snapshot, monkeypatch):
    before = snapshot(earlier)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(earlier))
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1
    assert outcome.last_errors == ["error: g++: no such C++ compiler on PATH; install g++ or set CXX to one."]
    assert snapshot(earlier) == before


@pytest.mark.slow
@pytest.mark.parametrize("command", ["nonexistent", "nonexistent -O0", " nonexistent  'two words'"])
def test_a_compiler_that_is_not_there_is_named_without_its_options(call, earlier, snapshot, monkeypatch, command):
    before = snapshot(earlier)
    monkeypatch.setenv("CXX", command)
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1
    assert outcome.last_errors == ["error: nonexistent: no such C++ compiler on PATH; install g++ or set CXX to one."]
    assert snapshot(earlier) == before


@pytest.fixture
def failing_compiler(tmp_path) -> Path:
    """A compiler that says what it was called with, and fails."""
    path = tmp_path / "failing-c++"
    path.write_text('#!/bin/sh\necho "In file included from here:"\necho "  error: $1, $2"\necho "error: 2"\nexit 1\n')
    path.chmod(0o755)
    return path


@pytest.mark.slow
def test_the_compiler_may_be_several_words(call, earlier, snapshot, monkeypatch, failing_compiler):
    before = snapshot(earlier)
    monkeypatch.setenv("CXX", f"{failing_compiler} -m64 -DTEXT='two words'")
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1
    assert outcome.last_errors == [
        f"error: {failing_compiler}: can't compile the HLS project: error: -m64, -DTEXT=two words"
    ]
    assert snapshot(earlier) == before


@pytest.mark.slow
def test_a_compiler_that_is_no_command_line_is_an_error(call, earlier, monkeypatch):
    monkeypatch.setenv("CXX", "g++ 'two")
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1 and "CXX" in outcome.err


@pytest.mark.slow
def test_a_compiler_that_does_not_start_is_an_error(call, earlier, monkeypatch, tmp_path):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "text"))
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1 and outcome.err.startswith(f"error: {tmp_path / 'text'}: ")


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_an_error(call, earlier, snapshot, monkeypatch):
    before = snapshot(earlier)
    monkeypatch.setenv("QMFN_CACHE", "file.txt")
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1
    (line,) = outcome.last_errors
    assert line.startswith("error: file.txt: the cache of C-simulations can't be written (")
    assert snapshot(earlier) == before


@pytest.mark.slow
def test_a_compiler_that_is_not_there_is_named_by_the_script(start, finish, earlier, snapshot):
    before = snapshot(earlier)
    outcome = finish(start("convert", "--config", "tiny.yml", "--output", earlier, CXX="nonexistent"))
    assert outcome.code == 1
    assert outcome.err == "error: nonexistent: no such C++ compiler on PATH; install g++ or set CXX to one.\n"
    assert snapshot(earlier) == before


@pytest.fixture
def broken_sources(monkeypatch):
    """The written C++ does not compile."""
    write = project.write_project

    def write_broken(graph, folder, final):
        write(graph, folder, final)
        for source in (folder / "csim").glob("*.cpp"):
            source.write_text("#error broken on purpose\n")

    monkeypatch.setattr(flow.project, "write_project", write_broken)


@pytest.mark.slow
def test_sources_that_do_not_compile_are_an_error_and_change_nothing(call, earlier, cache, snapshot, broken_sources):
    before, kept = snapshot(earlier), sorted(cache.rglob("*"))
    outcome = call("convert", "--config", "tiny.yml", "--output", earlier)
    assert outcome.code == 1
    (line,) = outcome.last_errors
    assert line.startswith("error: g++: can't compile the HLS project: ")
    assert line.endswith("error: #error broken on purpose")
    assert snapshot(earlier) == before
    assert sorted(cache.rglob("*")) == kept


@pytest.mark.slow
def test_a_design_with_other_float_weights_at_hand_still_converts(call, tmp_path, compared, write_float_weights):
    compared(Comparison(images=2, tensors=[TensorComparison("conv1", values=10)], embeddings=[[1.0] * 8] * 2))
    weights = write_float_weights(tmp_path / "weights.npz", random_parameters(architecture(ModelConfig()), seed=0))
    outcome = call(
        "convert", "--config", "trained.yml", "--set", f"training.float_weights={weights}", "--output", tmp_path
    )
    assert outcome.code == 0, outcome.err
    assert json.loads((tmp_path / "tiny" / "report.json").read_text())["comparison"]["cosine_to_float"] is None


def cosine_to_float(call, folder: Path, config: str) -> float | None:
    assert call("convert", "--config", config, "--output", folder).code == 0
    return json.loads((folder / "tiny" / "report.json").read_text(), parse_constant=pytest.fail)["comparison"][
        "cosine_to_float"
    ]


@pytest.mark.slow
def test_a_trained_design_is_compared_with_its_float_weights(call, tmp_path, compared):
    compared(Comparison(images=2, tensors=[TensorComparison("conv1", values=10)], embeddings=[[1.0] * 8] * 2))
    assert -1 <= cosine_to_float(call, tmp_path, "trained.yml") <= 1


@pytest.mark.slow
def test_a_design_with_random_weights_is_not_compared_with_float_weights(call, tmp_path, compared):
    compared(Comparison(images=2, tensors=[TensorComparison("conv1", values=10)], embeddings=[[1.0] * 8] * 2))
    assert cosine_to_float(call, tmp_path, "tiny.yml") is None


@pytest.mark.slow
def test_embeddings_of_zeros_leave_a_report_that_is_json(call, tmp_path, compared):
    compared(Comparison(images=2, tensors=[TensorComparison("conv1", values=10)], embeddings=[[0.0] * 8] * 2))
    cosine_to_float(call, tmp_path, "trained.yml")
