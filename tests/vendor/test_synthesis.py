"""Running the tools, with small programs in their places: what they are told, what stays when they fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.vendor_trees import COSIMULATION, HIERARCHY, UTILISATION, small_tree

from qmfn import files
from qmfn.cli.report import COMMAND as report
from qmfn.cli.synth import COMMAND as synth
from qmfn.files import exchange
from qmfn.projects import working_on
from qmfn.vendor import synthesis
from qmfn.vendor.sources import mismatch
from qmfn.vendor.synthesis import Wanted, tool_command

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = {"Vitis": "vitis-run", "Vivado": "vivado_hls"}


@pytest.fixture(params=TOOLS)
def backend(request) -> str:
    return request.param


@pytest.fixture
def project(tmp_path, backend) -> Path:
    """What hls4ml leaves of a project named `small`, as far as the build goes, with an earlier good result."""
    import hls4ml

    folder = tmp_path / "work" / "small"
    small_tree(backend == "Vitis").write(folder)
    templates = Path(hls4ml.__file__).parent / "templates"
    for name, kind in (("build_prj.tcl", backend), ("build_opt.tcl", backend), ("vivado_synth.tcl", "Vivado")):
        template = templates / kind.lower() / name
        if template.exists():
            (folder / name).write_bytes(template.read_bytes())
    for path in folder.rglob("*_csynth.*"):
        path.write_text(path.read_text().replace("290", "111"))
    (folder / "vendor.json").write_text('{"earlier": true}')
    (folder / "firmware").mkdir()
    (folder / "firmware" / "weights.txt").write_text("1, 2")
    return folder


@pytest.fixture
def tools(tmp_path, monkeypatch) -> Path:
    """The only folder with programs beside the system's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def install(tools, tmp_path, backend) -> Callable[..., Path]:
    """Put a tool in place that notes how it is called and copies a whole tree to where it runs."""
    result = tmp_path / "result"
    small_tree(backend == "Vitis").write(result)
    (result / "project.tcl").unlink()

    def write(then: str = "", name: str = TOOLS[backend]) -> Path:
        tool = tools / name
        tool.write_text(f"""#!/bin/sh
printf '%s\\n' "$@" > "{tools}/arguments"
cat build_opt.tcl > "{tools}/options" 2>/dev/null
echo '***** C/RTL SYNTHESIS *****'
echo 'INFO: a detail'
cp -r "{result}/." .
{then}
""")
        tool.chmod(0o755)
        return result

    return write


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, bytes | None]]:
    def take(folder: Path) -> dict[str, bytes | None]:
        paths = sorted(folder.rglob("*"))
        return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}

    return take


def outcome(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = synth.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_a_run_leaves_reports_and_json(project, install, capsys, tmp_path):
    install()
    code, out, err = outcome(capsys, project, "--json", tmp_path / "result.json")
    assert (code, err) == (0, "")
    assert "C/RTL SYNTHESIS" in out and "INFO" not in out and "C-synthesis" in out
    result = json.loads((project / "vendor.json").read_text())
    assert result["total"]["c_synthesis"]["lut"] == 290
    assert result == json.loads((tmp_path / "result.json").read_text())
    assert "INFO: a detail" in (project / "synth.log").read_text()
    assert [path.name for path in project.parent.iterdir()] == ["small"]
    assert (project / "firmware" / "weights.txt").read_text() == "1, 2"


def test_report_shows_the_same_afterwards(project, install, capsys, tmp_path):
    install()
    _, out, _ = outcome(capsys, project)
    assert report.main([str(project), "--json", str(tmp_path / "again.json")]) == 0
    assert capsys.readouterr().out in out
    assert (tmp_path / "again.json").read_text() == (project / "vendor.json").read_text()


def test_everything_that_can_be_asked_for(project, install, tools, capsys):
    result = install()
    (result / "vivado_synth.rpt").write_text(UTILISATION.format(luts="CLB LUTs", registers="CLB Registers"))
    (result / "vivado_synth_hierarchy.rpt").write_text(HIERARCHY)
    folder = result / "small_prj" / "solution1" / "sim" / "report"
    folder.mkdir(parents=True)
    (folder / "small_cosim.rpt").write_text(COSIMULATION.format(status="Pass"))
    install(then=f'tail -n 1 vivado_synth.tcl > "{tools}/last_line"', name="vivado")  # only has to be there
    install(then=f'tail -n 1 vivado_synth.tcl > "{tools}/last_line"')
    before = (project / "vivado_synth.tcl").read_text()
    code, out, err = outcome(capsys, project, "--cosim", "--vsynth")
    assert (code, err) == (0, "")
    written = json.loads((project / "vendor.json").read_text())
    assert written["cosimulation"]["status"] == "Pass" and written["total"]["post_synthesis"]["lut"] == 150
    conv = next(row for row in written["rows"] if row["name"].startswith("conv"))
    assert conv["post_synthesis"]["lut"] == 90
    assert (tools / "last_line").read_text().startswith("report_utilization -hierarchical")
    assert (project / "vivado_synth.tcl").read_text() == before


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(cosimulation=True), Wanted(vivado=True)])
def test_the_tool_is_told_what_hls4ml_would_tell_it(project, install, tools, backend, wanted, capfd, monkeypatch):
    """hls4ml's own build, of a model that is no more than its folder, calls the same small program."""
    import hls4ml

    install()
    install(name="vivado")
    flags = [flag for flag, is_wanted in (("--cosim", wanted.cosimulation), ("--vsynth", wanted.vivado)) if is_wanted]
    synth.main([str(project), *flags])  # may find results missing: here only the call counts
    ours = [(tools / name).read_text().split() for name in ("arguments", "options")]
    model = SimpleNamespace(config=SimpleNamespace(get_output_dir=lambda: str(project)))
    hls4ml.backends.get_backend(backend).build(model, **wanted.options())
    assert [(tools / name).read_text().split() for name in ("arguments", "options")] == ours


@pytest.mark.parametrize(
    "then, says",
    [
        ("echo 'ERROR: [HLS 200-70] no licence.'; exit 1", "failed with exit code 1 (ERROR: [HLS 200-70] no licence)"),
        ("rm -r small_prj", "left no C-synthesis reports"),
        ("rm small_prj/solution1/syn/report/small_csynth.*", "left no readable C-synthesis report of the top module"),
    ],
)
def test_a_failure_leaves_the_earlier_result_and_a_log(project, install, capsys, snapshot, then, says):
    install(then)
    before = snapshot(project)
    code, _, err = outcome(capsys, project)
    assert code == 1
    assert says in err and f"see {project / 'synth_failed.log'}." in err and err.count("\n") == 1
    log = (project / "synth_failed.log").read_bytes()
    assert b"INFO: a detail" in log
    assert snapshot(project) == before | {"synth_failed.log": log}
    assert [path.name for path in project.parent.iterdir()] == ["small"]


@pytest.mark.parametrize("flag, says", [("--cosim", "co-simulation: no result"), ("--vsynth", "vivado_synth.rpt")])
def test_what_was_asked_for_must_be_there(project, install, capsys, snapshot, flag, says):
    install()
    install(name="vivado")
    code, _, err = outcome(capsys, project, flag)
    assert code == 1 and says in err
    assert json.loads((project / "vendor.json").read_text()) == {"earlier": True}


def test_cosimulation_is_compared_with_the_c_simulation():
    asked = {name for name, value in Wanted(cosimulation=True).options().items() if value}
    assert asked == {"csim", "synth", "cosim", "validation"}
    assert {name for name, value in Wanted(vivado=True).options().items() if value} == {"synth", "vsynth"}


def test_a_success_clears_the_log_of_the_failure(project, install, capsys):
    install("exit 1")
    assert outcome(capsys, project)[0] == 1
    install()
    assert outcome(capsys, project)[0] == 0
    assert not (project / "synth_failed.log").exists()


def test_a_missing_tool_is_named_with_what_to_install(project, tools, capsys, backend):
    code, out, err = outcome(capsys, project)
    wanted = {"Vitis": "install AMD Vitis", "Vivado": "install Xilinx Vivado 2020.1 or older"}
    assert code == 1 and out == "" and err.count("\n") == 1
    assert TOOLS[backend] in err and wanted[backend] in err and "PATH" in err


def test_vsynth_needs_vivado(project, install, capsys):
    install()
    code, _, err = outcome(capsys, project, "--vsynth")
    assert code == 1 and "vivado is not on PATH" in err


def test_older_vitis_has_no_vitis_run(project, install, backend):
    if backend == "Vivado":
        pytest.skip("a matter of Vitis")
    install(name="vitis_hls")
    assert tool_command(project, Wanted()) == ["vitis_hls", "-f", "build_prj.tcl"]


@pytest.mark.parametrize("missing", ["build_prj.tcl", "project.tcl", "everything"])
def test_a_folder_that_is_no_project_is_refused(project, install, capsys, missing, tmp_path):
    install()
    if missing != "everything":
        (project / missing).unlink()
    code, _, err = outcome(capsys, project if missing != "everything" else tmp_path / "nothing")
    assert code == 1 and err.startswith("error: ") and err.count("\n") == 1 and ".tcl" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_ends_the_tool_and_leaves_the_earlier_result(project, install, tools, snapshot, number):
    install(f'echo $$ > "{tools}/pid.part"; mv "{tools}/pid.part" "{tools}/pid"; exec sleep 150')
    before = snapshot(project.parent)
    process = subprocess.Popen(
        [sys.executable, REPOSITORY / "scripts" / "synth.py", project], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        # A shell ignores SIGINT for what it runs in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (tools / "pid").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err == "error: interrupted; what was there before is unchanged.\n"
    assert snapshot(project.parent) == before
    assert ends(int((tools / "pid").read_text()))


def ends(pid: int) -> bool:
    """Whether a process is gone within seconds: a killed one stays in the process table until it is reaped."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


MEANWHILE = {
    "edited": ("echo '3, 4' > {project}/firmware/weights.txt", "changed meanwhile (firmware/weights.txt)"),
    "new file": ("touch {project}/firmware/more.h", "changed meanwhile (firmware/more.h)"),
    "converted": ("rm {project}/project.tcl", "changed meanwhile (project.tcl)"),
    "moved": ("mv {project} {project}.moved", "is gone"),
}
"""What happens to the project while the tool runs, and what is said of it."""


@pytest.mark.parametrize("happened", MEANWHILE)
def test_results_of_a_project_that_changed_meanwhile_are_kept_beside_it(
    project, install, capsys, tmp_path, snapshot, happened
):
    command, said = MEANWHILE[happened]
    install(command.format(project=project))
    code, _, err = outcome(capsys, project, "--json", tmp_path / "result.json")
    assert code == 1 and err.count("\n") == 1
    (kept,) = project.parent.glob("small.kept-*")
    assert f"is done, but the project {said}; what the tool left is in {kept}.\n" in err
    assert not (tmp_path / "result.json").exists()
    for folder in project.parent.glob("small*"):
        if folder != kept:
            assert (folder / "vendor.json").read_text() == '{"earlier": true}'
            assert "111" in next(folder.rglob("small_csynth.xml")).read_text()
            assert not (folder / "synth.log").exists() and not (folder / "synth.json").exists()
    assert report.main([str(kept), "--json", str(tmp_path / "kept.json")]) == 0
    kept_run = json.loads((tmp_path / "kept.json").read_text())
    assert kept_run["total"]["c_synthesis"]["lut"] == 290
    assert not [problem for problem in kept_run["problems"] if "changed" in problem]
    assert (kept / "firmware" / "weights.txt").read_text() == "1, 2" and (kept / "synth.log").exists()
    assert not [path for path in project.parent.iterdir() if path.name.startswith(".")]


def test_the_log_of_a_failure_is_kept_beside_a_project_that_changed_meanwhile(project, install, capsys, snapshot):
    install(f"echo 3 > {project}/firmware/weights.txt; exit 1")
    before = snapshot(project)
    code, _, err = outcome(capsys, project)
    assert code == 1 and "failed with exit code 1, but the project changed meanwhile (firmware/weights.txt)" in err
    (kept,) = project.parent.glob("small.kept-*")
    assert b"INFO: a detail" in (kept / "synth_failed.log").read_bytes()
    assert snapshot(project) == before | {"firmware/weights.txt": b"3\n"}


def test_results_that_the_project_cannot_take_are_kept_beside_it(project, install, capsys, snapshot, monkeypatch):
    install()
    before = snapshot(project)

    def full(*_):
        raise OSError(28, "No space left on device", "synth.log")

    monkeypatch.setattr(synthesis, "exchange", full)
    code, _, err = outcome(capsys, project)
    (kept,) = project.parent.glob("small.kept-*")
    assert code == 1 and "can't take the results (No space left on device: synth.log)" in err and str(kept) in err
    assert "290" in next(kept.rglob("small_csynth.xml")).read_text()
    assert snapshot(project) == before


def test_reports_and_logs_may_change_while_the_tool_runs(project, install, capsys):
    install(f"touch {project}/report.html {project}/tb_data.log {project}/notes.txt")
    assert outcome(capsys, project)[0] == 0
    assert (project / "vendor.json").read_text() != '{"earlier": true}'


def test_options_that_synth_writes_into_the_scripts_are_no_change(project, install, capsys, monkeypatch):
    install("echo 1 > vivado_synth.rpt")
    install(name="vivado")
    monkeypatch.setattr(synthesis, "_failure", lambda *_: None)
    assert outcome(capsys, project, "--vsynth")[0] == 0
    assert mismatch(project) is None


def test_a_project_that_another_process_works_on_is_refused(project, install, capsys, snapshot):
    install()
    before = snapshot(project.parent)
    with working_on(project, "qmfn convert"):
        code, out, err = outcome(capsys, project)
    assert code == 1 and out == "" and err.count("\n") == 1
    assert err.startswith(f"error: {project}: qmfn convert (process {os.getpid()} on ")
    assert snapshot(project.parent) == before


@pytest.mark.parametrize("failing", range(1, 6))
def test_an_exchange_is_all_or_nothing(tmp_path, monkeypatch, snapshot, failing):
    """Five moves; whichever of them fails, everything is as before."""
    new, folder = tmp_path / "new", tmp_path / "folder"
    for place, names in ((new, ("a", "b/c")), (folder, ("a", "b/c", "gone", "other"))):
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(f"{place.name} {name}")
    before, moves, rename = snapshot(tmp_path), [], Path.rename

    def breaking(path: Path, place: Path) -> Path:
        moves.append(path)
        if len(moves) == failing:
            raise KeyboardInterrupt
        return rename(path, place)

    monkeypatch.setattr(files.Path, "rename", breaking)
    with pytest.raises(KeyboardInterrupt):
        exchange(new, folder, ["a", "b/c", "gone", "nowhere"])
    assert snapshot(tmp_path) == before
    monkeypatch.setattr(files.Path, "rename", rename)
    exchange(new, folder, ["a", "b/c", "gone", "nowhere"])
    assert snapshot(folder) == {"a": b"new a", "b": None, "b/c": b"new b/c", "other": b"folder other"}


@pytest.mark.parametrize("command", ["synth", "report"])
def test_help_is_quick_and_complete(command):
    code = f"""
import sys
from qmfn.cli import main
try:
    main(["{command}", "--help"])
finally:
    assert not {{"tensorflow", "hls4ml", "qkeras", "numpy"}} & set(sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "PROJECT" in done.stdout and "example: qmfn " in done.stdout
