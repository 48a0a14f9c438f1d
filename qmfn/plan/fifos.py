"""FIFO depths that neither deadlock nor lower the throughput, found by simulation; and the check of given ones.

Two steps. First, the unbounded pipeline is simulated with frames that arrive evenly over the interval of the slowest
stage; the most beats that each stream held are depths that suffice: with them no write is ever held up, so every cycle
of that schedule stays as it is, and input that comes sooner makes nothing later. These depths are larger than needed,
because every stage runs as early as it can and hoards what its consumer wants much later. So, second, FIFOs are made
shallower, in groups, then one by one, as long as the simulated interval stays; those that hold no more than a
distributed RAM of the smallest kind are left, since they would cost as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qmfn.devices.memory import LUTRAM_BITS
from qmfn.errors import UserError
from qmfn.plan.plan import Plan, Stream
from qmfn.plan.simulate import Simulation, Simulator

SMALLEST_DEPTH = 2
"""Beats of the FIFO that HLS tools make of registers; the least that passes a beat in every cycle."""

_PRECISION = 4
"""A depth is searched to one part in so many."""

_TRIALS = 80
"""Simulations spent on shrinking, about 0.3 s each for the full network; what is left untried then stays as it is."""


def size_fifos(plan: Plan) -> Plan:
    """The plan with the smallest depths found at which it keeps its initiation interval."""
    simulator = Simulator(plan)
    frames = _frames(simulator)
    while True:
        enough = simulator.run(None, frames, plan.interval).occupancy
        depths = _shrink(
            {name: max(SMALLEST_DEPTH, held) for name, held in enough.items()},
            _worth_shrinking(plan, enough),
            _Trials(simulator, frames),
        )
        frames *= 2  # a loss that builds up slowly shows only now
        if _keeps_up(simulator.run(depths, frames), plan):
            return plan.with_depths(depths)


def check_depths(plan: Plan) -> Simulation:
    """The simulation of a plan with its depths.

    Raises:
        UserError: they deadlock, or make the interval longer than that of the slowest stage.
    """
    missing = [stream.name for stream in plan.fifos if stream.name not in plan.depths]
    if missing:
        raise UserError(f"the FIFO {missing[0]} has no depth; every stream between two stages needs one")
    simulator = Simulator(plan)
    simulation = simulator.run(plan.depths, _frames(simulator))
    if simulation.deadlock:
        stream = plan.streams[simulation.deadlock.full[0]]
        raise UserError(
            f"the FIFO {stream.name} from {stream.producer} to {stream.consumer} is full at "
            f"{plan.depths[stream.name]} beats and the design deadlocks; it needs to be deeper"
        )
    if not _keeps_up(simulation, plan):
        raise UserError(
            f"the FIFO depths make the initiation interval {simulation.interval} cycles per frame instead of the "
            f"{plan.interval} of {plan.slowest.name}, the slowest stage; some need to be deeper"
        )
    return simulation


def _frames(simulator: Simulator) -> int:
    """Frames until the interval has settled: as many as are under way at once, and two to measure between."""
    interval = simulator.plan.interval
    return simulator.run(None, 1, interval).latency // interval + 2


def _keeps_up(simulation: Simulation, plan: Plan) -> bool:
    return simulation.deadlock is None and simulation.interval <= plan.interval


class _Trials:
    """Whether depths suffice, by simulation, as long as there are trials left."""

    def __init__(self, simulator: Simulator, frames: int):
        self._simulator, self._frames = simulator, frames
        self._known: dict[tuple[int, ...], bool] = {}

    def __call__(self, depths: Mapping[str, int]) -> bool:
        key = tuple(depths.values())
        if key not in self._known:
            if len(self._known) == _TRIALS:
                return False
            simulation = self._simulator.run(depths, self._frames)
            self._known[key] = _keeps_up(simulation, self._simulator.plan)
        return self._known[key]


def _worth_shrinking(plan: Plan, depths: Mapping[str, int]) -> list[Stream]:
    """Largest storage first."""
    stored = {stream: depths[stream.name] * stream.width for stream in plan.fifos}
    return sorted((stream for stream in stored if stored[stream] > LUTRAM_BITS), key=lambda s: -stored[s])


def _shrink(
    depths: dict[str, int], streams: Sequence[Stream], suffice: Callable[[Mapping[str, int]], bool]
) -> dict[str, int]:
    """Depths with those of `streams` as small as they go: all to the minimum at once, else half by half."""
    if not streams:
        return depths
    least = {stream.name: _least(stream) for stream in streams}
    if suffice(depths | least):
        return depths | least
    if len(streams) == 1:
        return _bisect(depths, streams[0], suffice)
    half = len(streams) // 2
    return _shrink(_shrink(depths, streams[:half], suffice), streams[half:], suffice)


def _bisect(
    depths: dict[str, int], stream: Stream, suffice: Callable[[Mapping[str, int]], bool]
) -> dict[str, int]:
    """The depth of one FIFO between what is too little and what suffices, to `_PRECISION`."""
    little, enough = _least(stream), depths[stream.name]
    while enough - little > max(1, enough // _PRECISION):
        middle = (little + enough) // 2
        if suffice(depths | {stream.name: middle}):
            enough = middle
        else:
            little = middle
    return depths | {stream.name: enough}


def _least(stream: Stream) -> int:
    """As deep as costs nothing: what the smallest distributed RAM holds."""
    return max(SMALLEST_DEPTH, LUTRAM_BITS // stream.width)
