"""The folding search: (SIMD, PE), multipliers and memories of all layers, for a frame rate or for a device to fill.

Takes a network and a target; gives a `FoundFoldings`, which writes itself as the `hls` group of a design file.

Every frame rate is a bound on cycles. For a bound each layer has options: a pair (SIMD, PE) that is fast enough, with
multipliers and memories that no other choice for that pair beats in every resource. An integer programme
(`scipy.optimize.milp`, HiGHS) takes one option per layer such that the largest share of any resource is as small as
can be, at the high ends of the bands (`qmfn.resources.estimate`). The values per beat of a stream depend on two layers:
for every edge of the network there is a variable per pair of widths, tied to the options that have them. The plan is
then built, its FIFOs are sized by simulation, and it is estimated as a whole; where that is more than the budget, what
the programme did not see is reserved and it is solved again.

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

from qmfn.design import DesignConfig
from qmfn.design.schema import HlsLayerConfig
from qmfn.devices import Target
from qmfn.errors import UserError
from qmfn.kernels import Folding, Kernel
from qmfn.kernels.primitives import Multipliers, Storage
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.from_checkpoint import network_of
from qmfn.network.network import Network
from qmfn.plan.assumed import assumed_depths, keeps_up, shallow_depth
from qmfn.plan.fold import UnfoldedLayer, fold_layers, unfolded
from qmfn.plan.plan import Plan
from qmfn.resources.estimate import (
    BUDGET,
    PlanEstimate,
    beats_range,
    estimate_plan,
    fifo_range,
    priced,
    share,
)
from qmfn.resources.resources import NOTHING, RESOURCES, Range

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
        foldings: by layer name, of the layers that can be folded.
        plan: with FIFO depths that are sized by simulation, or assumed where the design is over the budget anyway.
        budget: the share of every resource that was allowed.
    """

    foldings: dict[str, Folding]
    plan: Plan
    estimate: PlanEstimate
    budget: float

    @property
    def limits(self) -> str:
        """Which layer sets the frame rate, which resource is used most, and by what."""
        found, device = self.estimate, self.estimate.target.device
        resource = found.most_utilised
        return (
            f"{self.plan.slowest.name} is the slowest stage; {NAMES[resource]} is the most utilised resource, "
            f"{found.utilisation[resource]:.1%} of {device.board} at the high end of the band, most of it in "
            f"{_largest_user(found, resource)}"
        )

    def as_dict(self) -> dict:
        """Ready for JSON."""
        foldings = {name: dataclasses.asdict(folding) for name, folding in self.foldings.items()}
        return {"foldings": foldings, "limits": self.limits, "budget": self.budget} | {
            "depths": dict(self.plan.depths), "estimate": self.estimate.as_dict()
        }  # fmt: skip

    def as_yaml(self) -> str:
        """The `hls` group of a design file, one line per layer that a person can edit."""
        found, common = self.estimate, _most_common(self.foldings)
        target = found.target
        lines = [
            "hls:",
            f"  # Written by scripts/fold.py: {found.frames_per_second:,.0f} frames/s, {found.interval:,} cycles each;",
            f"  # {_shares(found)} at the high end (estimated).",
            "  dataflow: folded",
            f"  backend: {target.tool}",
            f"  part: {target.part}  # {target.device.board}",
            f"  clock_period_ns: {target.clock_period_ns:g}",
            "  layers:",
            f'    "*": {_yaml_group(common)}  # where a layer says nothing else',
            *(_yaml_line(name, folding, common, self.plan[name].kernel) for name, folding in self.foldings.items()),
        ]
        return "\n".join(lines) + "\n"


def _shares(found: PlanEstimate) -> str:
    return ", ".join(f"{share:.0%} {NAMES[resource]}" for resource, share in found.utilisation.items() if share)


def _most_common(foldings: Mapping[str, Folding]) -> dict[str, str]:
    """The settings that most layers have; they stand once, before the layers."""
    shared = ("multiplier", "weights_memory")
    return {key: Counter(getattr(folding, key) for folding in foldings.values()).most_common(1)[0][0] for key in shared}


def _yaml_line(name: str, folding: Folding, common: Mapping[str, str], kernel: Kernel) -> str:
    settings: dict[str, int | str] = {"simd": folding.simd, "pe": folding.pe}
    settings |= {key: getattr(folding, key) for key, value in common.items() if getattr(folding, key) != value}
    if folding.line_memory != "auto":
        settings["line_memory"] = folding.line_memory
    return f"    {name}: {_yaml_group(settings)}  # RF {kernel.reuse_factor}, {kernel.iterations:,} cycles"


def _yaml_group(settings: Mapping[str, object]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in settings.items())}}}"


def _largest_user(found: PlanEstimate, resource: str) -> str:
    """The layer that uses most of a resource, its window and streams to the next layer included."""
    used: Counter[str] = Counter()
    for stage in found.stages:
        used[stage.stage.layer] += getattr(stage.used.high, resource)
    for fifo in found.fifos:
        used[fifo.layer] += getattr(fifo.used.high, resource)
    return used.most_common(1)[0][0]


def search_foldings(
    network: Network, target: Target, target_fps: float | None = None, budget: float = BUDGET
) -> FoundFoldings:
    """The foldings with which a network runs on a device.

    Args:
        target_fps: frames per second to reach with as little of the device as can be; None: as many as fit.
        budget: share of every resource that may be used, 0 to 1, at the high ends of the bands.

    Raises:
        UserError: the target can't be met, or nothing fits; says which resource or layer is in the way.
    """
    search = _Search(network, target, budget)
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
    try:
        found = search_foldings(network_of(checkpoint), hls.target, hls.target_fps, hls.budget)
    except UserError as error:
        raise UserError(f"{config.file}: hls.reuse_factor = auto: {error}") from None
    chosen = {name: HlsLayerConfig(**dataclasses.asdict(folding)) for name, folding in found.foldings.items()}
    return config.with_hls(reuse_factor=1, target_fps=None, layers=chosen)


def frontier(network: Network, target: Target, budget: float = BUDGET) -> list[PlanEstimate]:
    """Designs from the fastest within a budget down, with as little of the device as their frame rate needs.

    FIFO depths are assumed, not simulated. Empty where nothing fits.
    """
    return _Search(network, target, budget).frontier()


@dataclass(frozen=True)
class _Option:
    """One way to fold a layer.

    Attributes:
        values_read, values_written: at a time.
        share: of the device by resource, high ends, with what follows its width (`_followers`).
    """

    folding: Folding
    values_read: int
    values_written: int
    share: np.ndarray


@dataclass(frozen=True)
class _Edge:
    """A tensor between two layers.

    Attributes:
        producer: index of the layer whose width it has; None: the design's input.
        reader: index of the layer; of a follower, of the one whose width that has (`joins` is True).
        lookahead: pixels that a shortcut has to keep.
    """

    producer: int | None
    reader: int
    joins: bool
    pixels: int
    channels: int
    bits: int
    lookahead: int


class _Search:
    def __init__(self, network: Network, target: Target, budget: float):
        self.network, self.target, self.budget = network, target, budget
        self.device = target.device
        self.layers = unfolded(network)
        self.foldable = [layer for layer in self.layers if layer.kernel.is_foldable]
        self.index = {layer.name: number for number, layer in enumerate(self.foldable)}
        self.by_name = {layer.name: layer for layer in self.layers}
        self._known: dict[tuple[Kernel, Folding], _Facts] = {}

    def for_target(self, target_fps: float) -> FoundFoldings:
        bound = int(1e9 / self.target.clock_period_ns / target_fps)
        self._check_speed(bound, target_fps)
        found = self._tried(bound, np.zeros(len(RESOURCES)))
        if self._fits(found):
            return found
        raise UserError(f"{target_fps:g} frames/s on {self.device.part} ({self.device.board}): {self._missed(found)}")

    def fastest(self) -> FoundFoldings:
        reserve, left, failed = np.zeros(len(RESOURCES)), self.bounds, 0
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

    def frontier(self) -> list[PlanEstimate]:
        first = self._first_within(self.bounds, np.zeros(len(RESOURCES)))
        slower = np.array(self.bounds[first:])
        wanted = slower[0] * 2.0 ** np.arange(FRONTIER_POINTS)
        estimates = []
        for bound in np.unique(slower[np.searchsorted(slower, wanted[wanted <= slower[-1]])]):
            solution = self._solved(int(bound), np.zeros(len(RESOURCES)), relaxed=False)
            if solution is not None:
                estimates.append(estimate_plan(self._plan(solution[2]), self.target))
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
        resource = found.estimate.most_utilised
        return (
            f"needs {found.estimate.utilisation[resource]:.1%} of its {NAMES[resource]} at the high end of the "
            f"estimate, {self.budget:.1%} are allowed; most of it in {_largest_user(found.estimate, resource)}"
        )

    def _check_speed(self, bound: int, target_fps: float) -> None:
        for layer in self.foldable:
            least = min(self._cycles(layer, simd, pe) for simd, pe in _pairs(layer))
            if least > bound:
                raise UserError(
                    f"{target_fps:g} frames/s at {self.target.clock_mhz:g} MHz: leaves {bound:,} cycles per "
                    f"frame; {layer.name} needs {least:,} however it is folded"
                )

    @cached_property
    def bounds(self) -> list[int]:
        """Every number of cycles that may limit the design, from what all layers can reach on."""
        cycles = [{self._cycles(layer, simd, pe) for simd, pe in _pairs(layer)} for layer in self.foldable]
        least = max(min(of_layer) for of_layer in cycles)
        return sorted(number for number in set().union(*cycles) if number >= least)

    def _found(self, bound: int, reserve: np.ndarray) -> tuple[FoundFoldings, np.ndarray]:
        """The design for a bound, and the shares of it that the programme did not see."""
        solution = self._solved(bound, reserve, relaxed=False)
        if solution is None:
            raise UserError(f"{bound:,} cycles per frame: the search found no foldings within {SECONDS} s")
        _, seen, foldings = solution
        found = self._built(foldings)
        return found, np.array([found.estimate.utilisation[resource] for resource in RESOURCES]) - seen

    def _built(self, foldings: dict[str, Folding]) -> FoundFoldings:
        """The design as it will be; FIFOs are simulated, which takes seconds, only if it may be within the budget."""
        from qmfn.plan.fifos import size_fifos  # compiles its loop on import

        plan = self._plan(foldings)
        estimate = estimate_plan(plan, self.target)
        if _worst(estimate) <= self.budget:
            plan = size_fifos(plan)
            estimate = estimate_plan(plan, self.target)
        return FoundFoldings(foldings, plan, estimate, self.budget)

    def _plan(self, foldings: Mapping[str, Folding]) -> Plan:
        """With assumed FIFO depths."""
        plan = fold_layers(self.network, self.layers, foldings, self.target.family)
        return plan.with_depths(assumed_depths(plan))

    # --- Options of a layer -------------------------------------------------------------------------------------------

    def _cycles(self, layer: UnfoldedLayer, simd: int, pe: int) -> int:
        return self._facts(layer, Folding(simd, pe)).cycles

    def _facts(self, layer: UnfoldedLayer, folding: Folding) -> _Facts:
        """Of a layer's own stages; their streams are the edges'."""
        key = (layer.kernel, folding)
        if key not in self._known:
            self._known[key] = _own_stages(layer.kernel, folding, self.target)
        return self._known[key]

    def options(self, number: int, bound: int) -> list[_Option]:
        """What a layer may be at a bound: per (SIMD, PE) only what nothing else for that pair beats."""
        layer = self.foldable[number]
        fast = [pair for pair in _pairs(layer) if self._cycles(layer, *pair) <= bound]
        most = SPARE * min((simd * pe for simd, pe in fast), default=0)
        options = []
        for simd, pe in fast:
            if simd * pe <= most:
                bursts = self._bursts(number, simd, pe, bound)
                choices = self._choices(layer.kernel, simd, pe)
                options += _best([self._option(number, folding, bursts) for folding in choices])
        return options

    def _choices(self, kernel: Kernel, simd: int, pe: int) -> Iterator[Folding]:
        lines: list[Storage] = ["bram", "lutram"] if kernel.has_lines else ["auto"]
        if kernel.has_lines and self.device.uram:
            lines.append("uram")
        multipliers: tuple[Multipliers, ...] = ("fabric", "dsp")
        weights_in: tuple[Storage, ...] = ("bram", "lutram")
        for multiplier, weights, line in product(multipliers, weights_in, lines):
            yield Folding(simd, pe, weights, line, multiplier)

    def _option(self, number: int, folding: Folding, bursts: np.ndarray) -> _Option:
        facts = self._facts(self.foldable[number], folding)
        shares = self._share(facts.used) + self._followers(number, facts.values_written) + bursts
        return _Option(folding, facts.values_read, facts.values_written, shares)

    def _bursts(self, number: int, simd: int, pe: int, bound: int) -> np.ndarray:
        """What FIFOs towards layers that pause need beyond the edges' shallow ones, where a layer can't catch up."""
        layer = self.foldable[number]
        kernel, facts = layer.kernel, self._facts(layer, Folding(simd, pe))
        total = np.zeros(len(RESOURCES))
        if kernel.burst_share:
            return total
        read = kernel.source.values // facts.values_read, facts.values_read * kernel.input_bits
        written = kernel.result.values // facts.values_written, facts.values_written * kernel.output_type.width
        neighbours = self.by_name.get(layer.sources[0]), self._readers.get(layer.name)
        for (beats, width), neighbour in zip((read, written), neighbours, strict=True):
            burst = neighbour.kernel.burst_share if neighbour else 0
            if burst and not keeps_up(facts.cycles, burst, bound):
                shallow = shallow_depth(width)
                deep = max(shallow, ceil(beats * burst))
                total += self._share(fifo_range(deep, width)) - self._share(fifo_range(shallow, width))
        return total

    @cached_property
    def _readers(self) -> dict[str, UnfoldedLayer]:
        """Per tensor the last layer that reads it: the only one where no shortcut begins."""
        return {layer.sources[0]: layer for layer in self.layers}

    def _share(self, used: Range) -> np.ndarray:
        return np.array([share(getattr(used.high, resource), resource, self.device) for resource in RESOURCES])

    def _followers(self, number: int, values: int) -> np.ndarray:
        """Layers that are as wide as this one, with the streams into them that no edge accounts for."""
        total = np.zeros(len(RESOURCES))
        for kernel in self._following[number]:
            ((_, folded),) = kernel.folded(None, values, self.target.family)
            width = values * kernel.input_types[0].width
            total += self._share(priced(folded.bill()))
            total += self._share(fifo_range(shallow_depth(width), width))
        return total

    @cached_property
    def _following(self) -> list[list[Kernel]]:
        """Per foldable layer the kernels behind it that take its width."""
        following: list[list[Kernel]] = [[] for _ in self.foldable]
        for layer in self.layers:
            if not layer.kernel.is_foldable:
                following[self._owner(layer.name)].append(layer.kernel)
        return following

    def _owner(self, tensor: str) -> int:
        """The layer whose width a tensor has: what can't be folded has that of its first source."""
        layer = self.by_name[tensor]
        return self.index[tensor] if layer.kernel.is_foldable else self._owner(layer.sources[0])

    # --- Edges --------------------------------------------------------------------------------------------------------

    @cached_property
    def edges(self) -> list[_Edge]:
        edges = []
        for layer in self.layers:
            joins = not layer.kernel.is_foldable
            lookahead = self._lookahead(*layer.sources) if len(layer.sources) == 2 else 0
            last = layer.sources[-1]
            producer = None if last in self.network.inputs else self._owner(last)
            tensor = self.network.tensors[last]
            edges.append(
                _Edge(
                    producer, self._owner(layer.name), joins, tensor.shape.pixels, tensor.shape.channels,
                    tensor.type.width, lookahead,
                )  # fmt: skip
            )
        return edges

    def _lookahead(self, main: str, shortcut: str) -> int:
        """Pixels that the layers beside a shortcut hold."""
        pixels = 0
        while main != shortcut:
            layer = self.by_name[main]
            pixels += layer.kernel.lookahead
            main = layer.sources[0]
        return pixels

    def _edge_share(self, edge: _Edge, written: int, read: int) -> np.ndarray:
        """Of the FIFO between a producer that writes and a consumer that reads so many values, and of its two ends."""
        key = (edge, written, read)
        if key not in self._edge_shares:
            values = lcm(written, read)
            used = beats_range(values, (written, read), edge.bits)
            if edge.producer is not None:  # the design's input is no FIFO
                depth = ceil(edge.lookahead * edge.channels / values)
                used += fifo_range(max(depth, shallow_depth(values * edge.bits)), values * edge.bits)
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
        options = [self.options(number, bound) for number in range(len(self.foldable))]
        if not all(options):
            return None
        programme = _Programme(len(RESOURCES))
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
            for layer, of_layer, numbers in zip(self.foldable, options, columns, strict=True)
        }
        return largest, shares, foldings

    def _add_edge(
        self,
        programme: _Programme,
        edge: _Edge,
        options: Sequence[Sequence[_Option]],
        columns: Sequence[Sequence[int]],
    ) -> None:
        """A variable per pair of widths; those with one written width add up to the producer's options that have it."""
        written: dict[int, list[int] | None] = {}
        if edge.producer is None:
            written[edge.channels] = None
        else:
            written |= _by_width(options[edge.producer], columns[edge.producer], "values_written")
        side = "values_written" if edge.joins else "values_read"
        read = _by_width(options[edge.reader], columns[edge.reader], side)
        from_rows: dict[int, dict[int, float]] = {values: {} for values in written}
        to_rows: dict[int, dict[int, float]] = {values: {} for values in read}
        for there, here in product(written, read):
            column = programme.column(self._edge_share(edge, there, here), integer=False)
            from_rows[there][column] = to_rows[here][column] = 1.0
        for values, row in from_rows.items():
            chosen = written[values]
            programme.row(row | dict.fromkeys(chosen or (), -1.0), 0.0 if chosen else 1.0)
        for values, row in to_rows.items():
            programme.row(row | dict.fromkeys(read[values], -1.0), 0.0)


def _worst(estimate: PlanEstimate) -> float:
    return max(estimate.utilisation.values())


def _pairs(layer: UnfoldedLayer) -> list[tuple[int, int]]:
    return list(product(layer.kernel.simd_choices, layer.kernel.pe_choices))


@dataclass(frozen=True)
class _Facts:
    """Of the stages that compute one layer."""

    values_read: int
    values_written: int
    cycles: int
    used: Range


def _own_stages(kernel: Kernel, folding: Folding, target: Target) -> _Facts:
    """Facts of one layer alone, with the FIFOs between its own stages."""
    kernels = [own for _, own in kernel.folded(folding, 1, target.family)]
    used = sum((priced(own.bill()) for own in kernels), start=NOTHING)
    for own in kernels[:-1]:
        width = own.values_written * own.output_type.width
        used += fifo_range(shallow_depth(width), width)
    return _Facts(kernels[0].values_read, kernels[-1].values_written, max(own.iterations for own in kernels), used)


def _best(options: Sequence[_Option]) -> list[_Option]:
    """Those that no other one beats in every resource; of equal ones the first."""
    kept: list[_Option] = []
    for option in sorted(options, key=lambda option: option.share.sum()):
        if not any(np.all(other.share <= option.share) for other in kept):
            kept.append(option)
    return kept


def _by_width(options: Sequence[_Option], columns: Sequence[int], side: str) -> dict[int, list[int]]:
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
