"""A report tree of Vivado HLS or Vitis HLS, as an hls4ml build leaves it -> `VendorRun`.

Per module, the XML and the text report are read and compared; Vitis HLS' csynth.xml, which repeats all modules, stands
in for files that are gone. Totals are checked against hls4ml's own reader. A file that is missing, cut off or in
disagreement with another is named in `problems`, and what the others say is used.
"""

from __future__ import annotations

import contextlib
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from qmfn.vendor.figures import RESOURCES, Resources, whole
from qmfn.vendor.modules import Module, Part, disagreements, from_text, from_xml, is_cut_off, merged
from qmfn.vendor.tree import POST_SYNTHESIS, POST_SYNTHESIS_HIERARCHY, Tree, find_tree
from qmfn.vendor.vivado import Cosimulation, PostSynthesis, cosimulation, utilisation, utilisation_by_instance

OVERVIEW = "csynth.xml"
SUFFIX = "_csynth"


@dataclass(frozen=True)
class VendorRun:
    """Everything that one run reports.

    Attributes:
        tool: "Vivado HLS" or "Vitis HLS"; None where no report says so.
        top: the top module; None where its reports can't be read.
        modules: name -> module, the top among them.
        problems: sentences, one for each thing that is missing or can't be trusted.
    """

    project: Path
    tool: str | None = None
    version: str | None = None
    part: str | None = None
    top: Module | None = None
    modules: dict[str, Module] = field(default_factory=dict)
    cosimulation: Cosimulation | None = None
    post_synthesis: PostSynthesis | None = None
    problems: tuple[str, ...] = ()


def read_run(folder: Path) -> VendorRun:
    """Read the run in `folder`, which may be the project or any folder between it and the reports.

    Raises:
        NoReports: there are no reports in it.
        UserError: there is no such folder, or it has reports of several projects.
    """
    tree = find_tree(folder)
    problems = list(tree.problems)
    overview = _xml(tree.reports / OVERVIEW, problems) if (tree.reports / OVERVIEW).exists() else None
    modules = _modules(tree.reports, overview, problems)
    top = _top(tree, modules, overview, problems)
    if top:
        modules[top.name] = top
        problems += _unreported(modules)
    name = top.name if top else None
    post = _post_synthesis(tree, problems)
    run = VendorRun(
        project=tree.project,
        tool=_tool(tree, modules.values()),
        version=_first(modules.values(), "version"),
        part=_first(modules.values(), "part"),
        top=top,
        modules=dict(sorted(modules.items())),
        cosimulation=_cosimulation(tree, name, problems),
        post_synthesis=post,
    )
    return replace(run, problems=(*problems, *_disagreements_with_hls4ml(run)))


def _modules(
    reports: Path, overview: ElementTree.Element | None, problems: list[str]
) -> dict[str, Module]:
    """All modules that have a report, or a place in the overview."""
    stems = {path.stem.removesuffix(SUFFIX) for path in reports.glob(f"*{SUFFIX}.*") if path.suffix in (".xml", ".rpt")}
    listed = _listed(overview)
    modules = {}
    for name in sorted(stems):
        module = _module(reports, name, problems)
        if module and name in listed:
            module = merged(module, listed[name])
        module = module or listed.get(name)
        if module:
            modules[name] = module
    for name in sorted(set(listed) - stems):
        if listed[name].resources:
            problems.append(f"{name}{SUFFIX}.xml and .rpt are missing; figures are those of {OVERVIEW}.")
            modules[name] = listed[name]
    kinds = {path.suffix for path in reports.glob(f"*{SUFFIX}.*")}
    if stems and ".rpt" not in kinds:
        problems.append(f"{reports}: no *{SUFFIX}.rpt; what is inside the modules is not known.")
    if stems and ".xml" not in kinds:
        problems.append(f"{reports}: no *{SUFFIX}.xml; figures are those of the text reports alone.")
    return modules


def _module(reports: Path, name: str, problems: list[str]) -> Module | None:
    """A module from its two reports; one kind missing altogether is said once, not here."""
    xml, text = reports / f"{name}{SUFFIX}.xml", reports / f"{name}{SUFFIX}.rpt"
    found = []
    for path, read in ((xml, _xml_module), (text, _text_module)):
        if path.exists():
            found += [module] if (module := read(path, name, problems)) else []
        elif any(reports.glob(f"*{SUFFIX}{path.suffix}")):
            problems.append(f"{path.name} is missing.")
    if len(found) == 2 and (differences := disagreements(*found)):
        problems.append(f"{xml.name} and .rpt disagree ({'; '.join(differences)}); the first are shown.")
    if not found:
        return None
    return merged(*found) if len(found) == 2 else found[0]


def _xml_module(path: Path, name: str, problems: list[str]) -> Module | None:
    root = _xml(path, problems)
    if root is None:
        return None
    module = from_xml(root, name)
    if not module.resources:
        problems.append(f"{path.name} has no resources.")
    return module


def _xml(path: Path, problems: list[str]) -> ElementTree.Element | None:
    """The root of a report; None, with the problem named, if it can't be read."""
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except OSError as error:
        problems.append(f"{path.name} can't be read ({error.strerror}).")
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter two: an encoding it can't be in
        problems.append(f"{path.name} is {_state(path)} ({error}).")
    else:
        if root.tag == "profile":
            return root
        problems.append(f"{path.name} is no C-synthesis report (its root is {root.tag}, not profile).")
    return None


def _state(path: Path) -> str:
    return "cut off or no XML" if path.stat().st_size else "empty"


def _text_module(path: Path, name: str, problems: list[str]) -> Module | None:
    text = _text(path, problems)
    if text is None:
        return None
    if is_cut_off(text):
        problems.append(f"{path.name} is cut off.")
    return from_text(text, name)


def _text(path: Path, problems: list[str]) -> str | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problems.append(f"{path.name} can't be read ({error.strerror}).")
        return None
    if not text.strip():
        problems.append(f"{path.name} is empty.")
        return None
    return text


def _listed(overview: ElementTree.Element | None) -> dict[str, Module]:
    """Modules of the overview: the top, with its instances, and in Vitis HLS all others."""
    if overview is None:
        return {}
    listed = {}
    for element in overview.iterfind("ModuleInformation/Module"):
        if name := element.findtext("Name"):
            listed[name] = from_xml(element, name)
    if name := overview.findtext("UserAssignments/TopModelName"):
        listed[name] = from_xml(overview, name)
    for parent in overview.iterfind("RTLDesignHierarchy//*[InstancesList]"):
        name = parent.findtext("ModuleName") or ""
        if name in listed:
            parts = (
                Part(entry.findtext("InstName") or "", entry.findtext("ModuleName"), Resources())
                for entry in parent.iterfind("InstancesList/Instance")
            )
            listed[name] = replace(listed[name], instances=tuple(parts))
    return listed


def _top(
    tree: Tree, modules: dict[str, Module], overview: ElementTree.Element | None, problems: list[str]
) -> Module | None:
    """The top module: as the tool or the project says, else the one that no other contains."""
    if not modules:
        return None
    named = [name for name in _top_names(tree, overview) if name]
    for name in named:
        if name in modules:
            return modules[name]
    inside = {part.module for module in modules.values() for part in module.instances or ()}
    outside = sorted(set(modules) - inside)
    if not named and len(outside) == 1:
        return modules[outside[0]]
    wanted = f"{named[0]}{SUFFIX}.xml or .rpt" if named else "one that no other module contains"
    problems.append(f"{tree.reports}: no report of the top module ({wanted}), so no totals.")
    return None


def _top_names(tree: Tree, overview: ElementTree.Element | None) -> Iterable[str | None]:
    """What the top may be called, the surest first. An accelerator's is `<project>_axi`."""
    yield overview.findtext("UserAssignments/TopModelName") if overview is not None else None
    container = tree.solution.parent
    for path in sorted(container.glob("*.app")):
        with contextlib.suppress(OSError):
            found = re.search(r'\btop="([^"]+)"', path.read_text(errors="replace"))
            yield found and found[1]
    yield container.name.removesuffix("_prj") if container.name.endswith("_prj") else None
    with contextlib.suppress(OSError):
        script = (tree.project / "project.tcl").read_text(errors="replace")
        found = re.search(r'^set project_name "([^"]+)"', script, re.MULTILINE)
        yield found and found[1]


def _unreported(modules: dict[str, Module]) -> list[str]:
    """Modules that are part of a layer, by their name, and have no report of their own.

    Operator cores (multipliers and the like) never have one.
    """
    inside = {part.module for module in modules.values() for part in module.instances or () if part.module}
    missing = sorted(name for name in inside - set(modules) if re.search(r"config\d+.*_s$", name))
    return [f"{name}{SUFFIX}.xml and .rpt are missing." for name in missing]


def _tool(tree: Tree, modules: Iterable[Module]) -> str | None:
    """As the text reports say; else by the project file."""
    files = {"hls.app": "Vitis HLS", "vivado_hls.app": "Vivado HLS"}
    there = (tool for name, tool in files.items() if (tree.solution.parent / name).exists())
    return _first(modules, "tool") or next(there, None)


def _first(modules: Iterable[Module], name: str) -> str | None:
    return next((value for module in modules if (value := getattr(module, name))), None)


def _cosimulation(tree: Tree, top: str | None, problems: list[str]) -> Cosimulation | None:
    """None where none was run, which is no problem; one that can't be read is."""
    folder = tree.solution / "sim" / "report"
    paths = [folder / f"{top}_cosim.rpt"] if top else []
    path = next((path for path in (*paths, *sorted(folder.glob("*_cosim.rpt"))) if path.exists()), None)
    if path is None or (text := _text(path, problems)) is None:
        return None
    found = cosimulation(text)
    if found is None:
        problems.append(f"{path.name} has no result.")
    return found


def _post_synthesis(tree: Tree, problems: list[str]) -> PostSynthesis | None:
    """Vivado's report, which hls4ml's build writes into the project folder."""
    path = tree.project / POST_SYNTHESIS
    if not path.exists() or (text := _text(path, problems)) is None:
        return None
    found = utilisation(text)
    missing = [resource for resource in RESOURCES if resource != "uram" and getattr(found.resources, resource) is None]
    if missing:
        problems.append(f"{path.name} is cut off or no utilisation report: no {', '.join(missing)}.")
    hierarchy = tree.project / POST_SYNTHESIS_HIERARCHY
    if hierarchy.exists() and (text := _text(hierarchy, problems)) is not None:
        instances = utilisation_by_instance(text)
        if not instances:
            problems.append(f"{hierarchy.name} is cut off or no hierarchical utilisation report.")
        found = replace(found, instances=instances)
    return found if found.resources else None


def _disagreements_with_hls4ml(run: VendorRun) -> list[str]:
    """hls4ml's reader wants a whole tree with its project.tcl; where it reads one, it must say the same as we do."""
    if run.top is None or not (run.project / "project.tcl").exists():
        return []
    from hls4ml.report.vivado_report import parse_vivado_report

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = (parse_vivado_report(str(run.project)) or {}).get("CSynthesisReport", {})
    except Exception:  # any at all, on trees that are not whole; what is wrong with them is named already
        return []
    cycles, used = run.top.cycles, run.top.resources
    ours = {
        "BestLatency": cycles.latency_min, "WorstLatency": cycles.latency_max,
        "IntervalMin": cycles.interval_min, "IntervalMax": cycles.interval_max,
        "LUT": used.lut, "FF": used.ff, "DSP": used.dsp, "BRAM_18K": used.bram_18k, "URAM": used.uram,
    }  # fmt: skip
    return [
        f"hls4ml reads {name} = {found[name]} where {value} is shown."
        for name, value in ours.items()
        if name in found and whole(found[name]) != value
    ]
