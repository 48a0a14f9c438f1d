"""FIFO depths where none were simulated: shallow, but for shortcuts and next to stages that pause.

For a first look, and for a search that can't simulate every candidate.
"""

from __future__ import annotations

from math import ceil

from qmfn.devices.memory import LUTRAM_BITS
from qmfn.plan.plan import Plan, Stage

SHALLOW_BEATS = 16
"""Depth assumed for a FIFO that only decouples two stages, if no more than the smallest distributed RAM holds it."""


def assumed_depths(plan: Plan) -> dict[str, int]:
    """A depth for every stream between two stages.

    A shortcut keeps as many pixels as the stages beside it look ahead. A stage that has no time to catch up with one
    beside it that pauses needs a FIFO of about half of that one's lookahead between them (`keeps_up`).
    """
    depths = {stream.name: shallow_depth(stream.width) for stream in plan.fifos}
    for stage in plan.stages:
        if len(stage.inputs) > 1:
            _deepen(depths, plan, *_shortcut(plan, stage))
        if stage.kernel.burst_share:
            continue
        neighbours = ((stage.inputs[0], _producer(plan, stage)), (stage.outputs[0], _consumer(plan, stage)))
        for stream, neighbour in neighbours:
            if neighbour and not keeps_up(stage.iterations, neighbour.kernel.burst_share, plan.interval):
                _deepen(depths, plan, stream, neighbour.kernel.burst_share)
    return depths


def keeps_up(cycles: int, burst_share: float, interval: int) -> bool:
    """Whether a stage of so many cycles has the time to catch up after a stage beside it has paused."""
    return cycles <= interval * (1 - 2 * burst_share)


def shallow_depth(width: int) -> int:
    """Depth assumed for a FIFO of `width` bits that only decouples two stages."""
    return max(2, min(SHALLOW_BEATS, LUTRAM_BITS // width))


def _producer(plan: Plan, stage: Stage) -> Stage | None:
    name = plan.streams[stage.inputs[0]].producer
    return plan[name] if name else None


def _consumer(plan: Plan, stage: Stage) -> Stage | None:
    name = plan.streams[stage.outputs[0]].consumer
    return plan[name] if name else None


def _deepen(depths: dict[str, int], plan: Plan, stream: str, share: float) -> None:
    """Make a FIFO hold so much of a frame."""
    if stream in depths:
        depths[stream] = max(depths[stream], ceil(plan.streams[stream].beats * share))


def _shortcut(plan: Plan, join: Stage) -> tuple[str, float]:
    """The stream in which the shortcut to a stage with two inputs leaves, and the share of a frame that the stages
    beside it look ahead.
    """
    first, second = (_way_back(plan, name) for name in join.inputs)
    begin = next(name for name in first if name in second)
    beside = [plan[name] for name in first[: first.index(begin)]]
    pixels = sum(stage.kernel.lookahead for stage in beside)
    readers = {*second[: second.index(begin)], join.name}
    stream = next(name for name in reversed(plan[begin].outputs) if plan.streams[name].consumer in readers)
    return stream, pixels / join.kernel.source.pixels


def _way_back(plan: Plan, stream: str) -> list[str]:
    """Names of the stages before a stream, nearest first, along first inputs."""
    names = []
    producer = plan.streams[stream].producer
    while producer:
        names.append(producer)
        producer = plan.streams[plan[producer].inputs[0]].producer
    return names
