"""The vendors' scripts run through a Tcl interpreter with stand-ins for the vendors' commands."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from qmfn.backends.boards.write import BoardDesign, write_board_files
from qmfn.devices.boards import boards
from qmfn.network.fixed import FixedType

# Every unknown command is recorded with its arguments; those whose results the scripts look at give plausible ones.
STAND_INS = """
proc unknown {args} { puts "> $args"; return [lindex $args end] }
proc get_board_parts {args} { return {xilinx.com:b:part0:1.10 xilinx.com:b:part0:1.9} }
proc get_property {name args} { return [dict get {PROGRESS 100% STATUS done STATS.WNS SLACK} $name] }
proc get_bd_pins {name} { return pin:$name }
proc get_bd_intf_pins {name} { return interface:$name }
proc exit {args} {}
proc glob {args} { return handoff }
proc file {args} { puts "> file $args" }
"""


def run(folder, script: str, slack: str = "0.1") -> subprocess.CompletedProcess:
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("no tclsh on PATH")
    (folder / "run.tcl").write_text(f"{STAND_INS.replace('SLACK', slack)}\nsource {script}\n")
    return subprocess.run([tclsh, "run.tcl"], cwd=folder, capture_output=True, text=True)


def written(folder, board="zcu104", **changes):
    folder.mkdir()
    (folder / "firmware").mkdir()
    values = {"image_size": 112, "embedding_size": 128, "output": FixedType(12, 4), "clock_period_ns": 4.0}
    paths = write_board_files(folder, boards()[board], BoardDesign(**{**values, "tool": "Vitis", **changes}))
    return folder, [str(path) for path in paths]


def test_files_that_are_written(tmp_path):
    folder, paths = written(tmp_path / "a", "kv260", tool="Vivado")
    assert paths == [
        "block_design_kv260.tcl", "firmware/board_top.cpp", "firmware/board_top.h", "make_ip_vivado.tcl",
        "pynq_driver.py", "qmfn_board.json",
    ]  # fmt: skip
    assert all((folder / path).read_text() for path in paths)
    settings = json.loads((folder / "qmfn_board.json").read_text())
    assert (settings["image_size"], settings["embedding_size"], settings["exponent"]) == (112, 128, -8)


@pytest.mark.parametrize("tool", ["Vitis", "Vivado"])
def test_ip_script(tmp_path, tool):
    folder, _ = written(tmp_path / "a", tool=tool, clock_uncertainty="27%")
    done = run(folder, f"make_ip_{tool.lower()}.tcl")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "> set_top qmfn_board" in lines
    assert "> set_part xczu7ev-ffvc1156-2-e" in lines
    assert "> create_clock -period 4.0 -name default" in lines
    assert "> set_clock_uncertainty 27% default" in lines
    assert lines[-1].startswith("> export_design") and "-format ip_catalog" in lines[-1]


@pytest.mark.parametrize("board", list(boards()))
@pytest.mark.parametrize("control", ["none", "axi_lite"])
def test_block_design_script(tmp_path, board, control):
    folder, _ = written(tmp_path / "a", board, control=control)
    done = run(folder, f"block_design_{board}.tcl")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"-part {boards()[board].part}" in lines[0]
    assert any("set_property board_part xilinx.com:b:part0:1.10" in line for line in lines)  # 1.10 is newer than 1.9
    assert any("PL0_REF_CTRL__FREQMHZ 250" in line for line in lines)
    wired = [line.split()[2:] for line in lines if line.startswith("> connect_bd_intf_net")]
    assert ["interface:dma/M_AXIS_MM2S", "interface:network/pixels_in*"] in wired
    assert ["interface:network/embedding_out*", "interface:dma/S_AXIS_S2MM"] in wired
    assert (["interface:control/M01_AXI", "interface:network/s_axi_control"] in wired) == (control == "axi_lite")
    for suffix in ("bit", "hwh", "json"):
        assert any(line.startswith("> file copy") and line.endswith(f"{board}/qmfn_board.{suffix}") for line in lines)


def test_a_clock_that_is_missed_is_an_error(tmp_path):
    folder, _ = written(tmp_path / "a")
    done = run(folder, "block_design_zcu104.tcl", slack="-0.25")
    assert done.returncode == 1
    assert "worst slack -0.25 ns" in done.stderr
