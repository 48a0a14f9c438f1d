"""What a report says, before it is laid out: result dict -> list of `Section`.

One place decides on headings, sentences, columns and number formats; `markdown` and `terminal` only draw.
Sections of the result may be missing when the flow stopped early; what is missing isn't mentioned, except
that the verdict says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "uram": "URAM"}

LAYER_COLUMNS = {
    "layer": "layer",
    "kind": "kind",
    "reuse_factor": "RF",
    "multipliers": "mult",
    "cycles": "cycles",
    "lut": "LUT",
    "lut_band": "10-90 %",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "BRAM",
    "activation_bits": "act",
    "accumulator_bits": "acc",
}
"""Key of a layer estimate -> column heading; act and acc are widths in bits, the band in thousands. Those of the other
resources are in report.json.
"""

FOOTPRINT_PARTS = {
    "weight_bits": "weights",
    "exponent_bits": "exponents",
    "bias_bits": "biases",
    "slope_bits": "slopes",
    "offset_bits": "offsets",
    "total_bits": "total",
    "float_bits": "float32 network",
}


@dataclass(frozen=True)
class Table:
    """Rows of text; the first `text_columns` columns are left-aligned, the others are numbers."""

    columns: list[str]
    rows: list[list[str]]
    text_columns: int = 1


@dataclass(frozen=True)
class Section:
    """A heading, sentences under it, and perhaps a table."""

    heading: str
    sentences: list[str] = field(default_factory=list)
    table: Table | None = None


def sections(result: dict) -> list[Section]:
    """All sections of a report, the verdict first."""
    parts = [
        _verdict(result.get("comparison")),
        _design(result.get("design")),
        _footprint(result.get("footprint")),
        _csim(result.get("csim")),
        *_estimate(result.get("estimate"), result.get("fifo")),
    ]
    return [part for part in parts if part]


def _verdict(comparison: dict | None) -> Section:
    if comparison is None or not any(tensor["values"] for tensor in comparison["tensors"]):
        return Section("Verdict", ["Not compared: no value of the C-simulation was compared with Python."])
    tensors = comparison["tensors"]
    differing = [tensor for tensor in tensors if tensor["mismatches"]]
    values = sum(tensor["values"] for tensor in tensors)
    extent = f"{values:,} values of {len(tensors)} tensors, {comparison['images']} images"
    if comparison["mismatches"] or differing:
        first = differing[0]["layer"] if differing else "not recorded"
        count = max(comparison["mismatches"], sum(tensor["mismatches"] for tensor in differing))
        sentences = [f"{count:,} mismatches in {extent}; the first differing layer is {first}."]
    else:
        sentences = [f"Bit-exact: the C-simulation equals Python in all {extent}."]
    if comparison.get("first_difference"):
        sentences.append(f"First difference: {_words(comparison['first_difference'])}.")
    if comparison.get("cosine_to_float") is not None:
        sentences.append(f"Cosine to the float embedding: {_words(comparison['cosine_to_float'])}.")
    if comparison.get("faces"):
        sentences.append(f"Faces: {_words(comparison['faces'])}.")
    if not differing:
        return Section("Verdict", sentences)
    rows = [
        [
            tensor["layer"],
            f"{tensor['values']:,}",
            f"{tensor['mismatches']:,}",
            f"{tensor['max_abs_difference']:g}",
        ]
        for tensor in differing
    ]
    return Section("Verdict", sentences, Table(["layer", "values", "mismatches", "largest difference"], rows))


def _design(design: dict | None) -> Section | None:
    if not design:
        return None
    rows = [[key.replace("_", " "), _words(value)] for key, value in design.items()]
    return Section("Design", table=Table(["", ""], rows, text_columns=2))


def _footprint(footprint: dict | None) -> Section | None:
    if not footprint:
        return None
    rows = [
        [name, f"{footprint[key]:,}", f"{footprint[key] / footprint['float_bits']:.2%}"]
        for key, name in FOOTPRINT_PARTS.items()
        if footprint.get(key)
    ]
    sentence = (
        f"Weights take {footprint['weight_share']:.2%} of float32 weights; all parameters, exponents included, "
        f"{footprint['share']:.2%} of the float32 network."
    )
    return Section("Footprint", [sentence], Table(["part", "bits", "share"], rows))


def _csim(csim: dict | None) -> Section | None:
    if not csim:
        return None
    units = {"convert_seconds": "conversion {:.1f} s", "compile_seconds": "compilation {:.1f} s"}
    units["images_per_second"] = "{:.2f} images/s"
    parts = [text.format(csim[key]) for key, text in units.items() if csim.get(key) is not None]
    return Section("C-simulation", [", ".join(parts) + "."])


def estimate_sections(result: dict) -> list[Section]:
    """The sections of a report that say what is estimated."""
    return _estimate(result.get("estimate"), result.get("fifo"))


def _estimate(estimate: dict | None, fifo: dict | None) -> list[Section]:
    totals = []
    if fifo:
        totals = [
            f"{fifo['count']} FIFOs between the layers hold {fifo['bits'] / 1e6:.2f} Mbit (depth x width)."
        ]
    if not estimate:
        return [Section("FIFOs", totals)] if totals else []
    return [
        Section("Resources (estimated)", [_speed(estimate), _bands_note(estimate), *totals], _total_table(estimate)),
        Section(
            "Layers (estimated)",
            ["Cycles are per frame, the band of LUT in thousands, act and acc bits of one value."],
            _layer_table(estimate["layers"]),
        ),
    ]


def _speed(estimate: dict) -> str:
    return (
        f"{estimate['frames_per_second']:,.1f} frames/s (estimated) at {estimate['clock_mhz']:g} MHz; the bottleneck "
        f"is {estimate['bottleneck']}: a frame every {estimate['interval_cycles']:,} cycles, first output after "
        f"{estimate['latency_cycles']:,}."
    )


def _bands_note(estimate: dict) -> str:
    fits = "fits at the high end of the bands" if estimate["fits"] else "does not fit at the high end of the bands"
    if _is_folded(estimate):
        return (
            "What is left after Vivado's synthesis, counted from the structure of the kernels and never compared with "
            f"a vendor tool's result for them; with 10-90 % bands; the design {fits}."
        )
    return (
        f"What {estimate['tool']} will report (C-synthesis) and what Vivado will make of it (post-synthesis), with "
        f"10-90 % bands; the design {fits}."
    )


def _is_folded(estimate: dict) -> bool:
    return "simd" in estimate["layers"][0]


def _total_table(estimate: dict) -> Table:
    """C-synthesis, the FIFOs' part of it, and the share of the device at the band's high end; then post-synthesis.

    Of folded designs there is one count, that after synthesis.
    """
    folded = _is_folded(estimate)
    rows = []
    for kind, name in RESOURCES.items():
        used, available, share = (estimate[key][kind] for key in ("total", "available", "share_high"))
        fifos = used - sum(layer[kind] for layer in estimate["layers"])
        after = estimate["post_synthesis"]
        rows.append(
            [
                name,
                f"{used:,}",
                _range(estimate["band"][kind]),
                f"{fifos:,}",
                f"{available:,}",
                f"{share:.1%}",
                "does not fit" if share > 1 else "",
                *([] if folded else [f"{after['expected'][kind]:,}", _range(after["band"][kind])]),
            ]
        )
    count = "post-synthesis" if folded else "C-synthesis"
    columns = ["resource", count, "10-90 %", "FIFOs", "available", "high share", ""]
    return Table(columns if folded else [*columns, "post-synthesis", "10-90 %"], rows)


def _range(band: list[int] | tuple[int, int]) -> str:
    low, high = band
    return f"{low:,}-{high:,}"


def _layer_table(layers: list[dict]) -> Table:
    rows = [[_layer_cell(layer, key) for key in LAYER_COLUMNS] for layer in layers]
    return Table(list(LAYER_COLUMNS.values()), rows, text_columns=2)


def _layer_cell(layer: dict, key: str) -> str:
    if not key.endswith("_band"):
        return _cell(layer[key])
    low, high = layer["band"][key.removesuffix("_band")]
    return f"{low / 1000:.1f}-{high / 1000:.1f}"


def _cell(value: str | int) -> str:
    """A cell of the layer table; 0 is a dash, so that what a layer does use stands out."""
    return value if isinstance(value, str) else f"{value:,}" if value else "-"


def _words(value: object) -> str:
    """A value of the result as a reader expects it: dicts and lists without their brackets."""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_words(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
