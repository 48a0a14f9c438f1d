"""Small report trees in both dialects: what is read, and what is named when something is missing or cut off."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.vendor_trees import COSIMULATION, HIERARCHY, UTILISATION, small_tree

from qmfn.errors import UserError
from qmfn.vendor.figures import Cycles, Resources
from qmfn.vendor.reports import read_run

CONV = "conv_2d_cl_array_array_ap_fixed_8u_config2_s"
INNER = "compute_output_buffer_2d_array_array_ap_fixed_8u_config2_s"
RELU = "relu_array_array_ap_fixed_8u_relu_config13_s"


def cut(path: Path, share: float) -> None:
    text = path.read_text()
    path.write_text(text[: int(len(text) * share)])


def test_a_whole_tree_has_no_problems(small):
    run = read_run(small)
    assert run.problems == ()
    assert run.top.name == "small" and run.part == "xcsmall"
    assert (run.tool, run.version) in {("Vitis HLS", "2024.1"), ("Vivado HLS", "2018.3")}
    assert run.top.resources == Resources(lut=290, ff=165, dsp=4, bram_18k=5, uram=0)
    assert run.modules[CONV].cycles == Cycles(499, 500, 500, 500, 501)
    assert [(part.name, part.depth, part.bits) for part in run.top.fifos] == [("layer2_out_U", 64, 32)]
    assert [part.module for part in run.modules[CONV].instances] == [INNER]


def test_what_the_tool_does_not_know_is_none(small):
    """"undef" in XML, "?" in text."""
    assert read_run(small).modules[RELU].cycles == Cycles()


def test_text_alone_gives_the_same(small, reports):
    whole = read_run(small)
    for path in reports.glob("*.xml"):
        path.unlink()
    run = read_run(small)
    for name, module in whole.modules.items():
        assert run.modules[name].resources == module.resources
        assert replace(module.cycles, latency_avg=None) == run.modules[name].cycles
        assert run.modules[name].clock == module.clock
        assert run.modules[name].instances == module.instances
    assert [problem.split(": ")[1] for problem in run.problems] == [
        "no *_csynth.xml; figures are those of the text reports alone."
    ]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["small", CONV])
def test_cut_off_xml_is_named_and_the_text_report_used(small, reports, name, share):
    whole = read_run(small)
    cut(reports / f"{name}_csynth.xml", share)
    run = read_run(small)
    assert run.modules[name].resources == whole.modules[name].resources
    state = "empty" if share == 0 else "cut off or no XML"
    assert [problem.split(" (")[0] for problem in run.problems] == [f"{name}_csynth.xml is {state}"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.8, 0.9])
def test_cut_off_text_is_named_and_the_xml_report_used(small, reports, share):
    whole = read_run(small)
    cut(reports / "small_csynth.rpt", share)
    run = read_run(small)
    assert run.top.resources == whole.top.resources and run.top.cycles == whole.top.cycles
    assert list(run.problems) == [f"small_csynth.rpt is {'empty' if share == 0 else 'cut off'}."]


@pytest.mark.slow
def test_no_length_of_a_text_report_is_a_wrong_figure(small, reports):
    """Cut after any character: a figure is right, or not there."""
    (reports / f"{CONV}_csynth.xml").unlink()
    path = reports / f"{CONV}_csynth.rpt"
    text, whole = path.read_text(), read_run(small).modules[CONV]
    seen = set()
    for length in range(text.index("==") + 1, len(text), 3):
        path.write_text(text[:length])
        module = read_run(small).modules[CONV]
        assert module.resources in (whole.resources, Resources()), length
        assert module.cycles in (whole.cycles, Cycles())
        assert module.instances in (whole.instances, None)
        seen.add((bool(module.resources), bool(module.cycles)))
    assert seen == {(False, False), (False, True), (True, True)}


def test_both_reports_of_a_module_cut_off(small, reports):
    cut(reports / f"{CONV}_csynth.xml", 0.5)
    cut(reports / f"{CONV}_csynth.rpt", 0.2)
    run = read_run(small)
    assert not run.modules[CONV].resources
    assert [problem.split(" is ")[0] for problem in run.problems] == [f"{CONV}_csynth.xml", f"{CONV}_csynth.rpt"]


def test_missing_files_are_named(small, reports):
    (reports / f"{CONV}_csynth.xml").unlink()
    (reports / f"{RELU}_csynth.rpt").unlink()
    for suffix in ("xml", "rpt"):
        (reports / f"{INNER}_csynth.{suffix}").unlink()
    assert sorted(read_run(small).problems) == sorted(
        [
            f"{CONV}_csynth.xml is missing.",
            f"{RELU}_csynth.rpt is missing.",
            f"{INNER}_csynth.xml and .rpt are missing.",
        ]
    )


def test_reports_that_disagree_are_named(small, reports):
    path = reports / f"{CONV}_csynth.xml"
    path.write_text(path.read_text().replace("<LUT>200</LUT>", "<LUT>201</LUT>"))
    run = read_run(small)
    assert run.modules[CONV].resources.lut == 201
    assert list(run.problems) == [
        f"{CONV}_csynth.xml and .rpt disagree (lut 201 and 200); the first are shown."
    ]


@pytest.mark.parametrize("content", ["<html></html>", "\x00\x01", "<?xml version='1.0' encoding='klingon'?><profile/>"])
def test_a_file_that_is_no_report_is_named(small, reports, content):
    (reports / f"{CONV}_csynth.xml").write_text(content)
    run = read_run(small)
    assert len(run.problems) == 1 and f"{CONV}_csynth.xml is " in run.problems[0]
    assert run.modules[CONV].resources.lut == 200


def test_disagreement_with_hls4ml_is_named(small, monkeypatch):
    from hls4ml.report import vivado_report

    found = {"CSynthesisReport": {"LUT": "291", "FF": "165"}}
    monkeypatch.setattr(vivado_report, "parse_vivado_report", lambda _: found)
    assert read_run(small).problems == ("hls4ml reads LUT = 291 where 290 is shown.",)


@pytest.mark.parametrize("name", ["myproject", "qmfn", "a_prj_b"])
def test_any_project_name_will_do(tmp_path, name):
    small_tree(name=name).write(tmp_path)
    run = read_run(tmp_path)
    assert run.problems == () and run.top.name == name


def test_reports_alone_in_a_folder_will_do(small, reports, tmp_path):
    reports.rename(tmp_path / "loose")
    run = read_run(tmp_path / "loose")
    assert run.top.name == "small" and run.top.resources.lut == 290


def test_several_solutions_are_named(small, reports):
    other = small / "small_prj" / "solution2" / "syn" / "report"
    other.mkdir(parents=True)
    (other / "small_csynth.xml").write_text((reports / "small_csynth.xml").read_text().replace("290", "999"))
    run = read_run(small)
    assert run.top.resources.lut == 290
    assert run.problems == ("solution1 is read; there are reports of solution2, too.",)
    assert read_run(other).top.resources.lut == 999


@pytest.mark.parametrize("what", ["no folder", "a file", "no reports", "an empty report folder", "two projects"])
def test_folders_without_one_run_are_refused_in_a_sentence(tmp_path, what):
    folder = tmp_path / "folder"
    wanted = "no C-synthesis reports"
    if what == "a file":
        folder.touch()
    elif what != "no folder":
        folder.mkdir()
    if what in ("no folder", "a file"):
        wanted = "no such folder"
    if what == "an empty report folder":
        (folder / "small_prj" / "solution1" / "syn" / "report").mkdir(parents=True)
    if what == "two projects":
        wanted = re.escape("reports of 2 projects (one, two)")
        for name in ("one", "two"):
            small_tree().write(folder / name)
    with pytest.raises(UserError, match=wanted):
        read_run(folder)


SITES = {"ultrascale": ("CLB LUTs*", "CLB Registers"), "7 series": ("Slice LUTs*", "Slice Registers")}


@pytest.mark.parametrize("family", SITES)
def test_post_synthesis_counts_blocks_of_18_kbit(small, family):
    luts, registers = SITES[family]
    (small / "vivado_synth.rpt").write_text(UTILISATION.format(luts=luts, registers=registers))
    (small / "vivado_synth_hierarchy.rpt").write_text(HIERARCHY)
    run = read_run(small)
    assert run.problems == ()
    assert run.post_synthesis.resources == Resources(lut=150, ff=120, dsp=4, bram_18k=5, uram=1)
    assert run.post_synthesis.version == "2024.1"
    layer = run.post_synthesis.instances["conv_2d_cl_array_array_ap_fixed_8u_config2_U0"]
    assert layer == Resources(lut=90, ff=70, dsp=4, bram_18k=3, uram=0)


def test_a_cut_off_utilisation_report_is_named(small):
    whole = UTILISATION.format(luts="CLB LUTs*", registers="CLB Registers")
    (small / "vivado_synth.rpt").write_text(whole[: whole.index("2. BLOCKRAM")])
    run = read_run(small)
    assert run.post_synthesis.resources == Resources(lut=150, ff=120)
    assert run.problems == ("vivado_synth.rpt is cut off or no utilisation report: no dsp, bram_18k.",)


def test_post_synthesis_without_c_synthesis(tmp_path):
    (tmp_path / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    run = read_run(tmp_path)
    assert run.top is None and run.post_synthesis.resources.lut == 150
    assert len(run.problems) == 1 and "no C-synthesis reports" in run.problems[0]


@pytest.mark.parametrize("status", ["Pass", "Fail"])
def test_cosimulation_is_read(small, reports, status):
    folder = reports.parents[1] / "sim" / "report"
    folder.mkdir(parents=True)
    (folder / "small_cosim.rpt").write_text(COSIMULATION.format(status=status))
    run = read_run(small)
    assert run.problems == ()
    assert (run.cosimulation.language, run.cosimulation.status) == ("Verilog", status)
    assert run.cosimulation.cycles == Cycles(610, 612, 615, 520, 525) and run.cosimulation.interval_avg == 521


def test_cosimulation_without_a_result_is_named(small, reports):
    folder = reports.parents[1] / "sim" / "report"
    folder.mkdir(parents=True)
    (folder / "small_cosim.rpt").write_text(COSIMULATION.splitlines()[1])
    run = read_run(small)
    assert run.cosimulation is None and run.problems == ("small_cosim.rpt has no result.",)
