"""The report of a design: results -> document.

Takes the dict of report.json and, if there are any, what `evaluate --json` and `report --json` (the vendor's tools)
write. Any section may be missing: then it is left out, and the verdict says what was not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmfn.report.forms import BAND_IN_THOUSANDS, NBSP, NUMBER, TEXT, USED, bits, counted, percent, rate, words
from qmfn.report.tree import (
    RESOURCES,
    Bar,
    Block,
    Code,
    Column,
    Document,
    Facts,
    Key,
    Legend,
    Picture,
    Pictures,
    Roc,
    Scores,
    Section,
    Span,
    StackedBars,
    Table,
    Tile,
    Tiles,
    Use,
    Utilisation,
    columns_in_use,
    on_page,
    paragraph,
    table_of,
    utilisation_status,
)
from qmfn.report.vendor import vendor_section, vendor_shares

SHORTEST_COMPILATION = 1.0
"""Seconds; what took less was not compiled but found in the cache."""

FAMILIES = {
    "s1": ("convolutions", ("conv", "pointwise", "dense", "matvec")),
    "s2": ("depthwise", ("depthwise", "global_depthwise")),
    "s3": ("PReLU", ("prelu",)),
    "s4": ("everything else", ()),
}
"""Series role -> its name in the legend, kinds of stages."""

PARTS = {
    "weight_bits": ("s1", "weights"), "exponent_bits": ("s3", "exponents"), "bias_bits": ("s4", "biases"),
    "slope_bits": ("s2", "slopes"), "offset_bits": ("s5", "offsets"),
}  # fmt: skip
"""Part of the footprint -> series role, name."""

LAYER_COLUMNS = {
    "layer": Column("layer", TEXT),
    "kind": Column("kind", TEXT),
    "reuse_factor": Column("RF", USED, "reuse factor: multiplications per output pixel / multipliers"),
    "simd": Column("SIMD", USED, "terms of a sum per cycle", spare=True),
    "pe": Column("PE", USED, "outputs per cycle", spare=True),
    "multipliers": Column("mult", USED, "multipliers"),
    "weight_width": Column("w", USED, "bits of a weight", spare=True),
    "activation_bits": Column("a", USED, "bits of an activation"),
    "accumulator_bits": Column("acc", USED, "bits of the accumulator"),
    "cycles": Column("cycles", USED, "per frame", bars=True),
    "lut": Column("LUT", USED, bars=True),
    "lut_band": Column("10-90 %", BAND_IN_THOUSANDS, "of LUT, in thousands"),
    "ff": Column("FF", USED),
    "dsp": Column("DSP", USED),
    "bram_18k": Column("BRAM", USED, "blocks of 18 kbit"),
    "uram": Column("URAM", USED, spare=True),
    "weight_bits": Column("weight bits", USED, spare=True),
    "memories": Column("memory", TEXT, spare=True),
}
"""Key of a layer's row -> column."""

STAGE_MEANINGS = {
    "matvec": "a convolution as matrix times vector", "window": "gathers the pixels under the kernel that follows",
}  # fmt: skip
"""Kinds of stages whose names don't say what they do."""

FIFO_COLUMNS = {
    "name": Column("FIFO", TEXT), "depth": Column("depth"), "width": Column("width, bits"),
    "bits": Column("bits", bars=True),
}  # fmt: skip

ENGINES = {"keras": "quantised network in Keras", "csim": "HLS code, C-simulated", "float": "float network"}


def design_document(result: dict, evaluation: dict | None = None, vendor: dict | None = None) -> Document:
    """The whole report, the verdict first."""
    design = result.get("design") or {}
    clock = design.get("clock_period_ns")
    about = [design.get("board"), design.get("part"), f"{1000 / clock:g} MHz" if clock else None, design.get("backend")]
    parts = [
        _verdict(result, evaluation, vendor),
        _built(result),
        *_estimated(result),
        _footprint(result.get("footprint")),
        _evaluation(evaluation),
        fifo_section(fifo, result.get("estimate")) if (fifo := result.get("fifo")) else None,
        vendor_section(vendor) if vendor else None,
        _again(design),
    ]
    return Document(
        "QMobileFaceNet design report", design.get("name", "design"), [str(fact) for fact in about if fact],
        [part for part in parts if part],
    )  # fmt: skip


def estimate_sections(result: dict) -> list[Section]:
    """The sections that say what is estimated."""
    return [*_estimated(result), fifo_section(result["fifo"], result["estimate"])]


# --- Verdict ----------------------------------------------------------------------------------------------------------


def _verdict(result: dict, evaluation: dict | None, vendor: dict | None) -> Section:
    comparison, estimate = result.get("comparison"), result.get("estimate")
    tiles = [
        _exactness(comparison, evaluation, vendor, result.get("verification")),
        _fit(estimate, vendor),
        _speed(estimate),
        _accuracy(evaluation),
        _size(result.get("footprint")),
    ]
    blocks: list[Block] = [Tiles(tiles)]
    done = {
        "the C-simulation was not compared with Python": _values(comparison),
        "cycles and resources were not estimated": estimate,
        "accuracy was not evaluated": evaluation,
        "no vendor tool has confirmed cycles and resources": vendor,
    }
    if not_done := [what for what, found in done.items() if not found]:
        blocks.append(paragraph(Span("Not done:", bold=True), f" {'; '.join(not_done)}.", style="not-done"))
    differing = [tensor for tensor in _tensors(comparison) if tensor["mismatches"]]
    if differing:
        columns = {
            "layer": Column("layer", TEXT), "values": Column("values"), "mismatches": Column("mismatches"),
            "max_abs_difference": Column("largest difference", NUMBER),
        }  # fmt: skip
        blocks.append(table_of(columns, differing, title="What differs"))
    return Section("Verdict", blocks)


def _tensors(comparison: dict | None) -> list[dict]:
    return (comparison or {}).get("tensors", [])


def _values(comparison: dict | None) -> int:
    return sum(tensor["values"] for tensor in _tensors(comparison))


def is_exact(comparison: dict | None) -> bool | None:
    """Whether all values that were compared are equal; None where none was."""
    return not _mismatches(comparison) if _values(comparison) else None


def _mismatches(comparison: dict | None) -> int:
    """Values that differ; a tensor that differs outweighs a total of zero."""
    if not comparison:
        return 0
    return max(comparison["mismatches"], sum(tensor["mismatches"] for tensor in _tensors(comparison)))


def _exactness(
    comparison: dict | None, evaluation: dict | None, vendor: dict | None, verification: dict | None
) -> Tile:
    """Whether all that was compared is equal; one difference anywhere, also in RTL, is a failure."""
    label, values = "HLS code against Python", _values(comparison)
    problems = []
    if wrong := _mismatches(comparison):
        first = next((tensor["layer"] for tensor in _tensors(comparison) if tensor["mismatches"]), "not recorded")
        problems.append(f"{wrong:,} of {values:,} values differ, first in {first}")
    if differing := (evaluation or {}).get("differing_embeddings"):
        problems.append(f"{differing:,} embeddings of the evaluation differ")
    if concurrent := (verification or {}).get("mismatches"):
        problems.append(f"{concurrent:,} values differ where all stages run at once")
    cosimulation = (vendor or {}).get("cosimulation") or {}
    if cosimulation and cosimulation.get("status") != "Pass":
        problems.append(f"co-simulation: {cosimulation.get('status')}")
    if problems:
        return Tile(label, "Differs", problems, "bad")
    if not comparison or not values:
        return Tile(label, "Not compared", ["no value of the C-simulation was looked at"], "open")
    faces, tensors = counted(comparison["images"], "face"), counted(len(_tensors(comparison)), "tensor")
    notes = [f"{faces}, {values:,} values of {tensors}, all equal"]
    if verification:
        notes.append(
            f"all {verification['stages']} stages at once over FIFOs of their depths: {verification['frames']} frames, "
            f"no deadlock, initiation interval {verification['interval_cycles']:,} cycles"
        )
    return Tile(label, "Bit-exact", notes, "good")


def _fit(estimate: dict | None, vendor: dict | None) -> Tile:
    """By the vendor tools' own figures where they are there, by the estimate's high ends otherwise."""
    label = "on the device"
    if found := vendor_shares(vendor):
        source, shares = found
    elif estimate:
        source, shares = "estimated, high end of the bands", estimate["share_high"]
    else:
        return Tile(label, "Not estimated", [], "open")
    resource = max(shares, key=shares.__getitem__)
    status = utilisation_status(shares[resource])
    figure = {"bad": "Does not fit", "fair": "Fits tightly", "good": "Fits"}[status]
    return Tile(label, figure, [f"{RESOURCES[resource]} at {percent(shares[resource])}", source], status)


def _speed(estimate: dict | None) -> Tile:
    if not estimate:
        return Tile("speed", "Not estimated", [], "open")
    notes = [f"estimated at {estimate['clock_mhz']:g} MHz", f"{_interval(estimate)}, set by {estimate['bottleneck']}"]
    return Tile("speed", rate(estimate["frames_per_second"]), notes, unit="frames/s")


def _interval(estimate: dict) -> str:
    return f"initiation interval {estimate['interval_cycles']:,} cycles per frame"


def _accuracy(evaluation: dict | None) -> Tile:
    if not evaluation:
        return Tile("verification accuracy", "Not evaluated", [], "open")
    notes = [_confidence(evaluation), f"{evaluation['pairs']:,} pairs of faces"]
    return Tile("verification accuracy", f"{100 * evaluation['accuracy']:.2f}", notes, unit="%")


def _confidence(evaluation: dict) -> str:
    low, high = evaluation["accuracy_interval"]
    return f"95{NBSP}% interval {100 * low:.2f} – {percent(high, 2)}"


def _size(footprint: dict | None) -> Tile:
    if not footprint:
        return Tile("size", "Not counted", [], "open")
    notes = ["of the float32 network", f"{bits(footprint['total_bits'])} of parameters"]
    return Tile("size", f"{100 * footprint['share']:.1f}", notes, unit="%")


# --- What was built, and how ------------------------------------------------------------------------------------------


def _built(result: dict) -> Section | None:
    design, comparison = result.get("design") or {}, result.get("comparison") or {}
    cosine = comparison.get("cosine_to_float")
    facts = Facts([
        ("network", _network(design)),
        ("weights", _widths(result.get("footprint") or {})),
        ("checkpoint", design.get("checkpoint")),
        ("design file", design.get("config")),
        ("device", " · ".join(design[key] for key in ("board", "part") if design.get(key))),
        ("clock", f"{design['clock_period_ns']:g} ns" if design.get("clock_period_ns") else None),
        ("backend", design.get("backend")),
        ("dataflow", design.get("dataflow")),
        ("C-simulation", _csim(result.get("csim") or {})),
        ("first difference", comparison.get("first_difference")),
        ("faces compared", ", ".join(comparison.get("faces") or [])),
        ("cosine to the float embedding", None if cosine is None else f"{cosine:.4f}"),
    ])  # fmt: skip
    return Section("What was built", [facts], "built") if facts.pairs else None


def _network(design: dict) -> str:
    size = design.get("input_size")
    parts = [
        f"{size} × {size} pixels to {design.get('embedding_size')} values" if size else "",
        f"{design['layers']} layers" if design.get("layers") else "",
        f"{_short(design['multiplications'])} multiplications" if design.get("multiplications") else "",
    ]
    return ", ".join(part for part in parts if part)


def _short(number: float) -> str:
    for size, word in ((1e6, "million"), (1e3, "thousand")):
        if number >= size:
            return f"{number / size:,.3g} {word}"
    return f"{number:,}"


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
        return f"all {total:,} of {counted(ranked[0][0], 'bit')}"
    mean = sum(width * count for width, count in ranked) / total
    shares = ", ".join(f"{percent(count / total)} have{NBSP}{width}" for width, count in ranked)
    return f"{mean:.2f} bits on average: {shares}"


def _csim(csim: dict) -> str:
    texts = {"convert_seconds": "converted in {:.1f}~s", "compile_seconds": "compiled in {:.1f}~s"}
    texts["images_per_second"] = "{:.1f}~faces/s"
    if csim.get("compile_seconds", SHORTEST_COMPILATION) < SHORTEST_COMPILATION:
        texts["compile_seconds"] = "compiled before"
    return ", ".join(text.format(csim[key]) for key, text in texts.items() if key in csim).replace("~", NBSP)


def _again(design: dict) -> Section | None:
    blocks: list[Block] = []
    if design.get("command"):
        blocks.append(Code(design["command"]))
    if design.get("config_text"):
        blocks.append(Code(design["config_text"], words(design.get("config", "config")), detail=True))
    return Section("Make it again", blocks, "again") if blocks else None


# --- Resources and cycles ---------------------------------------------------------------------------------------------


def _estimated(result: dict) -> list[Section]:
    if not (estimate := result.get("estimate")):
        return []
    return [resources_section(estimate), _pipeline(estimate), _layers(estimate, result.get("footprint"))]


def resources_section(estimate: dict) -> Section:
    """Every resource that is used, C-synthesis and post-synthesis; of folded designs there is the latter alone."""
    after = estimate.get("post_synthesis") or {}
    stages = [("C-synthesis", estimate["total"], estimate["band"])]
    statement = f"Estimated: what {estimate.get('tool')} will report"
    if after.get("expected") == estimate["total"]:
        stages = []
        statement = (
            "Estimated: what Vivado's synthesis will leave, counted from the structure of the kernels and never "
            "compared with a vendor tool's result for them"
        )
    elif after.get("expected"):
        statement += " (C-synthesis) and what Vivado's synthesis will leave (post-synthesis)"
    if after.get("expected"):
        stages.append(("post-synthesis", after["expected"], after["band"]))
    used = [resource for resource in RESOURCES if any(band[resource][1] for _, _, band in stages)]
    unused = [name for resource, name in RESOURCES.items() if resource not in used]
    uses = [Use(RESOURCES[resource], stage, count[resource], tuple(band[resource]), estimate["available"][resource])
            for resource in used for stage, count, band in stages]  # fmt: skip
    lead = paragraph(
        f"{statement}; with 10–90{NBSP}% bands.",
        *on_page(
            " Whiskers are the bands; colour tells the high end: ", Span(f"below 80{NBSP}%", "good"), ", ",
            Span(f"below 100{NBSP}%", "fair"), ", ", Span("more than there is", "bad"), ".",
        ),
        f" Not used: {', '.join(unused)}." if unused else "",
    )  # fmt: skip
    return Section("Resources", [lead, Utilisation(uses)], "resources")


def pace(estimate: dict) -> str:
    """Frames per second and the initiation interval."""
    speed = f"{rate(estimate['frames_per_second'])} frames/s (estimated) at {estimate['clock_mhz']:g} MHz"
    return f"{speed}: {_interval(estimate)}"


def _pipeline(estimate: dict) -> Section:
    layers, slowest = estimate["layers"], estimate["bottleneck"]
    bars = [Bar(layer["layer"], layer_group(layer["layer"]), ((_family(layer["kind"]), layer["cycles"]),))
            for layer in layers]  # fmt: skip
    busy = sum(bar.height for bar in bars) / len(bars) / max(bar.height for bar in bars)
    families = {_family(layer["kind"]) for layer in layers}
    legend = [Key(role, name) for role, (name, _) in FAMILIES.items() if role in families]
    latency = estimate["latency_cycles"]
    lead = paragraph(
        f"{pace(estimate)}, set by ", Span(slowest, "fair", bold=True),
        f"; latency {latency:,} cycles ({latency / estimate['clock_mhz'] / 1000:.3g} ms). All stages work at once, "
        f"each on its part of the stream; on average a stage is busy {percent(busy, 0)} of the time.",
    )  # fmt: skip
    picture = Picture(
        StackedBars(bars, "cycles per frame", lambda cycles: f"{cycles:,.0f} cycles", slowest),
        f"Cycles per frame of {len(bars)} stages, {slowest} the slowest.",
        caption="Stages in the order of the data; numbers below are the network's bottleneck blocks.",
    )
    return Section("Pipeline", [lead, Legend([*legend, Key("warn", "slowest stage")]), picture], "pipeline")


def _family(kind: str) -> str:
    return next((role for role, (_, kinds) in FAMILIES.items() if kind in kinds), "s4")


def layer_group(name: str) -> str:
    """Bottleneck block or single layer that a stage belongs to; a block is its number."""
    return name.removeprefix("clone_").split("_")[0].removeprefix("bottleneck")


def _layers(estimate: dict, footprint: dict | None) -> Section:
    widths = {layer["layer"]: layer.get("weight_width") for layer in (footprint or {}).get("layers", [])}
    rows = [
        {
            "weight_width": widths.get(layer["layer"]), "lut_band": (layer.get("band") or {}).get("lut"), **layer,
            "kind": layer["kind"].replace("_", " "),
        }
        for layer in estimate["layers"]
    ]  # fmt: skip
    kinds = {row["kind"] for row in rows}
    table = table_of(
        columns_in_use(LAYER_COLUMNS, rows), rows,
        marked=next((index for index, row in enumerate(rows) if row["layer"] == estimate["bottleneck"]), None),
        meanings={kind: meaning for kind, meaning in STAGE_MEANINGS.items() if kind in kinds},
    )  # fmt: skip
    lead = paragraph("One row per stage, estimated.", *on_page(" A click on a heading sorts."))
    return Section("Layers", [lead, table], "layers")


# --- Bits, faces, FIFOs -----------------------------------------------------------------------------------------------


def _footprint(footprint: dict | None) -> Section | None:
    if not footprint:
        return None
    total = footprint["total_bits"]
    blocks: list[Block] = [
        paragraph(
            f"{bits(total)} of parameters, {percent(footprint['share'], 2)} of the float32 network; the weights alone "
            f"are {percent(footprint['weight_share'], 2)} of float32 weights. Nothing is left out: first and last "
            "layer, exponents and biases included."
        ),
        Legend([Key(role, name, percent(footprint[key] / total), bits(footprint[key]))
                for key, (role, name) in PARTS.items() if footprint.get(key)]),
    ]  # fmt: skip
    if layers := [layer for layer in footprint.get("layers", []) if layer.get("total_bits")]:
        bars = [Bar(layer["layer"], layer_group(layer["layer"]),
                    tuple((role, layer[key]) for key, (role, _) in PARTS.items() if layer.get(key)))
                for layer in layers]  # fmt: skip
        blocks.append(Picture(StackedBars(bars, "bits", bits), "Bits of every layer by kind."))
        blocks.append(_footprint_table(layers))
    return Section("Where the bits go", blocks, "footprint")


def _footprint_table(layers: list[dict]) -> Table:
    parts = columns_in_use({key: Column(f"{name}, bits", USED) for key, (_, name) in PARTS.items()}, layers)
    columns = {
        "layer": Column("layer", TEXT), "weights": Column("weights", USED), "weight_width": Column("width", USED),
        **parts, "total_bits": Column("total, bits"),
    }  # fmt: skip
    return table_of(columns, layers, title="Bits of every layer", detail=True)


def _evaluation(evaluation: dict | None) -> Section | None:
    if not evaluation:
        return None

    def precise(key: str) -> str | None:
        return percent(evaluation[key], 2) if key in evaluation else None

    facts = Facts([
        ("accuracy", f"{precise('accuracy')}, {_confidence(evaluation)}"),
        ("spread over folds", f"± {precise('accuracy_std')}" if "accuracy_std" in evaluation else None),
        ("equal error rate", precise("eer")),
        ("area under ROC", f"{evaluation['auc']:.5f}" if "auc" in evaluation else None),
        *((f"TAR at FAR {100 * float(far):g}{NBSP}%", percent(tar, 2))
          for far, tar in evaluation.get("tar_at_far", {}).items()),
        ("cosine to float", f"{evaluation['cosine_to_float']:.4f}" if "cosine_to_float" in evaluation else None),
        ("engine", ENGINES.get(evaluation.get("engine", ""), evaluation.get("engine"))),
        ("data", f"{evaluation['pairs']:,} pairs of {evaluation.get('images', 0):,} pictures"),
    ])  # fmt: skip
    lead = paragraph(
        "Two pictures count as the same person where the cosine of their embeddings reaches a threshold. TAR, the true "
        "accept rate, is the share of pairs of one person that are accepted; FAR, the false accept rate, that of pairs "
        "of two people."
    )
    pictures = [_curves(evaluation["curves"], evaluation.get("threshold"))] if evaluation.get("curves") else []
    return Section("Faces", [lead, facts, *pictures], "evaluation")


def _curves(curves: Mapping[str, Any], threshold: float | None) -> Pictures:
    different = sum(curves["scores"]["different"])
    return Pictures([
        Picture(Roc(curves["roc"], 1 / max(1, different)), "True accept rate over false accept rate.", "ROC"),
        Picture(
            Scores(curves["scores"], threshold), "Histogram of the cosines of same and different pairs.", "Scores",
            [Key("s1", "same person"), Key("s3", "different people")],
        ),
    ])  # fmt: skip


def fifo_section(fifo: dict, estimate: dict | None) -> Section:
    """How much the FIFOs hold, and what of the estimate is theirs."""
    sentence = f"{counted(fifo['count'], 'FIFO')} between the stages, {bits(fifo['bits'])} in all (depth × width)."
    if estimate:
        counts = {name: estimate["total"][resource] - sum(layer[resource] for layer in estimate["layers"])
                  for resource, name in RESOURCES.items()}  # fmt: skip
        used = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count > 0)
        sentence += f" Their part of the resources: {used} (estimated)." if used else ""
    blocks: list[Block] = [paragraph(sentence)]
    if fifo.get("fifos"):
        rows = [{**row, "bits": row["depth"] * row["width"]} for row in fifo["fifos"]]
        blocks.append(table_of(FIFO_COLUMNS, rows, title="Depth and width of every FIFO", detail=True))
    return Section("FIFOs", blocks, "fifos")
