"""Exact token-level simulation of a pipeline with bounded FIFOs, over several frames that follow without gaps.

The rules, in cycles:

- A stage executes its iterations in order, at most one per cycle (II = 1), and goes on with its next frame at once.
- A beat that is written in cycle t can be read from cycle t + 1 on.
- The room of a beat that is read in cycle t can be written again from cycle t + 1 on: into a FIFO of depth D the n-th
  beat is written after beat n - D was read. So a FIFO of depth 1 passes a beat in every second cycle only.
- An iteration reads and writes in its one cycle; a stage that can't do all of it waits and does nothing.

The start of an iteration is therefore 1 + the latest of the events that it waits for, and an order in which the stages
are looked at changes no time (a Kahn network). So every stage runs as far as it can in one go, in turn, until all are
done or none can move: a deadlock.

The stages of a kernel's pipeline (its depth in registers) are not part of it: they add to the latency of the design,
and to the interval only where two branches of a fork differ by more of them than a FIFO has beats to spare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from qmfn.plan.plan import Plan, Stage

_PORTS = 4
"""Two inputs, two outputs: bits 0, 1 and 2, 3 of an iteration's mask."""


@dataclass(frozen=True)
class Deadlock:
    """Why nothing moves.

    Attributes:
        full: full FIFOs of the circle of stages that wait for one another; what backs up before it is left out.
        waiting: stage -> "beats of X" or "room in X"; every stage that isn't done.
    """

    full: tuple[str, ...]
    waiting: Mapping[str, str]


@dataclass(frozen=True)
class Simulation:
    """What a simulation found.

    Attributes:
        frame_ends: cycles from the start until the last stage has finished each frame; fewer after a deadlock.
        occupancy: inner stream -> most beats that it held at once, a beat in the cycle of its reading included.
    """

    frame_ends: tuple[int, ...]
    occupancy: Mapping[str, int]
    deadlock: Deadlock | None

    @property
    def latency(self) -> int:
        """Cycles until the first frame is finished."""
        return self.frame_ends[0]

    @property
    def interval(self) -> int:
        """Cycles between the ends of the last two frames."""
        return self.frame_ends[-1] - self.frame_ends[-2]


def simulate(
    plan: Plan, depths: Mapping[str, int] | None, frames: int = 3, input_interval: int | None = None
) -> Simulation:
    """Simulates `frames` frames; a deadlock is reported, not raised.

    The design's output always has room.

    Args:
        depths: inner stream -> beats that its FIFO holds; None: as many as ever come.
        input_interval: cycles over which the beats of a frame arrive evenly; None: all are there from the start.
    """
    return Simulator(plan).run(depths, frames, input_interval)


class Simulator:
    """A pipeline made ready to be simulated with many sets of depths."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._index = {name: index for index, name in enumerate(plan.streams)}
        self._pools = np.full((len(plan.stages), _PORTS), -1, np.int64)
        for row, stage in zip(self._pools, plan.stages, strict=True):
            for port, name in _stage_ports(stage):
                row[port] = 2 * self._index[name] + (port >= 2)

    @cached_property
    def _program(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One frame of every stage: where its events begin, their masks, iterations since the event before.

        Iterations that neither read nor write only wait for the one before, so they are a distance, not events.
        """
        masks, gaps = zip(*(self._events(stage) for stage in self.plan.stages), strict=True)
        first = np.cumsum([0, *map(len, masks)])
        return first, np.concatenate(masks), np.concatenate(gaps)

    def _events(self, stage: Stage) -> tuple[np.ndarray, np.ndarray]:
        schedule = stage.schedule()
        mask = np.zeros(schedule.iterations, np.uint8)
        for port, name in _stage_ports(stage):
            happens = schedule.reads[port] if port < 2 else schedule.writes[port - 2]
            beats, wanted = int(np.count_nonzero(happens)), self.plan.streams[name].beats
            if beats != wanted:
                raise ValueError(f"{stage.name} moves {beats} beats of {name} per frame, but that has {wanted}")
            mask |= happens.astype(np.uint8) << np.uint8(port)
        mask[-1] |= 1 << _PORTS  # the frame's end counts as an event, whether or not it moves a beat
        at = np.flatnonzero(mask)
        return mask[at], np.diff(at, prepend=-1).astype(np.int32)

    def run(self, depths: Mapping[str, int] | None, frames: int = 3, input_interval: int | None = None) -> Simulation:
        """What `simulate` says."""
        streams = list(self.plan.streams.values())
        bounded = {} if depths is None else {s.name: depths[s.name] for s in self.plan.fifos}
        capacity = np.repeat([min(bounded.get(s.name, s.beats * frames), s.beats * frames) for s in streams], 2)
        base = np.cumsum(capacity) - capacity
        times = np.full(capacity.sum(), -1, np.int32)
        tokens = np.where(np.arange(len(capacity)) % 2, capacity, 0)
        for index, stream in enumerate(streams):
            if stream.producer is None:
                tokens[2 * index] = capacity[2 * index]
                if input_interval is not None:
                    arrivals = np.arange(capacity[2 * index]) * input_interval // stream.beats
                    times[base[2 * index] : base[2 * index + 1]] = arrivals - 1
        most = np.zeros(len(streams), np.int64)
        ends = np.zeros((len(self._pools), frames), np.int64)
        waits = _run(*self._program, self._pools, base, capacity, times, tokens, most, ends)
        most = np.maximum(most, tokens[::2])  # after a deadlock: what nobody reads any more
        occupancy = {s.name: int(most[self._index[s.name]]) for s in self.plan.fifos}
        finished = tuple(int(end) for end in ends[-1] if end)
        return Simulation(finished, occupancy, find_deadlock(self.plan, waits))


def find_deadlock(plan: Plan, ports: Sequence[int]) -> Deadlock | None:
    """From the port at which each stage waits (-1: done) to names, and the circle of those stages; None: all are done.

    Raises:
        AssertionError: stages wait for beats that nobody writes, which no depth of a FIFO explains.
    """
    waiting, full, awaited = {}, {}, {}
    for stage, port in zip(plan.stages, ports, strict=True):
        if port >= 2:
            name = full[stage.name] = stage.outputs[port - 2]
            waiting[stage.name], awaited[stage.name] = f"room in {name}", plan.streams[name].consumer
        elif port >= 0:
            name = stage.inputs[port]
            waiting[stage.name], awaited[stage.name] = f"beats of {name}", plan.streams[name].producer
    if not waiting:
        return None
    circle: set[str | None] = set(waiting)
    while (smaller := {awaited[name] for name in circle if name in awaited}) != circle:
        circle = smaller  # without those that nobody in it waits for
    blocked = {stream for name, stream in full.items() if name in circle}
    if not blocked:
        raise AssertionError(f"stages wait for beats that nobody writes: {waiting}")
    return Deadlock(tuple(name for name in plan.streams if name in blocked), waiting)


def _stage_ports(stage: Stage) -> list[tuple[int, str]]:
    """(port, stream) of a stage."""
    return [*enumerate(stage.inputs), *enumerate(stage.outputs, start=2)]


@njit(cache=True)
def _run(first, masks, gaps, pools, base, capacity, times, tokens, most, ends):
    """Runs all stages as far as they go; per stage the port that it waits at, -1: done.

    A FIFO hands beats one way and room the other: two pools of tokens, `2 * stream` and `2 * stream + 1`. A port takes
    a token out of its pool and puts one into the partner pool: a reader takes a beat and gives room, a writer the other
    way round. Both are rings of `capacity` times, in step, so the token given goes where the one taken lay.

    Args:
        first, masks, gaps: `Simulator._program`.
        pools: (stages, ports), -1: no such port.
        base, capacity: of each pool's ring within `times`.
        times: cycles in which tokens were given, -1: at the start; changed.
        tokens: per pool, how many there are; changed.
        most: per stream, most beats held; changed.
        ends: (stages, frames), cycles at which each was finished; changed.
    """
    stages, frames = ends.shape
    waits = np.full(stages, -1, np.int64)
    events, done = first[:-1].copy(), np.zeros(stages, np.int64)
    cycles = np.full(stages, -1, np.int64)  # of each stage's last event
    slots = np.zeros(pools.shape, np.int64)
    moved = True
    while moved:
        moved = False
        for stage in range(stages):
            if waits[stage] >= 0 and tokens[pools[stage, waits[stage]]] == 0:
                continue
            event, frame, cycle = events[stage], done[stage], cycles[stage]
            while frame < frames:
                mask = masks[event]
                start = cycle + gaps[event]
                waits[stage] = -1
                for port in range(_PORTS):
                    if mask >> port & 1:
                        pool = pools[stage, port]
                        if tokens[pool] == 0:
                            waits[stage] = port
                            break
                        start = max(start, times[base[pool] + slots[stage, port]] + 1)
                if waits[stage] >= 0:
                    break
                moved = True
                cycle = start
                for port in range(_PORTS):
                    if mask >> port & 1:
                        pool = pools[stage, port]
                        slot = slots[stage, port]
                        ring = times[base[pool] : base[pool] + capacity[pool]]
                        most[pool >> 1] = _most_held(most[pool >> 1], port < 2, tokens[pool], slot, cycle, ring)
                        tokens[pool] -= 1
                        tokens[pool ^ 1] += 1
                        times[base[pool ^ 1] + slot] = cycle
                        slots[stage, port] = slot + 1 if slot + 1 < capacity[pool] else 0
                event += 1
                if event == first[stage + 1]:
                    ends[stage, frame] = cycle + 1
                    frame += 1
                    event = first[stage]
            events[stage], done[stage], cycles[stage] = event, frame, cycle
    return waits


@njit(cache=True)
def _most_held(most, reads, left, slot, cycle, partners):
    """The most beats that a FIFO held at once, after one more is read or written.

    It held more than k iff, for some n, beat n + k was written no later than beat n was read. Each such pair is looked
    at when the second of the two is simulated; one that proves more than k raises k.

    Args:
        reads: a beat is read; else written.
        left: tokens of the port's pool before that.
        slot: of the beat.
        partners: ring of times at which beats were written (where one is read), or read.
    """
    depth = len(partners)
    while most < depth and left > (most if reads else depth - most):
        other = slot + most if reads else slot - most
        other = other - depth if other >= depth else other + depth if other < 0 else other
        if partners[other] > cycle if reads else partners[other] < cycle:
            break
        most += 1
    return most
