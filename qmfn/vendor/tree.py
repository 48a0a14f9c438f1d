"""Where the reports of a run lie: `<project>/<name>_prj/<solution>/syn/report`, whichever of these folders is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qmfn.errors import UserError

POST_SYNTHESIS = "vivado_synth.rpt"
POST_SYNTHESIS_HIERARCHY = "vivado_synth_hierarchy.rpt"
DEPTH = 4
"""Folders between the one given and `syn/report`, at most."""


class NoReports(UserError):
    """There is nothing of a vendor's tool in a folder."""


@dataclass(frozen=True)
class Tree:
    """Folders of one run; `project` is where project.tcl and vivado_synth.rpt are, `solution` may be the same."""

    project: Path
    solution: Path
    reports: Path
    problems: list[str] = field(default_factory=list)


def find_tree(given: Path) -> Tree:
    """The run in `given`: a project, its _prj folder, a solution, or a report folder.

    Raises:
        NoReports: there are no reports in it.
        UserError: there is no such folder, or it has reports of several projects.
    """
    if not given.is_dir():
        raise UserError(f"{given}: no such folder; give the folder of a synthesised project.")
    given = given.resolve()
    if any(given.glob("*csynth.*")):
        return _around(given)
    folders = _report_folders(given)
    if not folders:
        return _without_reports(given)
    projects = sorted({_around(folder).project for folder in folders})
    if len(projects) > 1:
        names = ", ".join(str(project.relative_to(given)) for project in projects)
        raise UserError(f"{given}: reports of {len(projects)} projects ({names}); give the folder of one.")
    tree = _around(folders[0])
    if len(folders) > 1:
        others = ", ".join(_around(folder).solution.name for folder in folders[1:])
        tree.problems.append(f"{tree.solution.name} is read; there are reports of {others}, too.")
    return tree


def _report_folders(given: Path) -> list[Path]:
    below = ["report", "syn/report", *("*/" * depth + "syn/report" for depth in range(1, DEPTH + 1))]
    found = {folder for pattern in below for folder in given.glob(pattern) if any(folder.glob("*csynth.*"))}
    return sorted(found)


def _around(reports: Path) -> Tree:
    """The folders around a report folder; one that stands alone is its own project."""
    if reports.name != "report" or reports.parent.name != "syn":
        return Tree(reports, reports, reports)
    solution = reports.parents[1]
    container = solution.parent
    # hls4ml's <name>_prj, or any folder with the tools' project file; else the solution stands alone.
    inside = container.name.endswith("_prj") or any(container.glob("*.app"))
    return Tree(container.parent if inside else container, solution, reports)


def _without_reports(given: Path) -> Tree:
    """A project that only has Vivado's report; anything less is of no use."""
    if not (given / POST_SYNTHESIS).exists():
        raise NoReports(
            f"{given}: no C-synthesis reports (syn/report/*_csynth.xml) in it; run scripts/synth.py on it first."
        )
    problem = f"{given}: no C-synthesis reports (syn/report/*_csynth.xml); only {POST_SYNTHESIS} is read."
    return Tree(given, given, given, [problem])
