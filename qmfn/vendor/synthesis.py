"""Run the vendor tools on a written project, with the scripts and the command of hls4ml's own build.

hls4ml can build a model that it has just converted, in place, and not be interrupted. Here a copy of the project is
built: the results take the place of earlier ones when all that was asked for is there, and stay away otherwise. They
carry the content of the sources that they are of (`sources`); if the project isn't that of the copy any more, they are
kept beside it, with their sources.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qmfn.errors import UserError
from qmfn.files import differences, exchange, folder_aside, listed
from qmfn.projects import kept_beside, working_on
from qmfn.report import write_json
from qmfn.vendor.reports import read_run
from qmfn.vendor.side_by_side import Comparison, compare
from qmfn.vendor.sources import RECORD, record, sources
from qmfn.vendor.tree import POST_SYNTHESIS, POST_SYNTHESIS_HIERARCHY

_logger = logging.getLogger(__name__)

BUILD_SCRIPT, OPTIONS_FILE, PROJECT_SCRIPT, VIVADO_SCRIPT = (
    "build_prj.tcl", "build_opt.tcl", "project.tcl", "vivado_synth.tcl",
)  # fmt: skip
VENDOR_JSON = "vendor.json"
LOG, FAILED_LOG = "synth.log", "synth_failed.log"
HIERARCHY = f"report_utilization -hierarchical -hierarchical_depth 2 -file {POST_SYNTHESIS_HIERARCHY}"
"""hls4ml's script reports totals only; this gives the instances below the top, the layers."""

SECONDS_TO_END = 10
"""How long an interrupted tool may take to clean up before it is killed."""


@dataclass(frozen=True)
class Wanted:
    """What to run besides C-synthesis. Co-simulation includes the C-simulation that its outputs are compared with."""

    cosimulation: bool = False
    vivado: bool = False

    def options(self) -> dict[str, bool]:
        """Options of hls4ml's build scripts, in its order: they look for "synth=" before "vsynth=", by a search."""
        return {
            "reset": False,
            "csim": self.cosimulation,
            "synth": True,
            "cosim": self.cosimulation,
            "validation": self.cosimulation,
            "export": False,
            "vsynth": self.vivado,
            "fifo_opt": False,
        }


def synthesise(project: Path, wanted: Wanted) -> Comparison:
    """Run the tool that the project was written for; its reports replace earlier ones, vendor.json among them.

    Progress is logged.

    Args:
        project: a folder that hls4ml wrote.

    Returns:
        the reports beside the project's estimates.

    Raises:
        UserError: no such project, no such tool, another process works on the project, or the tool failed: earlier
            results stand. Or the project changed while the tool ran: what the tool left is kept beside it.
    """
    project = project.resolve()
    name, command = project_name(project), tool_command(project, wanted)
    results = (
        f"{name}_prj", POST_SYNTHESIS, POST_SYNTHESIS_HIERARCHY, VENDOR_JSON, LOG, FAILED_LOG, RECORD,
        "tb_data/csim_results.log", "tb_data/rtl_cosim_results.log",
    )  # fmt: skip
    try:
        with working_on(project, "qmfn synth"):
            _logger.info("running %s", " ".join(command))
            with _copy(project, results) as folder:
                of = sources(folder)
                _prepare(folder, wanted)
                code = _run(command, folder)
                record(folder, of)
                failure = _failure(code, folder, wanted)
                if failure:
                    (folder / LOG).rename(folder / FAILED_LOG)
                said = f"{project}: {command[0]} {failure or 'is done'}"
                if problem := _adopt(folder, project, of, [FAILED_LOG] if failure else results):
                    kept = folder.rename(kept_beside(project))
                    raise UserError(f"{said}, but the project {problem}; what the tool left is in {kept}.")
                if failure:
                    raise UserError(f"{said}; earlier results stand, see {project / FAILED_LOG}.")
            comparison = compare(read_run(project))
            write_json(comparison.as_dict(), project / VENDOR_JSON)
            return comparison
    except OSError as error:
        raise UserError(f"{project}: can't be synthesised ({error.strerror}: {error.filename}).") from None


def project_name(project: Path) -> str:
    """The name in a project's project.tcl.

    Raises:
        UserError: this is no project that hls4ml wrote.
    """
    for script in (BUILD_SCRIPT, PROJECT_SCRIPT):
        if not (project / script).is_file():
            raise UserError(f"{project}: no {script} in it; give a project that scripts/convert.py wrote.")
    found = re.search(r'^set project_name "([^"]+)"', _text(project / PROJECT_SCRIPT), re.MULTILINE)
    if not found:
        raise UserError(f"{project / PROJECT_SCRIPT}: no project_name in it; convert the design again.")
    return found[1]


def tool_command(project: Path, wanted: Wanted) -> list[str]:
    """hls4ml's command for this project. Vitis HLS takes its options from a file, Vivado HLS from the command line.

    Raises:
        UserError: the tool isn't on PATH; says what to install.
    """
    if wanted.vivado and not shutil.which("vivado"):
        raise UserError("vivado is not on PATH; --vsynth needs AMD Vivado: install it and source its settings64.sh.")
    if OPTIONS_FILE in _text(project / BUILD_SCRIPT):
        if shutil.which("vitis-run"):
            return ["vitis-run", "--tcl", BUILD_SCRIPT, "--mode", "hls"]
        if shutil.which("vitis_hls"):
            return ["vitis_hls", "-f", BUILD_SCRIPT]
        raise UserError(
            f"{project} is for Vitis HLS, and neither vitis-run nor vitis_hls is on PATH; install AMD Vitis and source "
            "its settings64.sh."
        )
    if shutil.which("vivado_hls"):
        options = " ".join(f"{name}={value}" for name, value in wanted.options().items())
        return ["vivado_hls", "-f", BUILD_SCRIPT, options]
    raise UserError(
        f"{project} is for Vivado HLS, and vivado_hls is not on PATH; install Xilinx Vivado 2020.1 or older with "
        "Vivado HLS and source its settings64.sh, or convert the design with --set hls.backend=Vitis."
    )


@contextlib.contextmanager
def _copy(project: Path, results: tuple[str, ...]) -> Iterator[Path]:
    """The project without results and without our C-simulation, in a folder beside it."""
    with folder_aside(project.parent, f".{project.name}.") as folder:
        left_out = shutil.ignore_patterns("csim", *(Path(name).name for name in results))
        yield Path(shutil.copytree(project, folder / "project", ignore=left_out))


def _adopt(folder: Path, project: Path, of: dict[str, str], names: Sequence[str]) -> str | None:
    """Let `names` of the copy take the places of those in the project, if it still has the sources `of` the copy.

    Returns:
        what is wrong with the project otherwise, to follow its name.
    """
    if not project.is_dir():
        return "is gone"
    try:
        if changed := differences(of, sources(project)):
            return f"changed meanwhile ({listed(changed)})"
        exchange(folder, project, names)
    except OSError as error:
        return f"can't take the results ({error.strerror}: {error.filename})"
    return None


def _prepare(folder: Path, wanted: Wanted) -> None:
    """Options for Vitis HLS, and utilisation by instance from Vivado."""
    if OPTIONS_FILE in _text(folder / BUILD_SCRIPT):
        lines = [f"    {name:<10} {int(value)}" for name, value in wanted.options().items()]
        (folder / OPTIONS_FILE).write_text("\n".join(["array set opt {", *lines, "}", ""]))
    if wanted.vivado and (folder / VIVADO_SCRIPT).exists():
        with (folder / VIVADO_SCRIPT).open("a") as script:
            script.write(f"\n{HIERARCHY}\n")


def _run(command: list[str], folder: Path) -> int:
    """The tool's exit code. Its output goes to the log; the headings of its steps are logged."""
    # In a session of its own, so that an interrupt ends the tool with everything it started.
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace", start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None, "it is a pipe"
    try:
        with (folder / LOG).open("w", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(line)
                if line.startswith("*****"):
                    _logger.info(line.strip("* \n"))
        return process.wait()
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)


def _failure(code: int, folder: Path, wanted: Wanted) -> str | None:
    """What went wrong, to follow the tool's name; None if all that was asked for is there."""
    if code:
        errors = [line.strip() for line in _text(folder / LOG).splitlines() if line.startswith("ERROR")]
        return f"failed with exit code {code}" + (f" ({errors[-1].rstrip('.')})" if errors else "")
    try:
        run = read_run(folder)
    except UserError:
        return "left no C-synthesis reports"
    if run.top is None or not run.top.resources:
        return "left no readable C-synthesis report of the top module"
    if wanted.cosimulation and (run.cosimulation is None or run.cosimulation.status != "Pass"):
        return f"co-simulation: {run.cosimulation.status if run.cosimulation else 'no result'}"
    if wanted.vivado and run.post_synthesis is None:
        return f"left no readable {POST_SYNTHESIS}"
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
