"""Every figure of the two real trees, against their text reports read by a few lines here, and against literals."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from qmfn.vendor.reports import read_run
from qmfn.vendor.side_by_side import compare

KINDS = {"BRAM_18K": "bram_18k", "DSP": "dsp", "DSP48E": "dsp", "FF": "ff", "LUT": "lut", "URAM": "uram"}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def printed(path: Path) -> dict[str, object]:
    """The figures that a text report prints, found by their places in the text."""
    text = path.read_text()
    performance, use = text.split("== Utilization Estimates")
    latency = performance.split("+ Latency:")[1].splitlines()
    figures = cells([line for line in latency if line.strip().startswith("|")][2])
    clock = cells(next(line for line in performance.splitlines() if "|ap_clk" in line))
    lines = [line for line in use.splitlines() if line.startswith("|")]
    header = cells(lines[0])
    rows = {cells(line)[0]: cells(line)[1:] for line in lines[1:] if len(cells(line)) == len(header)}

    def counts(name: str) -> dict[str, int]:
        return {KINDS[column]: int(count) for column, count in zip(header[1:], rows[name], strict=True)}

    return {
        "latency_min": int(figures[0]),
        "latency_max": int(figures[1]),
        "interval_min": int(figures[4]),
        "interval_max": int(figures[5]),
        "clock": [float(figure.removesuffix("ns")) for figure in clock[1:]],
        "resources": counts("Total"),
        "available": counts("Available"),
    }


def shown(module) -> dict[str, object]:
    cycles = {name: count for name, count in vars(module.cycles).items() if name != "latency_avg"}
    return cycles | {
        "clock": list(vars(module.clock).values()),
        "resources": vars(module.resources),
        "available": vars(module.available),
    }


def assert_as_printed(run, reports: Path) -> None:
    paths = sorted(reports.glob("*_csynth.rpt"))
    assert set(run.modules) == {path.name.removesuffix("_csynth.rpt") for path in paths}
    for path in paths:
        assert shown(run.modules[path.name.removesuffix("_csynth.rpt")]) == printed(path), path.name


def report_folder(project: Path) -> Path:
    return project / "myproject_prj" / "solution1" / "syn" / "report"


def test_every_module_has_the_vendors_figures(real_tree):
    run = read_run(real_tree)
    assert run.problems == ()
    assert_as_printed(run, report_folder(real_tree))


def test_text_reports_alone_give_the_figures_of_the_xml_reports(real_tree, tmp_path):
    """The other way round: what the XML files say, found by a search, is read from the text files."""
    shutil.copytree(real_tree, tmp_path / "copy", ignore=shutil.ignore_patterns("*.xml"))
    modules = read_run(tmp_path / "copy").modules
    tags = {"BRAM_18K": "bram_18k", "DSP(?:48E)?": "dsp", "FF": "ff", "LUT": "lut", "URAM": "uram"}
    paths = sorted(report_folder(real_tree).glob("*_csynth.xml"))
    assert len(paths) == len(modules) > 10
    for path in paths:
        module = modules[path.name.removesuffix("_csynth.xml")]
        used = path.read_text().split("<Resources>")[1].split("</Resources>")[0]
        for tag, kind in tags.items():
            assert getattr(module.resources, kind) == int(re.search(f"<{tag}>(.*?)</", used)[1]), (path.name, tag)
        worst = re.search("<Worst-caseLatency>(.*?)</", path.read_text())[1]
        assert module.cycles.latency_max == int(worst), path.name


def test_xml_reports_alone_give_the_figures_of_the_text_reports(real_tree, tmp_path):
    shutil.copytree(real_tree, tmp_path / "copy", ignore=shutil.ignore_patterns("*_csynth.rpt"))
    run = read_run(tmp_path / "copy")
    assert_as_printed(run, report_folder(real_tree))
    assert ["no *_csynth.rpt" in problem for problem in run.problems] == [True]


LITERALS = {
    "vitis_2023.1_cnn_large": {
        "tool": ("Vitis HLS", "2023.1", "xcku040-ffva1156-2-e"),
        "clock": (25.0, 14.884, 6.75),
        "cycles": (311, 311, 303, 303),
        "total": (68651, 5723, 928, 63, 0),
        "conv_2d_cl_array_ap_fixed_8u_array_ap_fixed_16_6_5_3_0_13u_config6_s": (32693, 1427, 401, 0, 0),
        "dense_array_ap_fixed_79u_array_ap_fixed_16_6_5_3_0_13u_config13_s": (24025, 3, 488, 0, 0),
        "FIFOs": (677, 1640, 62),
        "fifo": ("layer2_out_U", 104, 128, 8),
        "post": None,
    },
    "vivado_2020.1_mnist_rf16": {
        "tool": ("Vivado HLS", "2020.1", "xcu50-fsvh2104-2-e"),
        "clock": (25.0, 9.839, 3.12),
        "cycles": (10247, 10247, 10195, 10195),
        "total": (32373, 15591, 42, 14, 0),
        "conv_2d_cl_array_ap_fixed_4u_array_ap_fixed_16_6_5_3_0_8u_config5_s": (9772, 5154, 18, 0, 0),
        "softmax_array_array_ap_fixed_16_6_5_3_0_10u_softmax_config10_s": (2604, 826, 1, 2, 0),
        "FIFOs": (1692, 702, 12),
        "fifo": ("layer2_out_V_data_0_V_U", 676, 16, 1),
        "post": (19101, 13458, 42, 10, 0),
    },
}


def test_figures_as_a_reader_of_the_reports_sees_them(real_tree):
    wanted = LITERALS[real_tree.name]
    run = read_run(real_tree)
    assert (run.tool, run.version, run.part) == wanted["tool"]
    assert tuple(vars(run.top.clock).values()) == wanted["clock"]
    cycles = run.top.cycles
    assert (cycles.latency_min, cycles.latency_max, cycles.interval_min, cycles.interval_max) == wanted["cycles"]
    assert tuple(vars(run.top.resources).values()) == wanted["total"]
    for name in (name for name in wanted if name.endswith("_s")):
        assert tuple(vars(run.modules[name].resources).values()) == wanted[name]
    fifos = run.top.share["FIFO"]
    assert (fifos.lut, fifos.ff, fifos.bram_18k) == wanted["FIFOs"]
    fifo = next(part for part in run.top.fifos if part.name == wanted["fifo"][0])
    assert (fifo.depth, fifo.bits, fifo.resources.bram_18k) == wanted["fifo"][1:]
    # Vivado says "Block RAM Tile 5" and "RAMB18 10"
    assert (run.post_synthesis and tuple(vars(run.post_synthesis.resources).values())) == wanted["post"]


def test_rows_add_up_to_the_vendors_total(real_tree):
    comparison = compare(read_run(real_tree))
    total = comparison.total.figures["c_synthesis"]
    for kind in set(KINDS.values()):
        rows = [row.figures["c_synthesis"][kind] or 0 for row in comparison.rows]
        assert sum(rows) == total[kind], kind
    assert [row.what for row in comparison.rows][-2:] == ["fifo", "other"]
    assert comparison.rows[-1].figures["c_synthesis"] == {"lut": 2, "ff": 0, "dsp": 0, "bram_18k": 0, "uram": 0}


@pytest.mark.parametrize(
    "level", ["", "myproject_prj", "myproject_prj/solution1", "myproject_prj/solution1/syn/report"]
)
def test_any_folder_of_the_tree_will_do(real_tree, level):
    assert read_run(real_tree / level) == read_run(real_tree)


def test_hls4ml_reads_the_same_totals(real_tree, capsys):
    from hls4ml.report.vivado_report import parse_vivado_report

    found = parse_vivado_report(str(real_tree))["CSynthesisReport"]
    top = read_run(real_tree).top
    assert [str(count) for count in vars(top.resources).values()] == [
        found[name] for name in ("LUT", "FF", "DSP", "BRAM_18K", "URAM")
    ]
    assert (found["WorstLatency"], found["IntervalMax"]) == (str(top.cycles.latency_max), str(top.cycles.interval_max))


def test_a_lost_top_report_leaves_the_layers(real_tree, tmp_path):
    ignored = shutil.ignore_patterns("myproject_csynth.*", "csynth.xml")
    shutil.copytree(real_tree, tmp_path / "copy", ignore=ignored)
    run = read_run(tmp_path / "copy")
    assert run.top is None and any("no report of the top module (myproject_csynth" in text for text in run.problems)
    names = {module for row in compare(run).rows for module in row.modules}
    assert names == {part.module for part in read_run(real_tree).top.instances}


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_truncation_anywhere_is_named_and_costs_no_figure(real_tree, tmp_path, share):
    """The overview, the top's XML and a layer's text report, each cut off on its own."""
    whole = read_run(real_tree)
    for name in ("csynth.xml", "myproject_csynth.xml", f"{whole.top.instances[0].module}_csynth.rpt"):
        copy = tmp_path / name
        shutil.copytree(real_tree, copy)
        path = report_folder(copy) / name
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[: int(len(content) * share)])
        run = read_run(copy)
        assert [problem.split(" is ")[0] for problem in run.problems] == [name]
        for module in whole.modules:
            assert run.modules[module].resources == whole.modules[module].resources, (name, module)
            assert run.modules[module].cycles == whole.modules[module].cycles, (name, module)


def test_vitis_overview_stands_in_for_lost_reports(real_tree, tmp_path):
    if not real_tree.name.startswith("vitis"):
        pytest.skip("Vivado HLS has no overview of all modules")
    shutil.copytree(real_tree, tmp_path / "copy", ignore=shutil.ignore_patterns("*_csynth.*"))
    run, whole = read_run(tmp_path / "copy"), read_run(real_tree)
    assert run.problems
    for name, module in whole.modules.items():
        assert run.modules[name].resources == module.resources, name
        assert run.modules[name].cycles == module.cycles, name
    assert {part.module for part in run.top.instances} == {part.module for part in whole.top.instances}
