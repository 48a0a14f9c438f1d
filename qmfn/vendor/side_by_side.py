"""Estimated, C-synthesis and post-synthesis figures of a design, per layer and in total, with relative errors.

The rows of a design add up to its total: its layers, modules that no layer is known for, the FIFOs between them, and
the rest (control and interfaces). A layer's figures include everything inside its module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from qmfn.errors import UserError
from qmfn.files import read_json
from qmfn.vendor.figures import RESOURCES, Resources, summed
from qmfn.vendor.layers import CONFIG, Call, layers_of, read_calls
from qmfn.vendor.modules import Module, Part
from qmfn.vendor.reports import VendorRun
from qmfn.vendor.sources import mismatch

STAGES = ("estimated", "estimated_post_synthesis", "c_synthesis", "post_synthesis")
ERRORS = {
    "estimated_to_c_synthesis": (("estimated",), "c_synthesis"),
    "estimated_to_post_synthesis": (("estimated_post_synthesis", "estimated"), "post_synthesis"),
    "c_synthesis_to_post_synthesis": (("c_synthesis",), "post_synthesis"),
}
"""Error -> stages whose figure is judged (the first that is there), stage it is measured against."""

FIFO_NAME = re.compile(r"layer\d+_(out|cpy\d+)\w*_U$")

Figures = dict[str, int | None]
"""Resource kinds, "cycles" (per frame: the longest interval) and, from the vendor, latencies and intervals."""


@dataclass(frozen=True)
class Row:
    """One line: a layer, a module, "FIFOs", "other" or "total"; a stage that says nothing of it is None."""

    name: str
    what: str
    modules: tuple[str, ...] = ()
    figures: dict[str, Figures | None] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, dict[str, float | None]]:
        """Error -> resource -> (figure - reference) / reference; None where one is missing or the reference is 0."""
        return {
            error: {name: relative_error(judged.get(name), reference.get(name)) for name in (*RESOURCES, "cycles")}
            for error, (judged, reference) in self._pairs()
        }

    def _pairs(self) -> Iterator[tuple[str, tuple[Figures, Figures]]]:
        for error, (stages, reference) in ERRORS.items():
            judged = next((found for stage in stages if (found := self.figures.get(stage))), None)
            against = self.figures.get(reference)
            if judged and against:
                yield error, (judged, against)


def relative_error(figure: int | None, reference: int | None) -> float | None:
    """(figure - reference) / reference; nothing where nothing was expected is right."""
    if figure is None or reference is None:
        return None
    if reference == 0:
        return 0.0 if figure == 0 else None
    return (figure - reference) / reference


@dataclass(frozen=True)
class Comparison:
    """A vendor run beside the estimates of its project, if it has any."""

    run: VendorRun
    rows: tuple[Row, ...]
    total: Row
    problems: tuple[str, ...]

    def as_dict(self) -> dict:
        """What becomes vendor.json, and what `qmfn.report.vendor` takes."""
        run, top = self.run, self.run.top
        return {
            "project": str(run.project),
            "tool": run.tool,
            "version": run.version,
            "part": run.part,
            "top": top.name if top else None,
            "clock": asdict(top.clock) if top else None,
            "available": asdict(top.available) if top else None,
            "rows": [_row_dict(row) for row in self.rows],
            "total": _row_dict(self.total),
            "cosimulation": asdict(run.cosimulation) if run.cosimulation else None,
            "post_synthesis": asdict(run.post_synthesis) if run.post_synthesis else None,
            "modules": [_module_dict(module) for module in run.modules.values()],
            "problems": list(self.problems),
        }


def _row_dict(row: Row) -> dict:
    stages = {stage: row.figures.get(stage) for stage in STAGES}
    return {"name": row.name, "what": row.what, "modules": list(row.modules), **stages, "relative_error": row.errors}


def _module_dict(module: Module) -> dict:
    return asdict(module) | {"streams": sorted(module.streams)}


def compare(run: VendorRun) -> Comparison:
    """Set a run beside the `estimate` section of its project's report.json.

    Raises:
        UserError: report.json is there and can't be read.
    """
    estimate = _estimate(run.project)
    problems = list(run.problems)
    if stale := mismatch(run.project):
        problems.append(stale)
    if not estimate:
        problems.append(f"{run.project / 'report.json'}: no estimates, so none are shown.")
    estimated = {layer["layer"]: layer for layer in estimate.get("layers", [])}
    calls = read_calls(run.project)
    groups: dict[tuple[str, str], list[Part]] = {}
    for layer in estimated or [call.layer for call in calls]:
        groups[layer, "layer"] = []
    containers = list(_containers(run)) if run.top else []
    parts, additive = _parts(run, containers, calls)
    if not additive:
        problems.append("No report says which module is inside which: the rows are all modules and don't add up.")
    for part, layer in _placed(run, parts, calls if additive else []):
        groups.setdefault((layer, "layer") if layer else (part.module or part.name, "module"), []).append(part)
    if run.modules and (unknown := [layer for (layer, _), found in groups.items() if not found]):
        problems.append(f"Layers that no module is known for: {', '.join(unknown)}.")
    rows = [
        Row(name, what, tuple(part.module or part.name for part in parts), _figures(run, parts, estimated.get(name)))
        for (name, what), parts in groups.items()
    ]
    total = _total(run, estimate)
    if rows and additive:
        rows += _rest(run, containers, rows, total)
    return Comparison(run, tuple(rows), total, tuple(problems))


def _estimate(project: Path) -> dict:
    """The estimate section of report.json; empty where the file is missing or has none."""
    path = project / "report.json"
    if not path.exists():
        return {}
    found = read_json(path, "convert the design again").get("estimate") or {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: is no report of scripts/convert.py (estimate: {found}); convert the design again.")
    return {**found, "layers": found.get("layers", [])} if found else {}


def _containers(run: VendorRun) -> Iterator[Module]:
    """The top module and the dataflow regions in it that aren't layers, such as the design inside an accelerator."""
    waiting = [run.top] if run.top else []
    while waiting:
        module = waiting.pop()
        yield module
        inside = (run.modules.get(part.module or "") for part in module.instances or ())
        waiting += [part for part in inside if part and part.pipeline == "dataflow" and not CONFIG.search(part.name)]


def _parts(run: VendorRun, containers: list[Module], calls: list[Call]) -> tuple[list[Part], bool]:
    """What the design consists of, and whether it adds up to it.

    As the top module's report lists it; without that, modules that are in no other; without any hierarchy, those whose
    names are a layer's function and its types (an inner dense_resource_ap_fixed... is no dense), or all of them.
    """
    if run.top and run.top.instances is not None:
        names = {container.name for container in containers}
        listed = (part for container in containers for part in container.instances or ())
        return [part for part in listed if part.module not in names], True
    others = {name: module for name, module in run.modules.items() if module is not run.top}
    inside = {part.module for module in others.values() for part in module.instances or ()}
    parts = {name: Part(name, name, module.resources) for name, module in others.items() if name not in inside}
    if any(module.instances is not None for module in others.values()):
        return list(parts.values()), True
    if not calls:
        return list(parts.values()), not parts
    templates = "|".join(sorted({call.function for call in calls if call.is_template}))
    functions = "|".join(sorted({call.function for call in calls if not call.is_template}))
    layer = re.compile(rf"(?:{templates})_(?:array|ap_|config)(?!.*_Pipeline_)|(?:{functions})$")
    return [part for name, part in parts.items() if layer.match(name)], True


def _placed(run: VendorRun, parts: list[Part], calls: list[Call]) -> Iterator[tuple[Part, str | None]]:
    """Each part with its layer, or None.

    Parts that the reports can't tell apart, such as clones of the same size, go to their layers in order if there are
    as many and their figures are the same: then it does not matter which is which.
    """
    waiting: dict[tuple[str, ...], list[Part]] = {}
    for part in parts:
        name = part.module or part.name
        waiting.setdefault(layers_of(name, run.modules.get(name), calls), []).append(part)
    for layers, alike in waiting.items():
        figures = [_c_synthesis(run, [part]) for part in alike]
        if len(layers) == 1:
            yield from ((part, layers[0]) for part in alike)
        elif len(layers) == len(alike) and all(figure == figures[0] for figure in figures):
            yield from zip(alike, layers, strict=True)
        else:
            yield from ((part, None) for part in alike)


def _figures(run: VendorRun, parts: list[Part], estimate: dict | None) -> dict[str, Figures | None]:
    return {
        **_estimated(estimate),
        "c_synthesis": _c_synthesis(run, parts),
        "post_synthesis": _post_synthesis(run, (part.name for part in parts)),
    }


def _estimated(estimate: dict | None) -> dict[str, Figures | None]:
    """A layer's or the total's estimates, of C-synthesis and, where there are some, after synthesis."""
    if not estimate:
        return {}
    return {
        "estimated": {name: estimate.get(name) for name in (*RESOURCES, "cycles")},
        "estimated_post_synthesis": _after_synthesis(estimate),
    }


def _after_synthesis(estimate: dict) -> Figures | None:
    """What a report's estimate expects after synthesis; its band stands beside and is not compared."""
    after = estimate.get("post_synthesis")
    if not isinstance(after, dict):
        return None
    expected = after.get("expected", after)
    return {resource: expected.get(resource) for resource in RESOURCES}


def _c_synthesis(run: VendorRun, parts: list[Part]) -> Figures | None:
    """Instances' resources add up; of their cycles, the longest counts, as they run at once."""
    if not parts:
        return None
    modules = [run.modules.get(part.module or "") for part in parts]
    used = summed(
        part.resources or (module.resources if module else Resources())
        for part, module in zip(parts, modules, strict=True)
    )
    return asdict(used) | _cycles([module for module in modules if module])


def _cycles(modules: list[Module]) -> Figures:
    longest: Figures = {}
    for name in ("latency_min", "latency_max", "interval_min", "interval_max"):
        numbers = [number for module in modules if (number := getattr(module.cycles, name)) is not None]
        longest[name] = max(numbers, default=None)
    return longest | {"cycles": longest["interval_max"]}


def _post_synthesis(run: VendorRun, names: Iterable[str]) -> Figures | None:
    """Sum of instances in Vivado's hierarchical report; None where it doesn't have them."""
    found = run.post_synthesis.instances if run.post_synthesis else {}
    parts = [found[name] for name in names if name in found]
    return asdict(summed(parts)) if parts else None


def _total(run: VendorRun, estimate: dict) -> Row:
    layers = estimate.get("layers", [])
    slowest = max((layer["cycles"] for layer in layers if layer.get("cycles") is not None), default=None)
    post = run.post_synthesis
    figures: dict[str, Figures | None] = {
        **_estimated(estimate.get("total", {}) | {"cycles": slowest} if estimate else None),
        "c_synthesis": asdict(run.top.resources) | _cycles([run.top]) if run.top else None,
        "post_synthesis": asdict(post.resources) if post else None,
    }
    if (after := _after_synthesis(estimate)) is not None:
        figures["estimated_post_synthesis"] = after
    return Row("total", "total", (run.top.name,) if run.top else (), figures)


def _rest(run: VendorRun, containers: list[Module], rows: list[Row], total: Row) -> list[Row]:
    """FIFOs between the layers, and what is then left of the total.

    The estimates know nothing but layers and FIFOs, so there what isn't in a layer is FIFOs.
    """
    estimated = _less(total.figures.get("estimated"), rows, "estimated")
    shares = [container.share["FIFO"] for container in containers if "FIFO" in container.share]
    instances = run.post_synthesis.instances if run.post_synthesis else {}
    names = {part.name for container in containers for part in container.fifos}
    names |= {name for name in instances if FIFO_NAME.search(name)}
    fifos = Row("FIFOs", "fifo", (), {
        "estimated": estimated,
        "c_synthesis": asdict(summed(shares)) if shares else None,
        "post_synthesis": _post_synthesis(run, sorted(names)),
    })  # fmt: skip
    # Without the text reports FIFOs can't be told from control.
    name = "other (control)" if any(container.share for container in containers) else "other (FIFOs, control)"
    left = {"c_synthesis": _less(total.figures.get("c_synthesis"), [*rows, fifos], "c_synthesis")}
    if instances:
        left["post_synthesis"] = _less(total.figures.get("post_synthesis"), [*rows, fifos], "post_synthesis")
    return [row for row in (fifos, Row(name, "other", (), left)) if any(row.figures.values())]


def _less(total: Figures | None, rows: list[Row], stage: str) -> Figures | None:
    """What of a total is in none of the rows."""
    if not total:
        return None
    parts = [figures for row in rows if (figures := row.figures.get(stage))]
    within = {resource: sum(part.get(resource) or 0 for part in parts) for resource in RESOURCES}
    return {
        resource: None if (count := total.get(resource)) is None else count - within[resource]
        for resource in RESOURCES
    }
