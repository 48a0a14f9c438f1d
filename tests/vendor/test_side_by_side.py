"""Estimates and reports in one table: which module is which layer, sums, errors, and the same in JSON."""

from __future__ import annotations

import json

import pytest
from helpers.vendor_trees import FIRMWARE, HIERARCHY, UTILISATION, FakeModule, FakeTree, small_tree

from qmfn.cli.report import COMMAND as report
from qmfn.errors import UserError
from qmfn.vendor.layers import layers_of, read_calls
from qmfn.vendor.reports import read_run
from qmfn.vendor.side_by_side import RESOURCES, compare, relative_error
from qmfn.vendor.sources import RECORD, record, sources

ESTIMATE = {
    "layers": [
        {"layer": "conv1", "lut": 240, "ff": 90, "dsp": 4, "bram_18k": 0, "uram": 0, "cycles": 400},
        {"layer": "clone_conv1", "lut": 7, "ff": 5, "dsp": 0, "bram_18k": 0, "uram": 0, "cycles": 512},
        {"layer": "conv1_relu", "lut": 10, "ff": 10, "dsp": 0, "bram_18k": 0, "uram": 0, "cycles": 64},
        {"layer": "dense", "lut": 1, "ff": 1, "dsp": 1, "bram_18k": 1, "uram": 0, "cycles": 1},
    ],
    "total": {"lut": 300, "ff": 150, "dsp": 5, "bram_18k": 4, "uram": 0},
}


@pytest.fixture
def estimated(firmware):
    (firmware / "report.json").write_text(json.dumps({"estimate": ESTIMATE}))
    return firmware


def rows_by_name(comparison) -> dict:
    return {row.name: row for row in comparison.rows}


def test_modules_find_their_layers(estimated):
    comparison = compare(read_run(estimated))
    rows = rows_by_name(comparison)
    assert list(rows) == ["conv1", "clone_conv1", "conv1_relu", "dense", "FIFOs", "other (control)"]
    assert rows["conv1"].modules == ("conv_2d_cl_array_array_ap_fixed_8u_config2_s",)
    assert rows["clone_conv1"].modules == ("clone_stream_array_array_ap_fixed_8u_512_s",)
    assert rows["conv1_relu"].modules == ("relu_array_array_ap_fixed_8u_relu_config13_s",)
    assert comparison.problems == ("Layers that no module is known for: dense.",)


def test_a_layer_is_known_by_its_configuration_or_else_its_streams(estimated):
    calls = read_calls(estimated)
    assert layers_of("clone_stream_array_array_ap_fixed_8u_512_s", None, calls) == ("clone_conv1", "clone_other")
    assert layers_of("clone_stream_array_array_ap_fixed_8u_51_s", None, calls) == ()
    assert layers_of("conv_2d_cl_config13_s", None, calls) == ("conv1_relu",)  # 13 is not 1
    assert layers_of("conv_2d_cl_config1_s", None, calls) == ()


@pytest.mark.parametrize("lut, known", [(7, True), (8, False)], ids=["alike", "different"])
def test_clones_of_one_size_are_told_apart_only_if_it_does_not_matter(tmp_path, lut, known):
    """Vivado HLS does not say what streams a module is connected to."""
    tree = small_tree(vitis=False)
    clone = tree.modules[-1]
    clone.streams = ()
    other = FakeModule("clone_stream_array_array_ap_fixed_8u_512_1", (0, 0, 5, lut, 0), 514, 515)
    top = tree.modules[0]
    top.instances += (("clone_stream_array_array_ap_fixed_8u_512_1_U0", other),)
    tree.modules.append(other)
    tree.write(tmp_path)
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "small.cpp").write_text(FIRMWARE)
    rows = rows_by_name(compare(read_run(tmp_path)))
    assert (rows["clone_conv1"].modules, rows["clone_other"].modules) == (
        ((clone.name,), (other.name,)) if known else ((), ())
    )
    assert (other.name in rows) is not known


def test_errors_are_relative_to_the_vendor(estimated):
    rows = rows_by_name(compare(read_run(estimated)))
    errors = rows["conv1"].errors["estimated_to_c_synthesis"]
    assert errors == {
        "lut": pytest.approx(0.2),
        "ff": pytest.approx(-0.1),
        "dsp": 0,
        "bram_18k": -1,
        "uram": 0,
        "cycles": pytest.approx(400 / 501 - 1),
    }
    assert rows["conv1_relu"].errors["estimated_to_c_synthesis"]["cycles"] is None  # the tool doesn't know them
    assert rows["dense"].errors == {}


@pytest.mark.parametrize(
    "figure, reference, error", [(3, 2, 0.5), (1, 2, -0.5), (0, 0, 0.0), (1, 0, None), (None, 1, None), (1, None, None)]
)
def test_relative_error(figure, reference, error):
    assert relative_error(figure, reference) == error


def test_totals_and_what_is_in_no_layer(estimated):
    comparison = compare(read_run(estimated))
    rows, total = rows_by_name(comparison), comparison.total.figures
    assert total["c_synthesis"]["lut"] == 290 and total["c_synthesis"]["cycles"] == 515
    assert total["estimated"] == ESTIMATE["total"] | {"cycles": 512}
    assert rows["FIFOs"].figures["estimated"]["lut"] == 300 - 258
    assert rows["FIFOs"].figures["c_synthesis"]["lut"] == 60
    assert rows["other (control)"].figures["c_synthesis"]["lut"] == 3
    for resource in RESOURCES:
        counts = [figures[resource] or 0 for row in comparison.rows if (figures := row.figures.get("c_synthesis"))]
        assert sum(counts) == total["c_synthesis"][resource]


def test_post_synthesis_per_layer(estimated):
    (estimated / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    (estimated / "vivado_synth_hierarchy.rpt").write_text(HIERARCHY)
    comparison = compare(read_run(estimated))
    rows = rows_by_name(comparison)
    assert rows["conv1"].figures["post_synthesis"]["lut"] == 90
    assert rows["conv1"].errors["estimated_to_post_synthesis"]["lut"] == pytest.approx(240 / 90 - 1)
    assert rows["conv1"].errors["c_synthesis_to_post_synthesis"]["lut"] == pytest.approx(200 / 90 - 1)
    assert rows["FIFOs"].figures["post_synthesis"]["lut"] == 40
    assert rows["clone_conv1"].figures["post_synthesis"] is None
    counts = [figures["lut"] for row in comparison.rows if (figures := row.figures.get("post_synthesis"))]
    assert sum(counts) == comparison.total.figures["post_synthesis"]["lut"] == 150


def test_estimates_after_synthesis_are_judged_by_it(estimated):
    after = {"lut": 99, "ff": 70, "dsp": 4, "bram_18k": 3, "uram": 0}
    layers = [layer | {"post_synthesis": after} for layer in ESTIMATE["layers"]]
    (estimated / "report.json").write_text(json.dumps({"estimate": ESTIMATE | {"layers": layers}}))
    (estimated / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    (estimated / "vivado_synth_hierarchy.rpt").write_text(HIERARCHY)
    errors = rows_by_name(compare(read_run(estimated)))["conv1"].errors
    assert errors["estimated_to_post_synthesis"]["lut"] == pytest.approx(0.1)
    assert errors["estimated_to_c_synthesis"]["lut"] == pytest.approx(0.2)


def test_a_foreign_tree_shows_the_vendors_names(small):
    comparison = compare(read_run(small))
    assert [row.what for row in comparison.rows] == ["module", "module", "module", "fifo", "other"]
    assert comparison.rows[0].name == "relu_array_array_ap_fixed_8u_relu_config13_s"
    assert comparison.problems == (f"{small / 'report.json'}: no estimates, so none are shown.",)


def test_without_hierarchy_the_firmware_tells_layers_from_their_insides(estimated, reports):
    for path in reports.glob("*.rpt"):
        path.unlink()
    rows = rows_by_name(compare(read_run(estimated)))
    assert rows["conv1"].modules == ("conv_2d_cl_array_array_ap_fixed_8u_config2_s",)
    assert list(rows)[-1] == "other (FIFOs, control)"


def test_without_hierarchy_and_firmware_modules_are_listed_as_what_they_are(small, reports):
    for path in reports.glob("*.rpt"):
        path.unlink()
    comparison = compare(read_run(small))
    assert {row.what for row in comparison.rows} == {"module"} and len(comparison.rows) == 4
    assert any("don't add up" in problem for problem in comparison.problems)


def test_an_accelerator_s_design_is_looked_into(tmp_path):
    tree = small_tree(name="small")
    inner = tree.modules[0]
    outer = FakeModule("small_axi", (6, 4, 200, 310, 0), 700, 520, "dataflow", instances=(("small_U0", inner),))
    tree.modules.append(outer)
    tree.name = "small_axi"
    tree.write(tmp_path)
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "small.cpp").write_text(FIRMWARE)
    comparison = compare(read_run(tmp_path))
    rows = rows_by_name(comparison)
    assert "conv1" in rows and "small" not in rows
    assert sum(found["lut"] for row in comparison.rows if (found := row.figures.get("c_synthesis"))) == 310


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is no JSON"), ("[]", "holds no result of a design"),
        ('{"estimate": "none"}', "is no report of scripts/convert.py"),
    ],
)  # fmt: skip
def test_a_broken_report_json_is_refused_in_a_sentence(small, content, complaint):
    (small / "report.json").write_text(content)
    with pytest.raises(UserError, match=rf"report.json: {complaint}.*; convert the design again\.$"):
        compare(read_run(small))


def test_the_command_prints_and_writes_the_same(estimated, capsys, tmp_path):
    (estimated / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    assert report.main([str(estimated), "--json", str(tmp_path / "new" / "result.json")]) == 0
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "new" / "result.json").read_text())
    assert max(map(len, printed.splitlines())) <= 120
    assert result["total"]["c_synthesis"]["lut"] == 290 and result["total"]["post_synthesis"]["lut"] == 150
    lines = [line.split() for line in printed.splitlines()]
    assert ["conv1", "estimated", "240", "90", "4", "0", "0", "400", "-"] in lines
    assert ["C-synthesis", "200", "100", "4", "2", "0", "501", "500"] in lines
    errors = ["+20.0", "-10.0", "0.0", "-100.0", "0.0", "-20.2"]
    assert ["error", "to", "C-syn.", *(word for error in errors for word in (error, "%")), "-"] in lines
    assert ["total", "estimated", "300", "150", "5", "4", "0", "512", "-"] in lines
    assert ["post-synthesis", "150", "120", "4", "5", "1", "-", "-"] in lines
    conv = next(row for row in result["rows"] if row["name"] == "conv1")
    assert conv["c_synthesis"]["latency_max"] == 500
    assert conv["relative_error"]["estimated_to_c_synthesis"]["lut"] == pytest.approx(0.2)
    assert "Layers that no module is known for: dense." in printed and result["problems"]


SOURCES = ("firmware/small.cpp", "firmware/weights/w2.txt", "project.tcl", "build_prj.tcl", "small_test.cpp",
           "tb_data/tb_input_features.dat")  # fmt: skip
OTHERS = ("report.html", "hls4ml_config.yml", "vivado_synth.tcl", "tb_data/csim_results.log", "csim/small.cpp",
          "block_design_kv260.tcl", "small_prj/small.cpp")  # fmt: skip


@pytest.fixture
def synthesised(estimated):
    """A project whose results are of the sources that it has."""
    for name in (*SOURCES, *OTHERS):
        (estimated / name).parent.mkdir(parents=True, exist_ok=True)
        with (estimated / name).open("a") as file:
            file.write(f"// {name}\n")
    record(estimated, sources(estimated))
    return estimated


def of_other_sources(problems) -> list[str]:
    return [problem for problem in problems if "sources" in problem]


def test_results_of_the_sources_that_are_there_are_shown_without_a_word(synthesised):
    for name in OTHERS:
        (synthesised / name).write_text("another")
    assert of_other_sources(compare(read_run(synthesised)).problems) == []


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("change", ["edited", "removed"])
def test_results_of_other_sources_are_named_by_the_command(synthesised, capsys, tmp_path, name, change):
    if change == "edited":
        with (synthesised / name).open("a") as file:
            file.write("// edited")
    else:
        (synthesised / name).unlink()
    assert report.main([str(synthesised / "small_prj"), "--json", str(tmp_path / "result.json")]) == 0
    (said,) = of_other_sources(json.loads((tmp_path / "result.json").read_text())["problems"])
    assert said == (
        f"The project changed after qmfn synth ({name}), so the vendor's figures are of other sources; synthesise it "
        "again."
    )
    assert said in " ".join(capsys.readouterr().out.split())


def test_results_that_synth_did_not_make_have_no_record_and_no_complaint(estimated):
    assert of_other_sources(compare(read_run(estimated)).problems) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"sources": "none"}'])
def test_a_record_that_is_none_is_named(estimated, text):
    (estimated / RECORD).write_text(text)
    (said,) = of_other_sources(compare(read_run(estimated)).problems)
    assert said.startswith(f"{estimated / RECORD} is no record of qmfn synth")


def test_the_command_refuses_in_a_sentence(tmp_path, capsys):
    assert report.main([str(tmp_path / "nothing")]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1


def test_what_is_expected_after_synthesis_stands_beside_it(firmware):
    after = {"expected": {"lut": 140, "ff": 110, "dsp": 5, "bram_18k": 4, "uram": 0}, "band": {"lut": [80, 330]}}
    layers = [{**layer, "post_synthesis": after} for layer in ESTIMATE["layers"]]
    estimate = {**ESTIMATE, "layers": layers, "post_synthesis": after}
    (firmware / "report.json").write_text(json.dumps({"estimate": estimate}))
    comparison = compare(read_run(firmware))
    assert rows_by_name(comparison)["conv1"].figures["estimated_post_synthesis"]["lut"] == 140
    assert comparison.total.figures["estimated_post_synthesis"] == after["expected"]


@pytest.mark.parametrize("whole", [True, False], ids=["", "XML alone"])
def test_modules_of_a_folded_design_are_named_after_their_stages(tmp_path, whole):
    """The folded backends write a function per stage; `conv1` must not take `conv1_window`."""
    inner = FakeModule("conv1_window_Pipeline_rows", (0, 0, 20, 30, 0), 90, 91)
    stages = [
        FakeModule("conv1_window", (1, 0, 40, 50, 0), 98, 99, instances=(("grp_fu_1", inner),)),
        FakeModule("conv1", (2, 4, 60, 70, 0), 108, 109),
    ]
    top = FakeModule("small", (3, 4, 105, 127, 0), 200, 109, "dataflow", tuple((f"{s.name}_U0", s) for s in stages))
    FakeTree("small", True, [top, *stages, inner]).write(tmp_path)
    (tmp_path / "firmware").mkdir()
    calls = ["conv1_window(pixels, conv1_window_out); // conv1_window", "conv1(conv1_window_out, out); // conv1"]
    (tmp_path / "firmware" / "small.cpp").write_text("\n".join(f"    {call}" for call in calls))
    if not whole:
        for path in tmp_path.rglob("*.rpt"):
            path.unlink()
    comparison = compare(read_run(tmp_path))
    rows = rows_by_name(comparison)
    assert [(row.name, row.modules) for row in comparison.rows if row.what != "other"] == [
        ("conv1_window", ("conv1_window",)), ("conv1", ("conv1",))
    ]  # fmt: skip
    assert rows["conv1"].figures["c_synthesis"]["lut"] == 70
