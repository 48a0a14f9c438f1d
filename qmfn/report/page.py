"""What the HTML report says, before it is laid out: results -> verdict, bars, tables, pictures.

Takes the dict of report.json and, if there are any, the JSON of `evaluate` and of `report` (vendor tools); gives the
values of templates/design.html.jinja. Any section may be missing: then its part of the page is None and the verdict
says what was not done. Every number is formatted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup

from qmfn.report import pictures
from qmfn.report.content import FOOTPRINT_PARTS, RESOURCES

BUDGET = 0.8
"""Share of a device above which placement and routing get hard."""

SHORTEST_COMPILATION = 1.0
"""Seconds; what took less was not compiled but found in the cache."""

LONGEST_SCALE = 2.0
"""Shares above it end at the edge of the utilisation bars; their figures still say how much it is."""

FAMILIES = {
    "s1": ("convolutions", ("conv", "pointwise", "dense", "matvec")),
    "s2": ("depthwise", ("depthwise", "global_depthwise")),
    "s3": ("PReLU", ("prelu",)),
    "s4": ("everything else", ()),
}
"""Series role -> its name in the legend, kinds of stages."""

PARTS = {
    "weight_bits": "s1", "exponent_bits": "s3", "bias_bits": "s4", "slope_bits": "s2", "offset_bits": "s5",
}  # fmt: skip
"""Part of the footprint -> series role."""

LAYER_COLUMNS = {
    "reuse_factor": "RF", "simd": "SIMD", "pe": "PE", "multipliers": "mult", "weight_width": "w",
    "activation_bits": "a", "accumulator_bits": "acc", "cycles": "cycles", "lut": "LUT",
    "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM", "uram": "URAM", "weight_bits": "weight bits", "memories": "memory",
}  # fmt: skip
"""Key of a layer's row -> heading. A column that no row has anything in is left out."""

COLUMN_HINTS = {
    "RF": "reuse factor: multiplications per output pixel / multipliers", "SIMD": "terms of a sum per cycle",
    "PE": "outputs per cycle", "mult": "multipliers", "w": "bits of a weight", "a": "bits of an activation",
    "acc": "bits of the accumulator", "cycles": "per frame", "BRAM": "blocks of 18 kbit",
}  # fmt: skip

KIND_HINTS = {
    "matvec": "a convolution as matrix times vector", "window": "gathers the pixels under the kernel that follows",
}  # fmt: skip
"""Kinds of stages whose names don't say what they do."""

BARRED = ("cycles", "lut")
"""Columns whose cells show their share of the largest as a bar."""

LARGE_ERROR = 0.5
"""Relative error of an estimate from which on it is coloured."""

NBSP = "\u00a0"
"""Between a number and its unit: the two stay on one line."""

Status = Literal["good", "fair", "bad", "open"]


@dataclass(frozen=True)
class Tile:
    """A figure of the verdict; `status` open: nobody has looked."""

    label: str
    figure: str
    notes: Sequence[str] = ()
    status: Status | None = None
    unit: str = ""


@dataclass(frozen=True)
class Cell:
    """`sort`: what a column is sorted by, if not the text; `share`: 0..1 of a bar behind the figure."""

    text: str
    sort: float | str | None = None
    share: float | None = None
    status: Status | None = None


@dataclass(frozen=True)
class Grid:
    """A table; the first `text_columns` columns are words, `marked` names the row to stand out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    text_columns: int = 1
    marked: int | None = None
    hints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bar:
    """Share of a resource with its band, all in percent of the track."""

    label: str
    end: float
    low: float
    high: float
    figure: str
    band: str
    share: str
    status: Status
    beyond: bool


@dataclass(frozen=True)
class Utilisation:
    """Bars by resource; marks: (place on the track in percent, what it is)."""

    resources: Sequence[tuple[str, str, Sequence[Bar]]]
    marks: Sequence[tuple[float, str]]
    unused: Sequence[str]


def design_page(
    result: dict, evaluation: dict | None, vendor: dict | None, config_text: str | None, command: str | None
) -> dict[str, Any]:
    """Values of the template."""
    design, estimate = result.get("design") or {}, result.get("estimate")
    return {
        "title": design.get("name", "design"),
        "subtitle": _subtitle(design),
        "tiles": _tiles(result, evaluation, vendor),
        "not_done": _not_done(result, evaluation, vendor),
        "differences": _differences(result.get("comparison")),
        "comparison": _comparison_facts(result.get("comparison")),
        "built": _built(result),
        "utilisation": _utilisation(estimate) if estimate else None,
        "estimate": _estimate_facts(estimate) if estimate else None,
        "pipeline": _pipeline(estimate) if estimate else None,
        "layers": _layers(estimate, result.get("footprint")) if estimate else None,
        "kinds": _used_kind_hints(estimate) if estimate else None,
        "footprint": _footprint(result.get("footprint")),
        "evaluation": _evaluation(evaluation) if evaluation else None,
        "fifo": _fifo(result.get("fifo"), estimate),
        "vendor": _vendor(vendor) if vendor else None,
        "config_text": config_text,
        "config_name": design.get("config"),
        "command": command,
    }


# --- Verdict ----------------------------------------------------------------------------------------------------------


def _subtitle(design: dict) -> list[str]:
    clock = design.get("clock_period_ns")
    facts = [design.get("board"), design.get("part"), f"{1000 / clock:g} MHz" if clock else None]
    return [str(fact) for fact in [*facts, design.get("backend")] if fact]


def _tiles(result: dict, evaluation: dict | None, vendor: dict | None) -> list[Tile]:
    estimate = result.get("estimate")
    return [
        _exactness(result.get("comparison"), evaluation, vendor),
        _fit(estimate, vendor),
        _speed(estimate),
        _accuracy(evaluation),
        _size(result.get("footprint")),
    ]


def _exactness(comparison: dict | None, evaluation: dict | None, vendor: dict | None) -> Tile:
    """Whether all that was compared is equal; one difference anywhere, also in RTL, is a failure."""
    label = "HLS code against Python"
    tensors = (comparison or {}).get("tensors", [])
    values = sum(tensor["values"] for tensor in tensors)
    problems = []
    if wrong := mismatches(comparison):
        first = next((tensor["layer"] for tensor in tensors if tensor["mismatches"]), "not recorded")
        problems.append(f"{wrong:,} of {values:,} values differ, first in {first}")
    if differing := (evaluation or {}).get("differing_embeddings"):
        problems.append(f"{differing:,} embeddings of the evaluation differ")
    cosimulation = (vendor or {}).get("cosimulation") or {}
    if cosimulation and cosimulation.get("status") != "Pass":
        problems.append(f"co-simulation: {cosimulation.get('status')}")
    if problems:
        return Tile(label, "Differs", problems, "bad")
    if not comparison or not values:
        return Tile(label, "Not compared", ["no value of the C-simulation was looked at"], "open")
    notes = [f"{_count(comparison['images'], 'face')}, {values:,} values", f"of {len(tensors)} tensors, all equal"]
    return Tile(label, "Bit-exact", notes, "good")


def mismatches(comparison: dict | None) -> int:
    """Values that differ; a tensor that differs outweighs a total of zero."""
    if not comparison:
        return 0
    return max(comparison["mismatches"], sum(tensor["mismatches"] for tensor in comparison["tensors"]))


def _fit(estimate: dict | None, vendor: dict | None) -> Tile:
    """By the vendor tools' own figures where they are there, by the estimate's high ends otherwise."""
    label = "on the device"
    if found := _vendor_shares(vendor):
        source, shares = found
        note = source
    elif estimate:
        shares, note = estimate["share_high"], "estimated, high end of the bands"
    else:
        return Tile(label, "Not estimated", [], "open")
    kind = max(shares, key=shares.__getitem__)
    share = shares[kind]
    status = utilisation_status(share)
    figure = {"bad": "Does not fit", "fair": "Fits tightly", "good": "Fits"}[status]
    return Tile(label, figure, [f"{RESOURCES[kind]} at {_share(share)}", note], status)


def utilisation_status(share: float) -> Status:
    """How full a device is."""
    return "bad" if share > 1 else "fair" if share > BUDGET else "good"


def _vendor_shares(vendor: dict | None) -> tuple[str, dict[str, float]] | None:
    """Where the shares come from, and the shares: after synthesis, or by C-synthesis."""
    available = (vendor or {}).get("available") or {}
    for stage, name in (("post_synthesis", "Vivado, after synthesis"), ("c_synthesis", "reported by C-synthesis")):
        used = ((vendor or {}).get("total") or {}).get(stage) or {}
        shares = {kind: used[kind] / available[kind] for kind in RESOURCES if available.get(kind) and used.get(kind)}
        if shares:
            return name, shares
    return None


def _speed(estimate: dict | None) -> Tile:
    if not estimate:
        return Tile("speed", "Not estimated", [], "open")
    notes = [
        f"estimated at {estimate['clock_mhz']:g} MHz",
        f"a frame every {estimate['interval_cycles']:,} cycles",
    ]
    return Tile("speed", speed(estimate["frames_per_second"]), notes, unit="frames/s")


def speed(frames_per_second: float) -> str:
    """Frames per second with as many digits as a reader wants."""
    return f"{frames_per_second:,.1f}" if frames_per_second < 1000 else f"{frames_per_second:,.0f}"


def _accuracy(evaluation: dict | None) -> Tile:
    if not evaluation:
        return Tile("verification accuracy", "Not evaluated", [], "open")
    low, high = evaluation["accuracy_interval"]
    notes = [f"95 % interval {100 * low:.2f} – {_share(high, 2)}", f"{evaluation['pairs']:,} pairs of faces"]
    return Tile("verification accuracy", f"{100 * evaluation['accuracy']:.2f}", notes, unit="%")


def _size(footprint: dict | None) -> Tile:
    if not footprint:
        return Tile("size", "Not counted", [], "open")
    notes = ["of the float32 network,", f"{bits(footprint['total_bits'])} of parameters"]
    return Tile("size", f"{100 * footprint['share']:.1f}", notes, unit="%")


def _not_done(result: dict, evaluation: dict | None, vendor: dict | None) -> list[str]:
    compared = any(tensor["values"] for tensor in (result.get("comparison") or {}).get("tensors", []))
    what = {
        "the C-simulation was not compared with Python": compared,
        "cycles and resources were not estimated": result.get("estimate"),
        "accuracy was not evaluated": evaluation,
        "no vendor tool has confirmed cycles and resources": vendor,
    }
    return [words for words, done in what.items() if not done]


def _differences(comparison: dict | None) -> Grid | None:
    differing = [tensor for tensor in (comparison or {}).get("tensors", []) if tensor["mismatches"]]
    if not differing:
        return None
    rows = [
        [Cell(tensor["layer"]), *(_number(tensor[key]) for key in ("values", "mismatches")),
         Cell(f"{tensor['max_abs_difference']:g}", tensor["max_abs_difference"])]
        for tensor in differing
    ]  # fmt: skip
    return Grid(["layer", "values", "mismatches", "largest difference"], rows)


def _comparison_facts(comparison: dict | None) -> dict[str, str] | None:
    if not comparison:
        return None
    facts = {}
    if comparison.get("first_difference"):
        facts["first difference"] = str(comparison["first_difference"])
    if comparison.get("faces"):
        facts["faces compared"] = ", ".join(comparison["faces"])
    if comparison.get("cosine_to_float") is not None:
        facts["cosine to the float embedding"] = f"{comparison['cosine_to_float']:.4f}"
    return facts


# --- What was built ---------------------------------------------------------------------------------------------------


def _built(result: dict) -> list[tuple[str, str]]:
    design, footprint, csim = (result.get(section) or {} for section in ("design", "footprint", "csim"))
    facts: list[tuple[str, str | None]] = [
        ("network", _network(design)),
        ("weights", _widths(footprint)),
        ("checkpoint", _named(design.get("checkpoint"))),
        ("device", " · ".join(design[key] for key in ("board", "part") if design.get(key))),
        ("clock", f"{design['clock_period_ns']:g} ns" if design.get("clock_period_ns") else None),
        ("backend", design.get("backend")),
        ("dataflow", design.get("dataflow")),
        ("C-simulation", _csim(csim)),
    ]
    return [(name, value) for name, value in facts if value]


def _network(design: dict) -> str:
    size = design.get("input_size")
    parts = [
        f"{size} × {size} pixels to {design.get('embedding_size')} values" if size else "",
        f"{design['layers']} layers" if design.get("layers") else "",
        f"{_short(design['multiplications'])} multiplications" if design.get("multiplications") else "",
    ]
    return ", ".join(part for part in parts if part)


def _widths(footprint: dict) -> str | None:
    """How many weights have how many bits, most frequent first."""
    counts: dict[int, int] = {}
    for layer in footprint.get("layers", []):
        if layer.get("weights") and layer.get("weight_width"):
            counts[layer["weight_width"]] = counts.get(layer["weight_width"], 0) + layer["weights"]
    total = sum(counts.values())
    if not total:
        return None
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    if len(ranked) == 1:
        return f"all {total:,} of {_count(ranked[0][0], 'bit')}"
    mean = sum(width * count for width, count in ranked) / total
    shares = ", ".join(f"{_share(count / total)} have{NBSP}{width}" for width, count in ranked)
    return f"{mean:.2f} bits on average: {shares}"


def _csim(csim: dict) -> str:
    units = {"convert_seconds": "converted in {:.1f}~s", "compile_seconds": "compiled in {:.1f}~s"}
    units["images_per_second"] = "{:.1f}~faces/s"
    if csim.get("compile_seconds", SHORTEST_COMPILATION) < SHORTEST_COMPILATION:
        units["compile_seconds"] = "compiled before"
    texts = [text.format(csim[key]) for key, text in units.items() if csim.get(key) is not None]
    return ", ".join(texts).replace("~", NBSP)


def _named(values: Any) -> Any:
    """A value of the design in words: dicts and lists without their brackets."""
    if isinstance(values, dict):
        return ", ".join(f"{str(key).replace('_', ' ')} {_named(value)}" for key, value in values.items())
    if isinstance(values, list | tuple):
        return " and ".join(map(str, values))
    return f"{values:.4g}" if isinstance(values, float) else values


# --- Resources and cycles ---------------------------------------------------------------------------------------------


def _estimate_facts(estimate: dict) -> dict[str, str]:
    return {
        "tool": estimate.get("tool", ""),
        "bottleneck": estimate["bottleneck"],
        "interval": f"{estimate['interval_cycles']:,}",
        "latency": f"{estimate['latency_cycles']:,}",
        "latency_ms": f"{estimate['latency_cycles'] / estimate['clock_mhz'] / 1000:.3g}",
    }


def _utilisation(estimate: dict) -> Utilisation:
    stages = [("C-synthesis", estimate["total"], estimate["band"])]
    after = estimate.get("post_synthesis") or {}
    if after.get("expected") and after["expected"] != estimate["total"]:
        stages.append(("after synthesis", after["expected"], after["band"]))
    elif after.get("expected"):
        stages = [("after synthesis", after["expected"], after["band"])]
    available = estimate["available"]
    highest = max(band[kind][1] / max(1, available[kind]) for _, _, band in stages for kind in RESOURCES)
    used_kinds = {kind for kind in RESOURCES if any(band[kind][1] for _, _, band in stages)}
    scale = min(max(1.08, 1.06 * highest), LONGEST_SCALE)
    resources = [
        (name, f"{available[kind]:,}", [_bar(stage, used[kind], band[kind], available[kind], scale)
                                        for stage, used, band in stages])
        for kind, name in RESOURCES.items() if kind in used_kinds
    ]  # fmt: skip
    marks = [(100 * mark / scale, _share(mark, 0)) for mark in (BUDGET, 1.0)]
    return Utilisation(resources, marks, [name for kind, name in RESOURCES.items() if kind not in used_kinds])


def _bar(label: str, used: int, band: Sequence[int], available: int, scale: float) -> Bar:
    low, high = band
    unit = max(1, available)
    ends = {"end": used, "low": low, "high": high}
    place = {name: 100 * min(1.0, count / unit / scale) for name, count in ends.items()}
    band_text = f"{low:,} – {high:,}" if low != high else ""
    return Bar(
        label, **place, figure=f"{used:,}", band=band_text, share=_share(used / unit),
        status=utilisation_status(high / unit), beyond=high / unit > scale,
    )  # fmt: skip


def _pipeline(estimate: dict) -> dict[str, Any]:
    bars = [
        pictures.Bar(layer["layer"], layer_group(layer["layer"]), ((_family(layer["kind"]), layer["cycles"]),))
        for layer in estimate["layers"]
    ]
    slowest = estimate["bottleneck"]
    label = f"Cycles per frame of {len(bars)} stages; the bottleneck is {slowest}."
    tips = [f"{bar.name}: {bar.height:,.0f} cycles" for bar in bars]
    used = {_family(layer["kind"]) for layer in estimate["layers"]}
    return {
        "picture": pictures.both_widths(lambda width: pictures.pipeline_figure(bars, slowest, width), label, tips),
        "legend": [(role, name) for role, (name, _) in FAMILIES.items() if role in used] + [("warn", "slowest stage")],
        "busy": _share(sum(bar.height for bar in bars) / len(bars) / max(bar.height for bar in bars), 0),
    }


def _family(kind: str) -> str:
    return next((role for role, (_, kinds) in FAMILIES.items() if kind in kinds), "s4")


def layer_group(name: str) -> str:
    """Bottleneck block or single layer that a stage belongs to; a block is its number."""
    return name.removeprefix("clone_").split("_")[0].removeprefix("bottleneck")


def _layers(estimate: dict, footprint: dict | None) -> Grid:
    widths = {layer["layer"]: layer.get("weight_width") for layer in (footprint or {}).get("layers", [])}
    rows = [layer | {"weight_width": layer.get("weight_width", widths.get(layer["layer"]))}
            for layer in estimate["layers"]]  # fmt: skip
    keys = [key for key in LAYER_COLUMNS if any(row.get(key) for row in rows)]
    largest = {key: max(row.get(key) or 0 for row in rows) for key in BARRED if key in keys}
    cells = [
        [Cell(row["layer"]), Cell(row["kind"].replace("_", " ")), *(_layer_cell(row, key, largest) for key in keys)]
        for row in rows
    ]
    marked = next((index for index, row in enumerate(rows) if row["layer"] == estimate["bottleneck"]), None)
    return Grid(["layer", "kind", *(LAYER_COLUMNS[key] for key in keys)], cells, 2, marked, COLUMN_HINTS)


def _used_kind_hints(estimate: dict) -> dict[str, str]:
    used = {layer["kind"] for layer in estimate["layers"]}
    return {kind: hint for kind, hint in KIND_HINTS.items() if kind in used}


def _layer_cell(row: dict, key: str, largest: dict[str, int]) -> Cell:
    value = row.get(key)
    if key == "memories":
        return Cell(_memories(value))
    cell = _number(value)
    return Cell(cell.text, cell.sort, (value or 0) / (largest[key] or 1)) if key in largest else cell


def _memories(value: Any) -> str:
    """Memories of a stage, however they are listed: a name, names, or name -> where it is kept."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_memories(place)}" for name, place in value.items() if place)
    if isinstance(value, list | tuple):
        return ", ".join(_memories(entry) for entry in value)
    return str(value or "")


# --- Bits, faces, FIFOs -----------------------------------------------------------------------------------------------


def _footprint(footprint: dict | None) -> dict[str, Any] | None:
    if not footprint:
        return None
    layers = [layer for layer in footprint.get("layers", []) if layer.get("total_bits")]
    bars = [pictures.Bar(layer["layer"], layer_group(layer["layer"]),
                         tuple((role, layer.get(key, 0)) for key, role in PARTS.items() if layer.get(key)))
            for layer in layers]  # fmt: skip
    total = footprint["total_bits"]
    return {
        "sentence": (
            f"{bits(total)} of parameters, {_share(footprint['share'], 2)} of the float32 network; the weights alone "
            f"are {_share(footprint['weight_share'], 2)} of float32 weights. Nothing is left out: first and last "
            "layer, exponents and biases included."
        ),
        "parts": [(role, FOOTPRINT_PARTS[key], bits(footprint[key]), _share(footprint[key] / total))
                  for key, role in PARTS.items() if footprint.get(key)],
        "picture": pictures.both_widths(
            lambda width: pictures.footprint_figure(bars, width), "Bits of every layer by kind.",
            [f"{bar.name}: {bits(bar.height)}" for bar in bars for _ in bar.parts],
        ) if bars else None,
        "table": _footprint_table(layers) if layers else None,
    }  # fmt: skip


def _footprint_table(layers: list[dict]) -> Grid:
    keys = [key for key in PARTS if any(layer.get(key) for layer in layers)]
    columns = ["layer", "weights", "width", *(f"{FOOTPRINT_PARTS[key]}, bits" for key in keys), "total, bits"]
    rows = [[Cell(layer["layer"]), *(_number(layer.get(key))
                                     for key in ("weights", "weight_width", *keys, "total_bits"))]
            for layer in layers]  # fmt: skip
    return Grid(columns, rows)


def _evaluation(evaluation: dict) -> dict[str, Any]:
    low, high = evaluation["accuracy_interval"]
    engine = {"keras": "quantised network in Keras", "csim": "HLS code, C-simulated", "float": "float network"}
    rates = evaluation.get("tar_at_far", {})
    facts = [
        ("accuracy", f"{_share(evaluation['accuracy'], 2)}, 95 % interval {100 * low:.2f} – {_share(high, 2)}"),
        ("spread over folds", f"± {_share(evaluation['accuracy_std'], 2)}" if "accuracy_std" in evaluation else None),
        ("equal error rate", _share(evaluation["eer"], 2) if "eer" in evaluation else None),
        ("area under ROC", f"{evaluation['auc']:.5f}" if "auc" in evaluation else None),
        *((f"TAR at FAR {100 * float(far):g}{NBSP}%", _share(tar, 2)) for far, tar in rates.items()),
        ("cosine to float", f"{evaluation['cosine_to_float']:.4f}" if "cosine_to_float" in evaluation else None),
        ("engine", engine.get(evaluation.get("engine", ""), evaluation.get("engine"))),
        ("data", f"{evaluation['pairs']:,} pairs of {evaluation.get('images', 0):,} pictures"),
    ]
    curves = evaluation.get("curves")
    return {"facts": [fact for fact in facts if fact[1]], "pictures": _curves(curves, evaluation) if curves else None}


def _curves(curves: dict, evaluation: dict) -> list[tuple[str, Markup, list[tuple[str, str]]]]:
    different = sum(curves["scores"]["different"])
    roc = pictures.roc_figure(curves["roc"], 1 / max(1, different))
    scores = pictures.scores_figure(curves["scores"], evaluation.get("threshold"))
    return [
        ("ROC", pictures.inline_svg(roc, "True accept rate over false accept rate."), []),
        ("Scores", pictures.inline_svg(scores, "Histogram of the cosines of same and different pairs."),
         [("s1", "same person"), ("s3", "different people")]),
    ]  # fmt: skip


def _fifo(fifo: dict | None, estimate: dict | None) -> dict[str, Any] | None:
    if not fifo:
        return None
    rows = fifo.get("fifos") or fifo.get("rows") or (estimate or {}).get("fifos") or []
    sentence = f"{_count(fifo.get('count', len(rows)), 'FIFO')} between the stages, {bits(fifo.get('bits', 0))} in all."
    return {"sentence": sentence, "table": _fifo_table(rows) if rows else None}


def _fifo_table(rows: list[dict]) -> Grid:
    headings = {"depth": "depth", "width": "width, bits", "bits": "bits", "lut": "LUT", "ff": "FF", "bram_18k": "BRAM"}
    rows = [_fifo_row(row) for row in rows]
    keys = [key for key in headings if any(row.get(key) for row in rows)]
    largest = max((row["bits"] for row in rows), default=0) or 1
    cells = [[Cell(row["name"]), *(Cell(_number(row.get(key)).text, row.get(key),
                                        row["bits"] / largest if key == "bits" else None) for key in keys)]
             for row in rows]  # fmt: skip
    return Grid(["FIFO", *(headings[key] for key in keys)], cells)


def _fifo_row(row: dict) -> dict:
    """With its bits; resources may stand in the row or, with their band, in `used`."""
    expected = (row.get("used") or {}).get("expected") or {}
    return {"bits": row.get("depth", 0) * row.get("width", 0)} | expected | row


# --- Vendor tools -----------------------------------------------------------------------------------------------------

VENDOR_PAIRS = (
    ("C-synthesis", "estimated", "c_synthesis", "estimated_to_c_synthesis"),
    ("after synthesis", "estimated_post_synthesis", "post_synthesis", "estimated_to_post_synthesis"),
)
"""Name of a stage, keys of its estimate and of its report, key of the error between the two."""


def _vendor(vendor: dict) -> dict[str, Any]:
    clock, cosimulation = vendor.get("clock") or {}, vendor.get("cosimulation") or {}
    facts = [
        ("tool", " ".join(str(vendor[key]) for key in ("tool", "version") if vendor.get(key))),
        ("part", vendor.get("part")),
        ("clock", f"target {clock['target_ns']:g} ns, estimated {clock['estimated_ns']:g} ns"
         if clock.get("target_ns") and clock.get("estimated_ns") else None),
        ("co-simulation", cosimulation.get("status")),
    ]  # fmt: skip
    return {
        "facts": [fact for fact in facts if fact[1]],
        "total": _vendor_total(vendor.get("total") or {}),
        "layers": _vendor_layers(vendor.get("rows") or []),
        "problems": vendor.get("problems") or [],
    }


def _vendor_total(total: dict) -> Grid | None:
    pairs = [pair for pair in VENDOR_PAIRS if _has_figures(total.get(pair[2]))]
    if not pairs:
        return None
    columns = ["", *(column for name, *_ in pairs for column in (f"estimated {name}", name, "error"))]
    rows = [[Cell(name), *(cell for pair in pairs for cell in _judged(total, kind, pair))]
            for kind, name in (RESOURCES | {"cycles": "cycles per frame"}).items()]  # fmt: skip
    return Grid(columns, rows)


def _vendor_layers(rows: list[dict]) -> Grid | None:
    """The best known figures of a layer: after synthesis if there are any, else C-synthesis."""
    kinds = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM", "cycles": "cycles"}
    pair = VENDOR_PAIRS[0]
    rows = [row for row in rows if _has_figures(row.get(pair[1])) or _has_figures(row.get(pair[2]))]
    if not rows:
        return None
    columns = ["layer", *(column for name in kinds.values() for column in (f"{name} est.", name, "error"))]
    return Grid(columns, [[Cell(row["name"]), *(cell for kind in kinds for cell in _judged(row, kind, pair))]
                          for row in rows])  # fmt: skip


def _judged(row: dict, kind: str, pair: tuple[str, str, str, str]) -> list[Cell]:
    """Estimated, reported, error; a large error is coloured."""
    _, estimated, reported, error = pair
    value = ((row.get("relative_error") or {}).get(error) or {}).get(kind)
    figures = [_number((row.get(stage) or {}).get(kind)) for stage in (estimated, reported)]
    return [*figures, Cell("–", 0) if value is None else _error(value)]


def _error(value: float) -> Cell:
    percent = round(100 * value)
    text = f"{percent:+,}{NBSP}%".replace("-", "−") if percent else f"0{NBSP}%"
    return Cell(text, value, status="fair" if abs(value) > LARGE_ERROR else None)


def _has_figures(figures: dict | None) -> bool:
    return any(value is not None for value in (figures or {}).values())


# --- Numbers ----------------------------------------------------------------------------------------------------------


def _number(value: float | None) -> Cell:
    """0 and nothing are a dash, so that what is there stands out."""
    return Cell(f"{value:,}" if value else "–", value or 0)


def _share(value: float, digits: int = 1) -> str:
    """A share in percent; a very large one without decimals."""
    return f"{100 * value:,.{0 if value >= 10 else digits}f}{NBSP}%"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def bits(number: float) -> str:
    """Bits with a decimal prefix, as in Mbit."""
    for size, unit in ((1e6, "Mbit"), (1e3, "kbit")):
        if number >= size:
            return f"{number / size:.3g}{NBSP}{unit}"
    return f"{number:,.0f}{NBSP}bit"


def _short(number: float) -> str:
    for size, word in ((1e6, "million"), (1e3, "thousand")):
        if number >= size:
            return f"{number / size:,.3g} {word}"
    return f"{number:,}"
