import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmfn.plan.simulate import simulate


def cycle_by_cycle(plan, depths, frames, input_interval):
    """The same rules, one cycle at a time: what each stage may do follows from the counts before the cycle."""
    schedules = {stage.name: stage.schedule() for stage in plan.stages}
    written, read = dict.fromkeys(plan.streams, 0), dict.fromkeys(plan.streams, 0)
    most = dict.fromkeys(plan.streams, 0)
    at, ends, cycle, idle = dict.fromkeys(schedules, 0), [], 0, 0
    longest = max(stage.iterations for stage in plan.stages)
    while len(ends) < frames and idle <= longest + (input_interval or 0):
        before_written, before_read = dict(written), dict(read)
        for name, stream in plan.streams.items():
            if stream.producer is None:
                arrived = frames * stream.beats
                if input_interval is not None:
                    arrived = sum(n * input_interval // stream.beats <= cycle for n in range(arrived))
                before_written[name] = arrived
        idle += 1
        for stage in plan.stages:
            schedule = schedules[stage.name]
            if at[stage.name] == frames * schedule.iterations:
                continue
            now = at[stage.name] % schedule.iterations
            reads = [name for name, happens in zip(stage.inputs, schedule.reads, strict=True) if happens[now]]
            writes = [name for name, happens in zip(stage.outputs, schedule.writes, strict=True) if happens[now]]
            full = [name for name in writes if depths and before_written[name] - before_read[name] >= depths[name]]
            if full or any(before_written[name] == before_read[name] for name in reads):
                continue
            for name in reads:
                read[name] += 1
            for name in writes:
                written[name] += 1
            at[stage.name] += 1
            idle = 0
            if stage is plan.stages[-1] and now == schedule.iterations - 1:
                ends.append(cycle + 1)
        for name in plan.streams:
            most[name] = max(most[name], written[name] - before_read[name])
        cycle += 1
    return tuple(ends), {stream.name: most[stream.name] for stream in plan.fifos}


def with_output(plan, depths):
    """The same depths, and ever enough for the design's output."""
    return depths and {**depths, **{s.name: 10**9 for s in plan.streams.values() if s.consumer is None}}


def test_a_single_stage_takes_its_iterations(design):
    plan = design(2, 2, 2, 1).matvec("a", 4).build()
    assert simulate(plan, {}).frame_ends == (32, 64, 96)


def test_a_beat_is_read_in_the_cycle_after_it_is_written(design):
    # Two terms, one output: a writes in cycles 1, 3, 5, 7; b, one term, reads in 2, 4, 6, 8 and writes at once.
    plan = design(2, 2, 2, 1).matvec("a", 1).matvec("b", 1).build()
    simulation = simulate(plan, {"a.out": 1}, frames=2)
    assert simulation.frame_ends == (9, 17)
    assert (simulation.latency, simulation.interval) == (9, 8)
    assert simulation.occupancy == {"a.out": 1}


def test_depth_one_passes_a_beat_in_every_second_cycle(design):
    # a writes in cycles 0, 2, 4, 6, ...; its consumer reads in 1, 3, 5, 7, ...
    plan = design(2, 2, 1, 1).matvec("a", 1).matvec("b", 1).build()
    assert simulate(plan, {"a.out": 1}, frames=2).frame_ends == (8, 16)
    assert simulate(plan, {"a.out": 2}, frames=2).frame_ends == (5, 9)


def test_a_full_fifo_holds_its_producer_up(design):
    # a writes from cycle 0 on; b reads in 1, 5, 9, 13: a's beats go in at 0, 1, then each after a read: 2, 6.
    plan = design(2, 2, 1, 1).matvec("a", 1).matvec("b", 4).build()
    unbounded, bounded = simulate(plan, None, frames=1), simulate(plan, {"a.out": 2}, frames=1)
    assert unbounded.frame_ends == bounded.frame_ends == (17,)
    assert (unbounded.occupancy, bounded.occupancy) == ({"a.out": 3}, {"a.out": 2})


def test_input_arrives_evenly_over_the_interval(design):
    # Beats of the first frame come in cycles 0, 2, 5, 7, of the second in 10, 12, 15, 17; a reads at once.
    plan = design(2, 2, 1, 1).matvec("a", 1).build()
    assert simulate(plan, None, frames=2, input_interval=10).frame_ends == (8, 18)


def test_frames_follow_one_another_without_gaps(design):
    plan = design(4, 4, 2, 1).depthwise("a").matvec("b", 2).build()
    simulation = simulate(plan, None, frames=4)
    assert np.diff(simulation.frame_ends).tolist() == [plan.interval] * 3


def residual(design):
    builder = design(4, 4, 1, 1).matvec("first", 1)
    shortcut = builder.fork()
    return builder.depthwise("middle").add("sum", shortcut).build()


def test_a_shortcut_one_beat_too_small_deadlocks_and_is_named(design):
    # The window yields its first output in the iteration that reads the 6th beat; before that nobody takes from the
    # shortcut, whose 6th beat is written together with the one that the window waits for.
    plan = residual(design)
    depths = {stream.name: 2 for stream in plan.fifos}
    assert simulate(plan, {**depths, "first.shortcut": 6}).deadlock is None
    simulation = simulate(plan, {**depths, "first.shortcut": 5})
    assert simulation.frame_ends == ()
    assert simulation.deadlock.full == ("first.shortcut",)
    assert simulation.deadlock.waiting == {
        "first": "room in first.shortcut",
        "middle": "beats of first.out",
        "sum": "beats of middle.out",
    }


def test_a_stream_that_disagrees_with_a_schedule_is_an_error(design):
    plan = design(2, 2, 1, 1).matvec("a", 1).build()
    plan.streams["a.out"] = plan.streams["a.out"].__class__("a.out", 1, 4, 3, "a", None)
    with pytest.raises(ValueError, match="a moves 4 beats of a.out per frame, but that has 3"):
        simulate(plan, None)


@st.composite
def shapes(draw):
    """Arguments of a random plan: sizes of its image and a list of blocks."""
    channels = st.sampled_from([1, 2, 4])
    blocks = draw(st.lists(st.tuples(st.sampled_from("mdcr"), channels, channels, channels), min_size=1, max_size=4))
    return draw(st.integers(2, 4)), draw(st.integers(2, 5)), draw(channels), blocks


def random_plan(design, height, width, channels, blocks):
    builder = design(height, width, channels, 1)
    for index, (kind, simd, pe, outputs) in enumerate(blocks):
        have, simd = builder.head[1].channels, min(simd, builder.head[1].channels)
        if kind == "m":
            builder.matvec(f"m{index}", outputs, simd, min(pe, outputs))
        elif kind == "d":
            builder.depthwise(f"d{index}", 1 + (pe == 4), 1 + 2 * (outputs > 1), simd)
        elif kind == "c":
            builder.convolution(f"c{index}", outputs, 3, 1 + (pe == 4), builder.head[2], min(pe, outputs))
        else:
            if not index:
                builder.matvec("first", have, 1, min(pe, have))
            shortcut = builder.fork()
            builder.depthwise(f"r{index}", pe=simd).matvec(f"p{index}", have, simd, min(pe, have))
            builder.add(f"a{index}", shortcut)
    return builder.build()


@settings(max_examples=60, deadline=None)
@given(shapes(), st.integers(1, 12), st.sampled_from([None, 1.0, 1.7]), st.booleans())
def test_equals_a_simulation_cycle_by_cycle(design, shape, depth, pace, bounded):
    plan = random_plan(design, *shape)
    depths = {stream.name: depth for stream in plan.fifos} if bounded else None
    interval = pace and int(pace * plan.interval)
    simulation = simulate(plan, depths, frames=2, input_interval=interval)
    ends, occupancy = cycle_by_cycle(plan, with_output(plan, depths), 2, interval)
    assert simulation.frame_ends == ends
    assert (simulation.deadlock is None) == (len(ends) == 2)
    assert simulation.occupancy == occupancy
