"""`qmfn report`: renews the report of a converted design with the vendor's figures, and leaves other projects alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.pages import Page
from helpers.vendor_trees import COSIMULATION, FIRMWARE, UTILISATION, small_tree

from qmfn.cli.report import COMMAND as report
from qmfn.report import write


@pytest.fixture(params=[True, False], ids=["Vitis", "Vivado"])
def synthesised_project(request, tmp_path) -> Path:
    """A project with everything that the vendor's tools report, none of ours."""
    folder = tmp_path / "project"
    small_tree(request.param).write(folder)
    (folder / "firmware").mkdir()
    (folder / "firmware" / "small.cpp").write_text(FIRMWARE)
    (folder / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    cosimulation = folder / "small_prj" / "solution1" / "sim" / "report"
    cosimulation.mkdir(parents=True)
    (cosimulation / "small_cosim.rpt").write_text(COSIMULATION.format(status="Pass"))
    return folder


@pytest.fixture
def converted(synthesised_project, designed, evaluated) -> Path:
    """The same as `convert` leaves it, synthesised since."""
    write(synthesised_project, designed, evaluated)
    return synthesised_project


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(before: dict[Path, bytes], folder: Path) -> set[str]:
    after = files(folder)
    return {path.name for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def page(path: Path) -> str:
    return Page(path.read_text(encoding="utf-8")).text


def test_a_converted_design_gets_the_vendors_figures_beside_its_estimates(converted, capsys):
    before = files(converted)
    assert "Estimated against vendor" not in page(converted / "report.html")
    assert report.main([str(converted)]) == 0
    assert changed(before, converted) == {"report.html", "report.md"}
    shown, printed = page(converted / "report.html"), capsys.readouterr().out
    ours = ("HLS code against Python", "98.75", "3 FIFOs between the stages", "bottleneck1_expand")
    theirs = ("Estimated against vendor", "target 5 ns", "515 cycles per frame", "latency 610 to 615 cycles", "Pass")
    for text in (shown, (converted / "report.md").read_text(), printed):
        assert [words for words in (*ours, *theirs) if words not in text] == []
    table = shown[shown.index("The whole design") :]
    assert "total estimated 60,000 120,000 12 7 0 99,123" in table
    assert "C-synthesis 290 165 4 5 0 515 600" in table and "post-synthesis 150 120 4 5 1" in table
    assert "conv1 estimated 4,321 8,642 12 7 0 7,441" in table and "C-synthesis 200 100 4 2 0 501 500" in table
    assert "name: small # <tiny> & quick" in shown and "Not done" not in shown
    assert printed.endswith(f"report: {converted / 'report.html'}\n")


def test_the_verdict_is_by_the_vendors_figures(converted):
    report.main([str(converted)])
    assert "Fits LUT at 0.0 % post-synthesis, by Vivado" in page(converted / "report.html")


def test_a_failed_cosimulation_fails_the_design(converted):
    (path,) = converted.rglob("small_cosim.rpt")
    path.write_text(COSIMULATION.format(status="Fail"))
    report.main([str(converted)])
    assert "Differs co-simulation: Fail" in page(converted / "report.html")


@pytest.mark.parametrize("below", ["small_prj", "small_prj/solution1/syn/report"])
def test_any_folder_of_the_project_will_do(converted, below):
    before = files(converted)
    assert report.main([str(converted / below)]) == 0
    assert changed(before, converted) == {"report.html", "report.md"}


@pytest.mark.parametrize("content", [None, '{"tests": 3, "failures": 0}'], ids=["none", "of another program"])
def test_nothing_is_written_into_a_project_that_was_not_converted_here(synthesised_project, capsys, content):
    if content:
        (synthesised_project / "report.json").write_text(content)
    (synthesised_project / "report.html").write_text("mine")
    before = files(synthesised_project)
    assert report.main([str(synthesised_project)]) == 0
    assert changed(before, synthesised_project) == set()
    printed = capsys.readouterr().out
    assert "C-synthesis" in printed and "290" in printed and "Verdict" not in printed and "report:" not in printed


def test_layers_that_no_tool_says_anything_of_are_rows_of_dashes(tmp_path, capsys):
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "small.cpp").write_text(FIRMWARE)
    (tmp_path / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    assert report.main([str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["total", "post-synthesis", "150", "120", "4", "5", "1", "-", "-"] in lines
    assert ["conv1", *7 * "-"] in lines


def test_its_page_is_written_where_it_is_asked_for(synthesised_project, tmp_path, capsys):
    before = files(synthesised_project)
    assert report.main([str(synthesised_project), "--html", str(tmp_path / "new" / "page.html")]) == 0
    assert changed(before, synthesised_project) == set()
    text = page(tmp_path / "new" / "page.html")
    assert text.startswith("small · QMobileFaceNet Reports of the vendor's tools small") and "Not compared" not in text
    assert "conv1 C-synthesis 200 100 4 2 0 501 500" in text and "no estimates, so none are shown" in text


def test_a_design_that_was_not_synthesised_gets_its_new_evaluation(designed, evaluated, tmp_path, capsys):
    write(tmp_path, designed)
    assert "Not evaluated" in page(tmp_path / "report.html")
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluated))
    assert report.main([str(tmp_path)]) == 0
    text = page(tmp_path / "report.html")
    assert "98.75 %" in text and "Not evaluated" not in text
    assert "Not done: no vendor tool has confirmed cycles and resources." in text
    assert "98.75 %" in capsys.readouterr().out


def test_there_is_no_json_of_what_no_tool_has_reported(designed, tmp_path, capsys):
    write(tmp_path, designed)
    before = files(tmp_path)
    assert report.main([str(tmp_path), "--json", str(tmp_path / "vendor.json")]) == 1
    assert changed(before, tmp_path) == set() and "no C-synthesis reports" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.json", "{"), ("report.json", '{"design": {}, "comparison": {"tensors": [{}]}}'),
        ("report.json", '{"design": 3}'), ("evaluation.json", "[]"), ("evaluation.json", '{"accuracy": 1}'),
    ],
)  # fmt: skip
def test_a_damaged_result_is_an_error_that_names_it_and_the_report_stands(converted, capsys, name, content):
    (converted / name).write_text(content)
    before = files(converted)
    assert report.main([str(converted)]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "report.json" in printed.err or name in printed.err
    assert changed(before, converted) == set()
