import pytest

from qmfn.dataflow.fifos import SMALLEST_DEPTH, check_depths, size_fifos
from qmfn.dataflow.memory import LUTRAM_BITS
from qmfn.dataflow.simulation import simulate
from qmfn.errors import UserError


def residual(design, size=4, channels=1, slow=1):
    """A shortcut around a depthwise stage; `slow` outputs per pixel of the stage behind make it the slowest."""
    builder = design(size, size, channels, 1).matvec("first", channels, channels)
    shortcut = builder.fork()
    builder.depthwise("middle", simd=9).add("sum", shortcut)
    return builder.matvec("last", slow).build()


def storage(pipeline, depths):
    return sum(depths[stream.name] * stream.width for stream in pipeline.inner_streams)


@pytest.mark.parametrize("slow", [1, 3])
def test_sized_fifos_keep_the_interval(design, slow):
    pipeline = residual(design, size=12, channels=16, slow=slow)
    sizes = size_fifos(pipeline)
    simulation = simulate(pipeline, sizes.depths, frames=6)
    assert simulation.deadlock is None
    assert simulation.interval == sizes.interval == sizes.unbounded_interval == pipeline.interval
    assert simulate(pipeline, None, frames=6).interval == pipeline.interval
    assert sizes.latency == simulation.latency
    assert sizes.bits == storage(pipeline, sizes.depths)
    assert min(sizes.depths.values()) >= SMALLEST_DEPTH


def test_depths_held_with_even_input_suffice(design):
    pipeline = residual(design, size=12, channels=4, slow=3)
    unbounded = simulate(pipeline, None, frames=4, input_interval=pipeline.interval)
    bounded = simulate(pipeline, unbounded.occupancy, frames=4, input_interval=pipeline.interval)
    assert bounded == unbounded


def bursts(design):
    """The first stage hands 64 channels on at once, every 64 cycles; the window wants its pixels a row at a time."""
    builder = design(16, 16, 64, 1).matvec("first", 64, 1, 64)
    return builder.depthwise("middle", 2, 1, 1).matvec("last", 1, 4, 1).build()


def test_large_fifos_shrink(design):
    pipeline = bursts(design)
    sizes = size_fifos(pipeline)
    held = simulate(pipeline, None, 4, pipeline.interval).occupancy
    assert max(held[stream.name] * stream.width for stream in pipeline.inner_streams) > 2 * LUTRAM_BITS
    assert sizes.bits < storage(pipeline, held) / 2
    assert sizes.interval == pipeline.interval


def test_small_fifos_are_as_deep_as_they_were_full(design):
    pipeline = residual(design)
    held = simulate(pipeline, None, 4, pipeline.interval).occupancy
    assert size_fifos(pipeline).depths == {name: max(SMALLEST_DEPTH, beats) for name, beats in held.items()}


def test_depths_that_deadlock_name_the_fifo(design):
    pipeline = residual(design)
    depths = {stream.name: SMALLEST_DEPTH for stream in pipeline.inner_streams}
    with pytest.raises(UserError, match="FIFO first.shortcut from first to sum is full at 2 beats .* deadlocks"):
        check_depths(pipeline, depths)


def test_depths_that_cost_throughput_are_named_with_both_intervals(design):
    pipeline = residual(design)
    depths = {**size_fifos(pipeline).depths, "first.out": 1}
    interval = simulate(pipeline, depths, frames=6).interval
    message = f"a frame take {interval} cycles instead of the {pipeline.interval} of {pipeline.slowest.name},"
    with pytest.raises(UserError, match=message):
        check_depths(pipeline, depths)


def test_a_fifo_without_depth_is_named(design):
    pipeline = residual(design)
    depths = size_fifos(pipeline).depths
    with pytest.raises(UserError, match="FIFO sum.out has no depth"):
        check_depths(pipeline, {name: depth for name, depth in depths.items() if name != "sum.out"})


def test_sized_fifos_pass_the_check(design):
    pipeline = bursts(design)
    assert check_depths(pipeline, size_fifos(pipeline).depths).interval == pipeline.interval
