import pytest

from qmfn.devices.memory import LUTRAM_BITS
from qmfn.errors import UserError
from qmfn.plan.fifos import SMALLEST_DEPTH, check_depths, size_fifos
from qmfn.plan.simulate import simulate


def residual(design, size=4, channels=1, slow=1):
    """A shortcut around a depthwise stage; `slow` outputs per pixel of the stage behind make it the slowest."""
    builder = design(size, size, channels, 1).matvec("first", channels, channels)
    shortcut = builder.fork()
    builder.depthwise("middle", simd=9).add("sum", shortcut)
    return builder.matvec("last", slow).build()


def storage(plan, depths):
    return sum(depths[stream.name] * stream.width for stream in plan.fifos)


@pytest.mark.parametrize("slow", [1, 3])
def test_sized_fifos_keep_the_interval(design, slow):
    plan = residual(design, size=12, channels=16, slow=slow)
    sized = size_fifos(plan)
    simulation = simulate(plan, sized.depths, frames=6)
    assert simulation.deadlock is None
    assert simulation.interval == check_depths(sized).interval == plan.interval
    assert simulate(plan, None, frames=6).interval == plan.interval
    assert check_depths(sized).latency == simulation.latency
    assert sized.fifo_bits == storage(plan, sized.depths)
    assert min(sized.depths.values()) >= SMALLEST_DEPTH


def test_depths_held_with_even_input_suffice(design):
    plan = residual(design, size=12, channels=4, slow=3)
    unbounded = simulate(plan, None, frames=4, input_interval=plan.interval)
    bounded = simulate(plan, unbounded.occupancy, frames=4, input_interval=plan.interval)
    assert bounded == unbounded


def bursts(design):
    """The first stage hands 64 channels on at once, every 64 cycles; the window wants its pixels a row at a time."""
    builder = design(16, 16, 64, 1).matvec("first", 64, 1, 64)
    return builder.depthwise("middle", 2, 1, 1).matvec("last", 1, 4, 1).build()


def test_large_fifos_shrink(design):
    plan = bursts(design)
    sized = size_fifos(plan)
    held = simulate(plan, None, 4, plan.interval).occupancy
    assert max(held[stream.name] * stream.width for stream in plan.fifos) > 2 * LUTRAM_BITS
    assert sized.fifo_bits < storage(plan, held) / 2
    assert check_depths(sized).interval == plan.interval


def test_small_fifos_are_as_deep_as_they_were_full(design):
    plan = residual(design)
    held = simulate(plan, None, 4, plan.interval).occupancy
    assert size_fifos(plan).depths == {name: max(SMALLEST_DEPTH, beats) for name, beats in held.items()}


def test_depths_that_deadlock_name_the_fifo(design):
    plan = residual(design)
    depths = {stream.name: SMALLEST_DEPTH for stream in plan.fifos}
    with pytest.raises(UserError, match="FIFO first.shortcut from first to sum is full at 2 beats .* deadlocks"):
        check_depths(plan.with_depths(depths))


def test_depths_that_cost_throughput_are_named_with_both_intervals(design):
    plan = residual(design)
    depths = {**size_fifos(plan).depths, "first.out": 1}
    interval = simulate(plan, depths, frames=6).interval
    message = f"initiation interval {interval} cycles per frame instead of the {plan.interval} of {plan.slowest.name},"
    with pytest.raises(UserError, match=message):
        check_depths(plan.with_depths(depths))


def test_a_fifo_without_depth_is_named(design):
    plan = residual(design)
    depths = size_fifos(plan).depths
    with pytest.raises(UserError, match="FIFO sum.out has no depth"):
        check_depths(plan.with_depths({name: depth for name, depth in depths.items() if name != "sum.out"}))


def test_sized_fifos_pass_the_check(design):
    plan = bursts(design)
    assert check_depths(size_fifos(plan)).interval == plan.interval
