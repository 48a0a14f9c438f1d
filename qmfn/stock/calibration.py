"""Fit the estimates to real reports, and measure them on repositories that the fit has not seen.

Takes the rows of `synthesis/*.csv` of the shared data, gives `coefficients.json` and what the accuracy tables and
plots are made of. Which rows count is decided by `select_layers` and `select_streams` and by nothing else; no row is
left out for fitting badly.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from qmfn.devices.table import Device, find_device
from qmfn.devices.tools import Tool
from qmfn.resources.coefficients import Band, Coefficients, Delays
from qmfn.stock.cycles import hls_latency, product_periods
from qmfn.stock.design import LayerDesign
from qmfn.stock.resources import (
    TERMS,
    Terms,
    constant_width,
    group_of,
    known_part,
    layer_resources,
    unrolled_products_dsp,
)
from qmfn.stock.total import bounds

QUANTITIES = ("lut", "ff", "dsp", "bram_18k", "latency")
COLUMNS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "latency": "lat_max"}
START = Delays({"slow 7 series": 25.0, "fast 7 series": 13.5, "UltraScale": 8.0}, adder=0.15)
"""Delays that the search starts from; a class without a report keeps its own."""

FLOOR = {"lut": 100, "ff": 100, "dsp": 1, "bram_18k": 1, "latency": 1}
"""Errors of smaller counts are not taken relative to the count: 3 FF or 30 make no difference to a design."""

DELAY_STEPS = np.linspace(0.6, 1.4, 17)
"""Factors on a starting delay that the search tries."""

Row = dict[str, str]


@dataclass(frozen=True)
class Sample:
    """One layer of one report: what it was synthesised as, and what came out (keys of `COLUMNS`)."""

    repository: str
    layer: LayerDesign
    tool: Tool
    device: Device
    clock_ns: float
    strategy: str
    real: dict[str, int]

    @property
    def group(self) -> str:
        return group_of(self.layer)


def read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def select_layers(rows: Iterable[Row]) -> list[Sample]:
    """Stock Conv2D, Conv1D and Dense layers of `layers.csv`; convolutions with io_parallel are another kernel."""
    kinds = ("conv2d", "conv1d", "dense")
    return [
        layer_sample(row)
        for row in rows
        if row["stock"] == "yes"
        and row["kind"] in kinds
        and (row["kind"] == "dense" or row["io_type"] != "io_parallel")
    ]


def without_lone_rules(sample: Sample) -> Sample:
    """The sample as if its tools were those before or after: no rule that rests on a single repository applies.

    Those are the serial window of hls4ml 0.7 and the fused products of Vitis HLS 2024.2.
    """
    tool = sample.tool
    if tool.shifts_window_serially:
        tool = replace(tool, hls4ml="0.8.0")
    if tool.fuses_narrow_products:
        tool = replace(tool, version="2024.1")
    return replace(sample, tool=tool)


def is_accepted(sample: Sample) -> bool:
    """Whether a row counts for the accuracy that is asked for: the Resource strategy, whatever the reuse factor."""
    return sample.strategy == "resource"


def select_streams(rows: Iterable[Row]) -> list[Sample]:
    """Stock io_stream ReLUs and zero paddings of `other_layers.csv`: what add, clone and PReLU are likened to.

    A ReLU's channels are its values / trips of its loop. A ReLU has neither table nor multiplier: one row that has
    both is another activation under that name.
    """
    chosen = [row for row in rows if row["stock"] == "yes" and row["io_type"] == "io_stream" and row["in_bits"]]
    relus = [row for row in chosen if row["kind"] == "relu" and not _number(row, "n_mem")]
    return [stream_sample(row) for row in relus + [row for row in chosen if row["kind"] == "zeropad2d_cl"]]


def layer_sample(row: Row) -> Sample:
    """A row of `layers.csv`. A dense layer gets its inputs in as many beats as its DataPrepare loop has trips."""
    window, out_channels = _number(row, "n_in"), _number(row, "n_out")
    beats = _number(row, "loop_trip", 1) if "DataPrepare" in row["loop_name"] else 1
    dense = row["kind"] == "dense"
    layer = LayerDesign(
        name=row["config"],
        kind="dense" if dense else "conv",
        in_height=1 if dense else _number(row, "in_h", 1),
        in_width=beats if dense else _number(row, "in_w"),
        in_channels=window // beats if dense else _number(row, "in_c"),
        out_height=1 if dense else _number(row, "out_h", 1),
        out_width=1 if dense else _number(row, "out_w"),
        out_channels=out_channels,
        kernel=1 if dense else _number(row, "k_w"),
        kernel_rows=1 if row["kind"] == "conv1d" else None,
        stride=_number(row, "stride_w", 1),
        reuse_factor=_number(row, "reuse_factor"),
        strategy=row["strategy"],
        input_bits=_number(row, "in_bits"),
        weight_bits=_number(row, "w_bits"),
        accumulator_bits=_number(row, "accum_bits"),
        result_bits=_number(row, "out_bits"),
        zero_weights=_number(row, "n_zeros"),
        io_type=row["io_type"] or "io_stream",
    )
    if layer.kind == "conv" and row["kind"] == "conv1d":
        layer = replace(layer, kernel=window // layer.in_channels)
    return _sample(row, layer)


def stream_sample(row: Row) -> Sample:
    """A row of `other_layers.csv`; a ReLU's pixels are the trips of its loop."""
    padding = row["kind"] == "zeropad2d_cl"
    pixels = _number(row, "loop_trip", 1)
    channels = _number(row, "in_c") if padding else _number(row, "n_in") // pixels
    layer = LayerDesign(
        name=row["layer_name"],
        kind="zero_padding" if padding else "activation",
        in_height=_number(row, "in_h") if padding else 1,
        in_width=_number(row, "in_w") if padding else pixels,
        in_channels=channels,
        out_height=_number(row, "out_h") if padding else 1,
        out_width=_number(row, "out_w") if padding else pixels,
        out_channels=channels,
        input_bits=_number(row, "in_bits"),
        result_bits=_number(row, "out_bits"),
        requantises="RND" in row["result_prec"] or "SAT" in row["result_prec"],
    )
    return _sample(row, layer)


def _sample(row: Row, layer: LayerDesign) -> Sample:
    return Sample(
        repository=row["repo"],
        layer=layer,
        tool=Tool(row["tool"].removesuffix(" HLS"), row["tool_version"], row["hls4ml_tag"].split()[0].lstrip("v")),
        device=find_device(row["part"]),
        clock_ns=float(row["clock_ns"]),
        strategy=row["strategy"],
        real={quantity: _number(row, column) for quantity, column in COLUMNS.items()},
    )


def _number(row: Row, column: str, default: int = 0) -> int:
    return int(float(row[column])) if row[column] else default


def fit(samples: Sequence[Sample]) -> Coefficients:
    """Delays from latencies, then the terms of LUT and FF of each group. Bands are left empty."""
    delays = fit_delays([sample for sample in samples if is_accepted(sample)])
    terms = {}
    for group, (lut_terms, ff_terms) in TERMS.items():
        chosen = [sample for sample in samples if sample.group == group]
        if chosen:
            terms[group] = {
                "lut": _fit_terms(chosen, lut_terms, "lut", delays),
                "ff": _fit_terms(chosen, ff_terms, "ff", delays),
            }
    if "unrolled" in terms:
        terms["unrolled"]["dsp"] = _dsp_shares([sample for sample in samples if sample.group == "unrolled"])
    return Coefficients(terms, delays, {}, {})


def _fit_terms(
    samples: Sequence[Sample], terms: Callable[[LayerDesign, Tool, float], Terms], kind: str, delays: Delays
) -> dict[str, float]:
    """Non-negative least squares of the relative error; a repository weighs the square root of its rows.

    Rows of one repository resemble each other, so that many of them say less than as many from several.
    """
    values = [terms(s.layer, s.tool, product_periods(s.tool, s.device, s.clock_ns, delays)) for s in samples]
    names = list(values[0])
    known = np.array([_known(sample, kind) for sample in samples])
    real = np.array([sample.real[kind] for sample in samples], float)
    scale = repository_weights(samples) ** 0.5 / np.maximum(real, FLOOR[kind])
    matrix = np.array([[value[name] for name in names] for value in values], float) * scale[:, None]
    size = np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)  # columns of unit length: NNLS is sensitive to scale
    solution, _ = nnls(matrix / size, (real - known) * scale)
    return dict(zip(names, (solution / size).tolist(), strict=True))


def _dsp_shares(samples: Sequence[Sample]) -> dict[str, float]:
    """Median share of products with constants that take DSPs, by width of the constant; 1 where no report says."""
    shares = {}
    for width in ("narrow", "wide"):
        chosen = [s for s in samples if unrolled_products_dsp(s.layer) and constant_width(s.layer) == width]
        ratios = np.array([s.real["dsp"] / unrolled_products_dsp(s.layer) for s in chosen])
        shares[width] = weighted_quantiles(ratios, repository_weights(chosen), (0.5,))[0] if chosen else 1.0
    return shares


def _known(sample: Sample, kind: str) -> float:
    return dict(zip(("lut", "ff"), known_part(sample.layer, sample.tool, sample.device), strict=True)).get(kind, 0.0)


def repository_weights(samples: Sequence[Sample]) -> np.ndarray:
    """1 / sqrt(rows of the same repository) for each sample."""
    names = [sample.repository for sample in samples]
    return np.array([names.count(name) ** -0.5 for name in names])


def fit_delays(samples: Sequence[Sample]) -> Delays:
    """The delays whose latencies are nearest to the reports', one after the other until none changes.

    Latencies are whole cycles, so a range of delays does equally well; its middle is taken.
    """
    delays = START
    for _ in range(3):
        before = delays
        for name in (*START.product, "adder"):
            delays = _best_delay(samples, delays, name)
        if delays == before:
            break
    return delays


def _best_delay(samples: Sequence[Sample], delays: Delays, name: str) -> Delays:
    start = START.adder if name == "adder" else START.product[name]
    tried = [_with(delays, name, float(start * step)) for step in DELAY_STEPS]
    errors = np.array([_latency_error(samples, candidate) for candidate in tried])
    best = np.flatnonzero(errors <= errors.min() + 1e-9)
    return tried[best[len(best) // 2]] if len(best) < len(tried) else delays


def _with(delays: Delays, name: str, value: float) -> Delays:
    if name == "adder":
        return replace(delays, adder=round(value, 4))
    return replace(delays, product={**delays.product, name: round(value, 3)})


def _latency_error(samples: Sequence[Sample], delays: Delays) -> float:
    """Weighted mean of the relative error, no row worse than 20 %: what no delay can explain must not pull at it."""
    fitted = Coefficients({}, delays, {}, {})
    errors = [
        min(abs(hls_latency(s.layer, s.tool, s.device, s.clock_ns, fitted) / max(s.real["latency"], 1) - 1), 0.2)
        for s in samples
    ]
    return float(np.average(errors, weights=repository_weights(samples)))


def predict(sample: Sample, fitted: Coefficients) -> dict[str, int]:
    """The estimate of every quantity of one sample."""
    used = layer_resources(sample.layer, sample.tool, sample.device, sample.clock_ns, fitted)
    latency = hls_latency(sample.layer, sample.tool, sample.device, sample.clock_ns, fitted)
    return {"lut": used.lut, "ff": used.ff, "dsp": used.dsp, "bram_18k": used.bram_18k, "latency": latency}


@dataclass(frozen=True)
class HeldOut:
    """A sample, its estimate by a fit without its repository, and the bands of that fit (from its other
    repositories, each held out in turn).
    """

    sample: Sample
    estimate: dict[str, int]
    bands: dict[str, Band]

    def holds(self, quantity: str) -> bool:
        """Whether the real value lies in the stated band."""
        low, high = bounds(self.estimate[quantity], self.bands[quantity])
        return low <= self.sample.real[quantity] <= high


def leave_repositories_out(samples: Sequence[Sample]) -> list[tuple[Sample, dict[str, int]]]:
    """Every sample with its estimate by a fit to the other repositories."""
    found = []
    for repository in sorted({sample.repository for sample in samples}):
        fitted = fit([sample for sample in samples if sample.repository != repository])
        found += [(s, predict(s, fitted)) for s in samples if s.repository == repository and s.group in fitted.terms]
    return found


def cross_validate(samples: Sequence[Sample]) -> list[HeldOut]:
    """Nested: the bands that a held-out row is judged by come from the other repositories alone."""
    found = []
    for repository in sorted({sample.repository for sample in samples}):
        others = [sample for sample in samples if sample.repository != repository]
        fitted, bands = fit(others), group_bands(leave_repositories_out(others))
        found += [
            HeldOut(s, predict(s, fitted), bands[s.group])
            for s in samples
            if s.repository == repository and s.group in bands
        ]
    return found


def group_bands(held_out: Sequence[tuple[Sample, dict[str, int]]]) -> dict[str, dict[str, Band]]:
    """group -> quantity -> band from held-out estimates."""
    bands = {}
    for group in sorted({sample.group for sample, _ in held_out}):
        pairs = [(sample, estimate) for sample, estimate in held_out if sample.group == group]
        weights = repository_weights([sample for sample, _ in pairs])
        bands[group] = {
            quantity: _band(
                np.array([s.real[quantity] for s, _ in pairs]), np.array([e[quantity] for _, e in pairs]), weights,
                FLOOR[quantity],
            )
            for quantity in QUANTITIES
        }
    return bands


def _band(real: np.ndarray, estimated: np.ndarray, weights: np.ndarray, offset: float) -> Band:
    low, median, high = weighted_quantiles((real + offset) / (estimated + offset), weights)
    return Band(min(low, 1.0), max(high, 1.0), median, offset)


def weighted_quantiles(
    values: np.ndarray, weights: np.ndarray, shares: Sequence[float] = (0.1, 0.5, 0.9)
) -> list[float]:
    """The smallest value that `share` of the weight does not exceed, for each share."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return [float(values[order][np.searchsorted(reached, share - 1e-9)]) for share in shares]


def post_synthesis_bands(designs: Iterable[Row]) -> dict[str, Band]:
    """resource -> Vivado synthesis / C-synthesis over whole designs that have both (`designs.csv`, any design)."""
    columns = {
        "lut": ("vsynth_LUT", "LUT", 1), "ff": ("vsynth_FF", "FF", 1), "dsp": ("vsynth_DSP", "DSP", 1),
        "bram_18k": ("vsynth_BRAM36", "BRAM_18K", 2), "uram": ("vsynth_URAM", "URAM", 1),
    }  # fmt: skip
    rows, found = list(designs), {}
    for kind, (after, before, factor) in columns.items():
        both = [row for row in rows if row[after] and row[before] and float(row[before]) > 0]
        if not both:
            found[kind] = Band(1.0, 1.0)
            continue
        ratios = np.array([factor * float(row[after]) / float(row[before]) for row in both])
        names = [row["repo"] for row in both]
        weights = np.array([names.count(name) ** -0.5 for name in names])
        low, median, high = weighted_quantiles(ratios, weights)
        found[kind] = Band(low, high, median)
    return found


def calibrate(samples: Sequence[Sample], designs: Iterable[Row]) -> Coefficients:
    """The coefficients that the project uses: fitted to everything, bands from held-out repositories."""
    fitted = fit(samples)
    return replace(
        fitted,
        bands=group_bands(leave_repositories_out(samples)),
        post_synthesis=post_synthesis_bands(designs),
    )


def as_json(fitted: Coefficients) -> dict:
    """`coefficients.json`, numbers rounded to four digits."""

    def rounded(value):
        if isinstance(value, dict):
            return {key: rounded(entry) for key, entry in value.items()}
        return float(f"{value:.4g}")

    return rounded(asdict(fitted))


@dataclass(frozen=True)
class Accuracy:
    """How good estimates of held-out rows are: shares in 0..1, errors relative."""

    rows: int
    lut_median: float
    ff_median: float
    dsp_right: float
    bram_right: float
    latency_right: float
    bands_hold: dict[str, float]


def accuracy(held_out: Sequence[HeldOut]) -> Accuracy:
    """Right is: DSP within 2 % or 1, BRAM_18K within 10 % or 1, latency within 5 %."""

    def right(quantity: str, share: float, slack: int) -> float:
        pairs = [(h.estimate[quantity], h.sample.real[quantity]) for h in held_out]
        return float(np.mean([abs(found - real) <= max(share * real, slack) for found, real in pairs]))

    def median(quantity: str) -> float:
        return float(np.median([_relative_error(h, quantity) for h in held_out]))

    return Accuracy(
        rows=len(held_out),
        lut_median=median("lut"),
        ff_median=median("ff"),
        dsp_right=right("dsp", 0.02, 1),
        bram_right=right("bram_18k", 0.10, 1),
        latency_right=right("latency", 0.05, 0),
        bands_hold={quantity: float(np.mean([h.holds(quantity) for h in held_out])) for quantity in QUANTITIES},
    )


def _relative_error(held_out: HeldOut, quantity: str) -> float:
    real = held_out.sample.real[quantity]
    return abs(held_out.estimate[quantity] - real) / max(real, 1)
