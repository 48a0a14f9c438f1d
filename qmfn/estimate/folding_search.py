"""The folding search: (SIMD, PE), multipliers and memories of all layers, for a frame rate or for a device to fill.

Takes the unfolded layers of a network (`qmfn.hls.folded.from_checkpoint.folded_layers`) and a device; gives a
`FoundFoldings`, which writes itself as the `hls` group of a design file.

Every frame rate is a bound on cycles. For a bound each layer has options: a pair (SIMD, PE) that is fast enough, with
multipliers and memories that no other choice for that pair beats in every resource. An integer programme
(`scipy.optimize.milp`, HiGHS) takes one option per layer such that the largest share of any resource is as small as
can be, at the high ends of `qmfn.estimate.folded`'s bands. The width of a stream depends on two layers: for every edge
of the network there is a variable per pair of lane counts, tied to the options that have them. The pipeline is then
built, its FIFOs are sized by simulation, and it is estimated as a whole; where that is more than the budget, what the
programme did not see is reserved and it is solved again.

The most frames per second within a budget: bisection over the bounds, on the programme's linear relaxation, whose
optimum is close because only a few layers are split; then the programme itself from there on; then bisection again
between the last bound that failed and the design that fits.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil, lcm

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from qmfn.config import DesignConfig
from qmfn.config.schema import HlsLayerConfig
from qmfn.dataflow.build import FoldedLayer, Folding, Input, build_pipeline, pe_choices, simd_choices
from qmfn.dataflow.stages import Memory, Multiplier, Pipeline, Stage
from qmfn.errors import UserError
from qmfn.estimate.devices import Device, find_device
from qmfn.estimate.folded import (
    BUDGET,
    NOTHING,
    FifoEstimate,
    FoldedEstimate,
    Range,
    StageEstimate,
    assumed_depths,
    beats_range,
    burst_share,
    estimate_pipeline,
    fifo_range,
    keeps_up,
    lag_in_pixels,
    shallow_depth,
    stage_range,
)
from qmfn.estimate.resources import RESOURCE_KINDS
from qmfn.hls.folded.from_checkpoint import design_input, folded_layers
from qmfn.hls.types import layer_types
from qmfn.model.checkpoint import Checkpoint

NAMES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "uram": "URAM"}

SPARE = 2
"""A layer may have up to so many times the multipliers that a bound asks of it, if that suits its neighbours."""

GAP = 0.005
"""The integer programme stops so close to the optimum."""

SECONDS = 6
"""Or after so long."""

ATTEMPTS = 4
"""Programmes solved for one target, each with what the ones before did not see reserved."""

THRIFT = 0.01
"""Weight of the mean share of all resources beside the largest: what the largest does not need is not spent."""


FRONTIER_POINTS = 6
"""Designs on a device's line of the Pareto picture, each half as fast as the one before."""


@dataclass(frozen=True)
class FoundFoldings:
    """What the search found.

    Attributes:
        foldings: by layer name; adds have none.
        depths: of the FIFOs, sized by simulation, or assumed where the design is over the budget anyway.
        budget: the share of every resource that was allowed.
    """

    foldings: dict[str, Folding]
    pipeline: Pipeline
    depths: Mapping[str, int]
    estimate: FoldedEstimate
    budget: float

    @property
    def limits(self) -> str:
        """Which layer sets the frame rate, which resource is used most, and by what."""
        found = self.estimate
        kind = found.limiting_resource
        most = _largest_user(found, kind)
        return (
            f"{found.limiting_stage} is the slowest stage; {NAMES[kind]} is the fullest resource, "
            f"{found.utilisation[kind]:.1%} of {found.device.board} at the high end of the band, most of it in {most}"
        )

    def as_dict(self) -> dict:
        """Ready for JSON."""
        foldings = {name: dataclasses.asdict(folding) for name, folding in self.foldings.items()}
        return {"foldings": foldings, "limits": self.limits, "budget": self.budget, "depths": dict(self.depths)} | {
            "estimate": self.estimate.as_dict()
        }

    def as_yaml(self, backend: str, part: str, clock_period_ns: float) -> str:
        """The `hls` group of a design file, one line per layer that a person can edit."""
        found, common = self.estimate, _most_common(self.foldings)
        stages = {stage.name: stage for stage in self.pipeline.stages}
        lines = [
            "hls:",
            f"  # Written by scripts/fold.py: {found.frames_per_second:,.0f} frames/s, {found.interval:,} cycles each;",
            f"  # {_shares(found)} at the high end (estimated).",
            "  dataflow: folded",
            f"  backend: {backend}",
            f"  part: {part}  # {found.device.board}",
            f"  clock_period_ns: {clock_period_ns:g}",
            "  layers:",
            f'    "*": {_yaml_group(common)}  # where a layer says nothing else',
            *(_yaml_line(name, folding, common, stages[name]) for name, folding in self.foldings.items()),
        ]
        return "\n".join(lines) + "\n"


def _shares(found: FoldedEstimate) -> str:
    return ", ".join(f"{share:.0%} {NAMES[kind]}" for kind, share in found.utilisation.items() if share)


def _most_common(foldings: Mapping[str, Folding]) -> dict[str, str]:
    """The settings that most layers have; they stand once, before the layers."""
    shared = ("multiplier", "weights_memory")
    return {key: Counter(getattr(folding, key) for folding in foldings.values()).most_common(1)[0][0] for key in shared}


def _yaml_line(name: str, folding: Folding, common: Mapping[str, str], stage: Stage) -> str:
    settings: dict[str, int | str] = {"simd": folding.simd, "pe": folding.pe}
    settings |= {key: getattr(folding, key) for key, value in common.items() if getattr(folding, key) != value}
    if folding.line_memory != "auto":
        settings["line_memory"] = folding.line_memory
    return f"    {name}: {_yaml_group(settings)}  # RF {stage.reuse_factor}, {stage.iterations:,} cycles"


def _yaml_group(settings: Mapping[str, object]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in settings.items())}}}"


def _largest_user(found: FoldedEstimate, kind: str) -> str:
    """The layer that uses most of a resource, its window and streams to the next layer included."""
    used: Counter[str] = Counter()
    rows: list[StageEstimate | FifoEstimate] = [*found.stages, *found.fifos]
    for row in rows:
        used[row.layer] += getattr(row.used.high, kind)
    return used.most_common(1)[0][0]


def search_foldings(
    source: Input,
    layers: Sequence[FoldedLayer],
    device: Device,
    clock_period_ns: float,
    target_fps: float | None = None,
    budget: float = BUDGET,
) -> FoundFoldings:
    """The foldings with which a network runs on a device.

    Args:
        target_fps: frames per second to reach with as little of the device as can be; None: as many as fit.
        budget: share of every resource that may be used, 0 to 1, at the high ends of the bands.

    Raises:
        UserError: the target can't be met, or nothing fits; says which resource or layer is in the way.
    """
    search = _Search(source, layers, device, clock_period_ns, budget)
    if target_fps is not None:
        return search.for_target(target_fps)
    return search.fastest()


def settled(config: DesignConfig, checkpoint: Checkpoint) -> DesignConfig:
    """A design whose foldings are all explicit: itself, or for `reuse_factor: auto` with what the search finds.

    Raises:
        UserError: the target can't be met, or nothing fits.
    """
    hls = config.hls
    if hls.reuse_factor != "auto":
        return config
    layers = folded_layers(checkpoint, layer_types(checkpoint, {}))
    try:
        found = search_foldings(
            design_input(checkpoint), layers, find_device(hls.part), hls.clock_period_ns, hls.target_fps, hls.budget
        )
    except UserError as error:
        raise UserError(f"{config.file}: hls.reuse_factor = auto: {error}") from None
    chosen = {name: HlsLayerConfig(**dataclasses.asdict(folding)) for name, folding in found.foldings.items()}
    return config.with_hls(reuse_factor=1, target_fps=None, layers=chosen)


def frontier(
    source: Input,
    layers: Sequence[FoldedLayer],
    device: Device,
    clock_period_ns: float,
    budget: float = BUDGET,
) -> list[FoldedEstimate]:
    """Designs from the fastest within a budget down, with as little of the device as their frame rate needs.

    FIFO depths are assumed, not simulated. Empty where nothing fits.
    """
    return _Search(source, layers, device, clock_period_ns, budget).frontier()


@dataclass(frozen=True)
class _Option:
    """One way to fold a layer; `share` of the device by resource, high ends, with what moves along with its lanes."""

    folding: Folding
    lanes_in: int
    lanes_out: int
    share: np.ndarray


@dataclass(frozen=True)
class _Edge:
    """A tensor that one layer hands to another.

    Attributes:
        producer: index of the layer whose PE are the lanes; None: the design's input.
        reader: index of the layer; at an add, of the one whose PE the add has (`joins` is True).
        lag: pixels that a shortcut has to keep.
    """

    producer: int | None
    reader: int
    joins: bool
    pixels: int
    channels: int
    bits: int
    lag: int


class _Search:
    def __init__(
        self, source: Input, layers: Sequence[FoldedLayer], device: Device, clock_period_ns: float, budget: float
    ):
        self.source, self.layers, self.device = source, layers, device
        self.clock_period_ns, self.budget = clock_period_ns, budget
        self.convolutions = [layer for layer in layers if layer.stage.kind != "add"]
        self.index = {layer.name: number for number, layer in enumerate(self.convolutions)}
        self.by_name = {layer.name: layer for layer in layers}
        self._known: dict[tuple, tuple[int, int, int, Range]] = {}

    def for_target(self, target_fps: float) -> FoundFoldings:
        bound = int(1e9 / self.clock_period_ns / target_fps)
        self._check_speed(bound, target_fps)
        found = self._tried(bound, np.zeros(len(RESOURCE_KINDS)))
        if self._fits(found):
            return found
        raise UserError(f"{target_fps:g} frames/s on {self.device.part} ({self.device.board}): {self._missed(found)}")

    def fastest(self) -> FoundFoldings:
        reserve, left, failed = np.zeros(len(RESOURCE_KINDS)), self.bounds, 0
        while left:
            left = left[self._first_within(left, reserve) :]
            found, unseen = self._found(left[0], reserve)
            if self._fits(found):
                return self._faster(found, unseen, failed)
            failed = left[0]
            if np.all(unseen <= reserve):
                left = left[1:]
            reserve = np.maximum(reserve, unseen)
        raise UserError(f"no folding fits {self.device.part} ({self.device.board}): {self._missed(found)}")

    def _faster(self, found: FoundFoldings, unseen: np.ndarray, failed: int) -> FoundFoldings:
        """The best between a bound that failed and a design that fits: what the programme can't see of designs so near
        is known better now.
        """
        between = [bound for bound in self.bounds if failed < bound < found.estimate.interval]
        while between:
            middle = len(between) // 2
            solution = self._solved(between[middle], unseen, relaxed=True)
            better = self._tried(between[middle], unseen) if solution and solution[0] <= self.budget else None
            if better and self._fits(better):
                found, between = better, between[:middle]
            else:
                between = between[middle + 1 :]
        return found

    def _tried(self, bound: int, reserve: np.ndarray) -> FoundFoldings:
        """The design for a bound; where it does not fit, again with what the programme did not see reserved."""
        for _ in range(ATTEMPTS):
            found, unseen = self._found(bound, reserve)
            if self._fits(found) or np.all(unseen <= reserve):
                break
            reserve = np.maximum(reserve, unseen)
        return found

    def _fits(self, found: FoundFoldings) -> bool:
        return _worst(found.estimate) <= self.budget

    def frontier(self) -> list[FoldedEstimate]:
        first = self._first_within(self.bounds, np.zeros(len(RESOURCE_KINDS)))
        slower = np.array(self.bounds[first:])
        wanted = slower[0] * 2.0 ** np.arange(FRONTIER_POINTS)
        estimates = []
        for bound in np.unique(slower[np.searchsorted(slower, wanted[wanted <= slower[-1]])]):
            solution = self._solved(int(bound), np.zeros(len(RESOURCE_KINDS)), relaxed=False)
            if solution is not None:
                pipeline = build_pipeline(self.source, self.layers, solution[2])
                estimates.append(estimate_pipeline(pipeline, None, self.device, self.clock_period_ns))
        return [estimate for estimate in estimates if _worst(estimate) <= self.budget]

    def _first_within(self, bounds: Sequence[int], reserve: np.ndarray) -> int:
        """Index of the first bound whose relaxed programme is within the budget; of the last if none is."""
        low, high = 0, len(bounds) - 1
        while low < high:
            middle = (low + high) // 2
            solution = self._solved(bounds[middle], reserve, relaxed=True)
            if solution is not None and solution[0] <= self.budget:
                high = middle
            else:
                low = middle + 1
        return high

    def _missed(self, found: FoundFoldings) -> str:
        kind = found.estimate.limiting_resource
        return (
            f"needs {found.estimate.utilisation[kind]:.1%} of its {NAMES[kind]} at the high end of the estimate, "
            f"{self.budget:.1%} are allowed; most of it in {_largest_user(found.estimate, kind)}"
        )

    def _check_speed(self, bound: int, target_fps: float) -> None:
        for layer in self.convolutions:
            least = min(self._cycles(layer, simd, pe) for simd, pe in _pairs(layer.stage))
            if least > bound:
                raise UserError(
                    f"{target_fps:g} frames/s at {1000 / self.clock_period_ns:g} MHz: leaves {bound:,} cycles per "
                    f"frame; {layer.name} needs {least:,} however it is folded"
                )

    @cached_property
    def bounds(self) -> list[int]:
        """Every number of cycles that may limit the design, from what all layers can reach on."""
        cycles = [{self._cycles(layer, simd, pe) for simd, pe in _pairs(layer.stage)} for layer in self.convolutions]
        least = max(min(of_layer) for of_layer in cycles)
        return sorted(number for number in set().union(*cycles) if number >= least)

    def _found(self, bound: int, reserve: np.ndarray) -> tuple[FoundFoldings, np.ndarray]:
        """The design for a bound, and the shares of it that the programme did not see."""
        solution = self._solved(bound, reserve, relaxed=False)
        if solution is None:
            raise UserError(f"{bound:,} cycles per frame: the search found no foldings within {SECONDS} s")
        _, seen, foldings = solution
        found = self._built(foldings)
        return found, np.array([found.estimate.utilisation[kind] for kind in RESOURCE_KINDS]) - seen

    def _built(self, foldings: dict[str, Folding]) -> FoundFoldings:
        """The design as it will be; FIFOs are simulated, which takes seconds, only if it may be within the budget."""
        from qmfn.dataflow.fifos import size_fifos  # compiles its loop on import

        pipeline = build_pipeline(self.source, self.layers, foldings)
        depths: Mapping[str, int] = assumed_depths(pipeline)
        estimate = estimate_pipeline(pipeline, depths, self.device, self.clock_period_ns)
        if _worst(estimate) <= self.budget:
            depths = size_fifos(pipeline).depths
            estimate = estimate_pipeline(pipeline, depths, self.device, self.clock_period_ns)
        return FoundFoldings(foldings, pipeline, depths, estimate, self.budget)

    # --- Options of a layer -------------------------------------------------------------------------------------------

    def _cycles(self, layer: FoldedLayer, simd: int, pe: int) -> int:
        return self._facts(layer, Folding(simd, pe))[2]

    def _facts(self, layer: FoldedLayer, folding: Folding) -> tuple[int, int, int, Range]:
        """(lanes in, lanes out, cycles, resources) of a layer's own stages; their streams are the edges'."""
        anonymous = dataclasses.replace(layer.stage, name="layer", layer="layer")
        key = (anonymous, folding)
        if key not in self._known:
            self._known[key] = _own_stages(anonymous, folding)
        return self._known[key]

    def options(self, number: int, bound: int) -> list[_Option]:
        """What a layer may be at a bound: per (SIMD, PE) only what nothing else for that pair beats."""
        layer = self.convolutions[number]
        fast = [pair for pair in _pairs(layer.stage) if self._cycles(layer, *pair) <= bound]
        most = SPARE * min((simd * pe for simd, pe in fast), default=0)
        options = []
        for simd, pe in fast:
            if simd * pe <= most:
                bursts = self._bursts(number, simd, pe, bound)
                choices = self._choices(layer.stage, simd, pe)
                options += _best([self._option(number, folding, bursts) for folding in choices])
        return options

    def _choices(self, stage: Stage, simd: int, pe: int) -> Iterator[Folding]:
        windowed = stage.kind != "global_depthwise" and stage.kernel > 1
        lines: list[Memory] = ["bram", "lutram"] if windowed else ["auto"]
        if windowed and self.device.uram:
            lines.append("uram")
        multipliers: tuple[Multiplier, ...] = ("fabric", "dsp")
        weights_in: tuple[Memory, ...] = ("bram", "lutram")
        for multiplier, weights, line in product(multipliers, weights_in, lines):
            yield Folding(simd, pe, weights, line, multiplier)

    def _option(self, number: int, folding: Folding, bursts: np.ndarray) -> _Option:
        layer = self.convolutions[number]
        lanes_in, lanes_out, _, used = self._facts(layer, folding)
        share = self._share(used) + self._moves_along(number, lanes_out) + bursts
        return _Option(folding, lanes_in, lanes_out, share)

    def _bursts(self, number: int, simd: int, pe: int, bound: int) -> np.ndarray:
        """What FIFOs towards depthwise layers need beyond the edges' shallow ones, where a layer can't catch up."""
        layer = self.convolutions[number]
        total = np.zeros(len(RESOURCE_KINDS))
        if layer.stage.kind != "matvec":
            return total
        stage, cycles = layer.stage, self._cycles(layer, simd, pe)
        inputs = stage.pixels * stage.terms // simd, simd * stage.input_bits, self.by_name.get(layer.sources[0])
        outputs = stage.out_pixels * stage.out_channels // pe, pe * stage.output_bits, self._readers.get(layer.name)
        for beats, width, other in (inputs, outputs):
            if other and other.stage.kind == "depthwise" and not keeps_up(cycles, other.stage, bound):
                shallow = shallow_depth(width)
                deep = max(shallow, ceil(beats * burst_share(other.stage)))
                total += self._share(fifo_range(deep, width)) - self._share(fifo_range(shallow, width))
        return total

    @cached_property
    def _readers(self) -> dict[str, FoldedLayer]:
        """Per tensor the last layer that reads it: the only one where no shortcut begins."""
        return {layer.sources[0]: layer for layer in self.layers}

    def _share(self, used: Range) -> np.ndarray:
        return np.array([getattr(used.high, kind) / max(getattr(self.device, kind), 1) for kind in RESOURCE_KINDS])

    def _moves_along(self, number: int, lanes: int) -> np.ndarray:
        """Adds that have a layer's lanes, with the streams into them that no edge accounts for."""
        total = np.zeros(len(RESOURCE_KINDS))
        for stage in self._adds[number]:
            width = lanes * stage.input_bits
            total += self._share(stage_range(dataclasses.replace(stage, pe=lanes)))
            total += self._share(fifo_range(shallow_depth(width), width))
        return total

    @cached_property
    def _adds(self) -> list[list[Stage]]:
        """Per layer the adds behind it."""
        adds: list[list[Stage]] = [[] for _ in self.convolutions]
        for layer in self.layers:
            if layer.stage.kind == "add":
                adds[self._owner(layer.name)].append(layer.stage)
        return adds

    def _owner(self, tensor: str) -> int:
        """The layer whose PE are a tensor's lanes: an add has those of its first source."""
        layer = self.by_name[tensor]
        return self._owner(layer.sources[0]) if layer.stage.kind == "add" else self.index[tensor]

    # --- Edges --------------------------------------------------------------------------------------------------------

    @cached_property
    def edges(self) -> list[_Edge]:
        edges = []
        for layer in self.layers:
            stage, joins = layer.stage, layer.stage.kind == "add"
            reader = self._owner(layer.name)
            lag = self._lag(*layer.sources) if joins else 0
            last = layer.sources[-1]
            producer = None if last == self.source.name else self._owner(last)
            edges.append(_Edge(producer, reader, joins, stage.pixels, stage.channels, stage.stream_bits, lag))
        return edges

    def _lag(self, main: str, shortcut: str) -> int:
        """Pixels that the layers beside a shortcut hold."""
        pixels = 0
        while main != shortcut:
            layer = self.by_name[main]
            pixels += lag_in_pixels(layer.stage)
            main = layer.sources[0]
        return pixels

    def _edge_share(self, edge: _Edge, have: int, want: int) -> np.ndarray:
        """Of the FIFO between `have` and `want` lanes, and of its two ends."""
        key = (edge, have, want)
        if key not in self._edge_shares:
            lanes = lcm(have, want)
            used = beats_range(lanes, (have, want), edge.bits)
            if edge.producer is not None:  # the design's input is no FIFO
                depth = ceil(edge.lag * edge.channels / lanes)
                used += fifo_range(max(depth, shallow_depth(lanes * edge.bits)), lanes * edge.bits)
            self._edge_shares[key] = self._share(used)
        return self._edge_shares[key]

    @cached_property
    def _edge_shares(self) -> dict[tuple, np.ndarray]:
        return {}

    # --- The programme ------------------------------------------------------------------------------------------------

    def _solved(
        self, bound: int, reserve: np.ndarray, relaxed: bool
    ) -> tuple[float, np.ndarray, dict[str, Folding]] | None:
        """(largest share, shares without reserve, foldings) for a bound; None where nothing is fast enough."""
        options = [self.options(number, bound) for number in range(len(self.convolutions))]
        if not all(options):
            return None
        programme = _Programme(len(RESOURCE_KINDS))
        columns = [[programme.column(option.share, not relaxed) for option in of_layer] for of_layer in options]
        for of_layer in columns:
            programme.row(dict.fromkeys(of_layer, 1.0), 1.0)
        for edge in self.edges:
            self._add_edge(programme, edge, options, columns)
        solution = programme.solve(reserve)
        if solution is None:
            return None
        values, largest, shares = solution
        foldings = {
            layer.name: of_layer[int(np.argmax(values[numbers]))].folding
            for layer, of_layer, numbers in zip(self.convolutions, options, columns, strict=True)
        }
        return largest, shares, foldings

    def _add_edge(
        self,
        programme: _Programme,
        edge: _Edge,
        options: Sequence[Sequence[_Option]],
        columns: Sequence[Sequence[int]],
    ) -> None:
        """A variable per pair of lanes; those with `have` lanes add up to the producer's options that give them."""
        have = {self.source.channels: None} if edge.producer is None else _by_lanes(
            options[edge.producer], columns[edge.producer], "lanes_out"
        )  # fmt: skip
        want = _by_lanes(options[edge.reader], columns[edge.reader], "lanes_out" if edge.joins else "lanes_in")
        from_rows: dict[int, dict[int, float]] = {lanes: {} for lanes in have}
        to_rows: dict[int, dict[int, float]] = {lanes: {} for lanes in want}
        for there, here in product(have, want):
            column = programme.column(self._edge_share(edge, there, here), integer=False)
            from_rows[there][column] = to_rows[here][column] = 1.0
        for lanes, row in from_rows.items():
            taken = have[lanes]
            programme.row(row | dict.fromkeys(taken or (), -1.0), 0.0 if taken else 1.0)
        for lanes, row in to_rows.items():
            programme.row(row | dict.fromkeys(want[lanes], -1.0), 0.0)


def _worst(estimate: FoldedEstimate) -> float:
    return max(estimate.utilisation.values())


def _pairs(stage: Stage) -> list[tuple[int, int]]:
    return list(product(simd_choices(stage), pe_choices(stage)))


def _own_stages(stage: Stage, folding: Folding) -> tuple[int, int, int, Range]:
    """Facts of one layer alone, from a pipeline of its own."""
    source = Input("input", stage.pixels, stage.channels, stage.stream_bits)
    pipeline = build_pipeline(source, [FoldedLayer(stage, ("input",))], {stage.name: folding})
    stages = [dataclasses.replace(own, read_lanes=(), write_lanes=()) for own in pipeline.stages]
    used = sum((stage_range(own) for own in stages), start=NOTHING)
    if len(stages) == 2:  # the stream from a window to its matrix-vector unit
        width = stages[0].lanes_out * stages[0].output_bits
        used += fifo_range(shallow_depth(width), width)
    return stages[0].lanes_in, stages[-1].lanes_out, max(own.iterations for own in stages), used


def _best(options: Sequence[_Option]) -> list[_Option]:
    """Those that no other one beats in every resource; of equal ones the first."""
    kept: list[_Option] = []
    for option in sorted(options, key=lambda option: option.share.sum()):
        if not any(np.all(other.share <= option.share) for other in kept):
            kept.append(option)
    return kept


def _by_lanes(options: Sequence[_Option], columns: Sequence[int], side: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for option, column in zip(options, columns, strict=True):
        found.setdefault(getattr(option, side), []).append(column)
    return found


class _Programme:
    """min largest share, over columns between 0 and 1 that each take their shares, under equations between columns."""

    def __init__(self, resources: int):
        self._resources = resources
        self._shares: list[np.ndarray] = []
        self._integer: list[bool] = []
        self._rows: list[dict[int, float]] = []
        self._sums: list[float] = []

    def column(self, share: np.ndarray, integer: bool) -> int:
        self._shares.append(share)
        self._integer.append(integer)
        return len(self._shares) - 1

    def row(self, coefficients: Mapping[int, float], total: float) -> None:
        self._rows.append(dict(coefficients))
        self._sums.append(total)

    def solve(self, reserve: np.ndarray) -> tuple[np.ndarray, float, np.ndarray] | None:
        """(columns, largest share with the reserve, shares without it), or None if the equations have no solution."""
        shares = np.array(self._shares).T
        columns = shares.shape[1]
        entries = [(number, column, value) for number, row in enumerate(self._rows) for column, value in row.items()]
        rows, where, values = (np.array(part) for part in zip(*entries, strict=True))
        equations = coo_array((values, (rows, where)), shape=(len(self._rows), columns + 1)).tocsr()
        limits = np.hstack([shares, -np.ones((self._resources, 1))])
        found = milp(
            c=np.append(THRIFT * shares.mean(axis=0), 1.0),
            integrality=np.append(self._integer, False).astype(int),
            bounds=Bounds(np.zeros(columns + 1), np.append(np.ones(columns), np.inf)),
            constraints=[
                LinearConstraint(equations, self._sums, self._sums),
                LinearConstraint(limits, -np.inf, -reserve),
            ],
            options={"mip_rel_gap": GAP, "time_limit": SECONDS},
        )
        if found.x is None:
            return None
        used = shares @ found.x[:columns]
        return found.x[:columns], float((used + reserve).max()), used
