"""Resources of folded stages: counts done by hand, what must grow with what, memories, shared DSPs, the band."""

from __future__ import annotations

import dataclasses
import json
from math import ceil

import pytest

from qmfn.devices import Target
from qmfn.devices.memory import lut_ram, lut_rom, multiplexer_lut, shift_register_lut
from qmfn.kernels import Depthwise, Folding, Kernel, Matvec
from qmfn.network.fixed import FixedType
from qmfn.network.network import Shape, Tensor
from qmfn.plan.assumed import assumed_depths
from qmfn.plan.plan import Plan, Stage, connected
from qmfn.resources import amd
from qmfn.resources.estimate import beats_range, estimate_plan, fifo_range, latency_lower_bound, stage_range
from qmfn.resources.resources import NOTHING

TARGET = Target("xczu7ev", "Vitis", 5.0)
FOUR_BITS = FixedType(4, 4)
POINTWISE = Matvec(
    source=Shape(8, 8, 64), result=Shape(8, 8, 128), input_types=(FOUR_BITS,), output_type=FOUR_BITS,
    multiplied=FOUR_BITS, weight_bits=4, mid_rise=False, accumulator_bits=12, shift_bits=0, biased=FixedType(12, 12),
    bias_bits=10,
)  # fmt: skip
DEPTHWISE = Depthwise(
    source=Shape(8, 8, 128), result=Shape(8, 8, 128), input_types=(FOUR_BITS,), output_type=FOUR_BITS,
    multiplied=FOUR_BITS, weight_bits=4, mid_rise=False, accumulator_bits=12, shift_bits=0, biased=FixedType(12, 12),
    bias_bits=10, kernel=3, stride=1, padding=1,
)  # fmt: skip


def plan(**layers: tuple[Kernel, Folding]) -> Plan:
    """Layers in a row, with assumed FIFO depths."""
    stages, stream = [], "input"
    for name, (kernel, folding) in layers.items():
        for suffix, folded in kernel.folded(folding, 64, TARGET.family):
            stages.append(Stage(f"{name}{suffix}", name, folded, (stream,), (f"{name}{suffix}_out",)))
            stream = f"{name}{suffix}_out"
    made = connected({"input": Tensor(Shape(8, 8, 64), FOUR_BITS)}, stages)
    return made.with_depths(assumed_depths(made))


def matvec(simd: int, pe: int, **settings) -> Stage:
    """The stage of POINTWISE with a folding."""
    return plan(expand=(POINTWISE, Folding(simd, pe, **settings))).stages[-1]


def changed(stage: Stage, **fields) -> Stage:
    """The stage with another kernel."""
    return dataclasses.replace(stage, kernel=dataclasses.replace(stage.kernel, **fields))


def alone(kernel: Kernel) -> Stage:
    """A kernel without streams."""
    return Stage("alone", "alone", kernel, (), ())


@pytest.mark.parametrize(
    ("a_bits", "b_bits", "lut"), [(4, 4, 3 * 6), (8, 8, 7 * 10), (3, 5, 2 * 7), (2, 8, 10), (1, 5, 5)]
)
def test_multiplier_is_a_row_of_adders_per_bit_but_one(a_bits, b_bits, lut):
    assert amd.multiplier_lut(a_bits, b_bits) == amd.multiplier_lut(b_bits, a_bits) == lut


def test_adder_tree_grows_by_a_bit_per_level():
    assert amd.adder_tree_lut(1, 8) == 0
    assert amd.adder_tree_lut(2, 8) == 9
    assert amd.adder_tree_lut(4, 8) == 2 * 9 + 10
    assert amd.adder_tree_lut(3, 8) == 9 + 10


def test_small_pieces():
    assert [multiplexer_lut(n) for n in (1, 2, 4, 5, 9, 16)] == [0, 1, 1, 2, 3, 4]
    assert [shift_register_lut(n) for n in (1, 2, 16, 17, 32, 33)] == [0, 0.5, 0.5, 1, 1, 2]
    assert lut_rom(64, 10) == 10
    assert lut_rom(512, 10) == 8 * 10 + 10  # F8 joins 256 words, one LUT per bit two of these
    assert lut_ram(64, 7) == 8
    assert amd.requantise_lut(8, 8) == 0


def test_matrix_vector_unit_counted_by_hand():
    stage = matvec(simd=4, pe=2, weights_memory="bram")
    taken = 60 * 4 + amd.counter_lut(4)  # 4 of the 64 values of a beat at a time: the others move up
    groups, parts = 64, 16
    assert stage.iterations == 64 * groups * parts == 2**16
    control = 60 + sum(map(amd.counter_lut, (17, 6, 4, 10)))  # the loop; group, part, word
    pixel = 16 + ceil(16 * 8 / 7)  # the choice; 16 words of 4 values
    products = 2 * (4 * 18 + (2 * 9 + 10))
    sums = 2 * 12
    ends = 2 * (13 + 2 * 4 + ceil(12 / 5) + 1)  # bias adder, rounding from 12 to 4 bits
    biases = 2 * 10  # 64 words
    used = stage_range(stage).expected
    assert used.lut == taken + control + pixel + products + sums + ends + biases
    assert used.dsp == 0
    assert used.bram_18k == 2  # 1,024 words of 8 * 4 bits: 2 of 1,024 x 18


def test_ends_of_a_stream_unpack_and_pack():
    shift_register, alone = beats_range(8, (2, 8), bits=4).expected, amd.counter_lut(2)
    assert (shift_register.lut, shift_register.ff) == (alone, 8 * 4 + 2)
    moving_up = beats_range(8, (8, 2), bits=4).expected
    assert (moving_up.lut, moving_up.ff) == (6 * 4 + alone, 8 * 4 + 2)
    assert beats_range(8, (8, 8), bits=4) == NOTHING


def test_weights_go_where_they_are_asked_to():
    in_luts, in_bram = (stage_range(matvec(4, 2, weights_memory=kind)) for kind in ("lutram", "bram"))
    assert in_luts.expected.bram_18k == 0
    assert in_luts.expected.lut - in_bram.expected.lut == lut_rom(1024, 32)


def test_small_weight_memories_that_nobody_binds_stay_in_luts():
    for channels, brams in ((4, 0), (8, 1)):  # 4 * 64 weights of 4 bits: 1,024
        few = dataclasses.replace(
            POINTWISE, source=Shape(8, 8, channels), result=Shape(8, 8, 64), simd=2, pe=2, field_bits=9
        )
        assert stage_range(alone(few)).expected.bram_18k == brams


def test_constants_need_no_memory():
    assert stage_range(matvec(64, 128, weights_memory="bram")).expected.bram_18k == 0


def test_line_memory_kinds():
    used = {
        kind: stage_range(
            alone(dataclasses.replace(DEPTHWISE, simd=9, pe=4, line_memory=kind, weights_memory="lutram"))
        ).expected
        for kind in ("bram", "uram", "lutram")
    }
    assert (used["bram"].bram_18k, used["bram"].uram) == (1, 0)  # 8 * 32 words of 2 * 4 * 4 bits
    assert (used["uram"].bram_18k, used["uram"].uram) == (0, 1)
    assert used["lutram"].lut - used["bram"].lut == lut_ram(256, 32)


def test_outputs_share_dsps():
    shared = matvec(simd=4, pe=8, multiplier="dsp")
    assert shared.kernel.products_per_dsp == 3  # fields of 10 bits beside a weight of 4
    assert stage_range(shared).expected.dsp == ceil(8 / 3) * 4
    assert stage_range(changed(shared, shared_products=1)).expected.dsp == 32


def test_dsps_save_luts():
    fabric, dsp = (stage_range(matvec(16, 8, multiplier=kind)).expected for kind in ("fabric", "dsp"))
    assert dsp.lut < fabric.lut
    assert fabric.dsp == 0


def test_wide_prelu_products_take_a_dsp_per_lane():
    sloped = dataclasses.replace(POINTWISE, slope_bits=6, pe=8, simd=4)
    assert stage_range(alone(sloped)).expected.dsp == 8
    narrow = dataclasses.replace(sloped, biased=FixedType(10, 10), slope_bits=4)
    assert stage_range(alone(narrow)).expected.dsp == 0


def test_mid_rise_costs_a_sum_of_x_that_all_outputs_share():
    stage = matvec(8, 4)
    odd = changed(stage, mid_rise=True)
    more = stage_range(odd).expected.lut - stage_range(stage).expected.lut
    assert more == amd.adder_tree_lut(8, 4) + 2 * 12


def test_more_pe_is_faster_and_larger():
    stages = [matvec(8, pe) for pe in (1, 2, 4, 8, 16, 32)]
    cycles = [stage.iterations for stage in stages]
    luts = [stage_range(stage).expected.lut for stage in stages]
    assert cycles == sorted(cycles, reverse=True)
    assert luts == sorted(luts)


@pytest.mark.parametrize(("weight_bits", "input_bits"), [(3, 4), (4, 4), (4, 5), (6, 8), (8, 8)])
def test_finns_count_of_a_matrix_vector_unit_is_in_the_band(weight_bits, input_bits):
    """300 + 1.1 * PE * (SIMD * (2 * ceil((w + a) / 6) - 1) * (w + a) + (w + a) * (2 * SIMD - 1) + accumulator)."""
    simd, pe, bits = 16, 8, weight_bits + input_bits
    values = FixedType(input_bits, input_bits)
    stage = changed(
        matvec(simd, pe), weight_bits=weight_bits, multiplied=values, input_types=(values,),
        accumulator_bits=bits + 6, weights_memory="bram",
    )  # fmt: skip
    finn = 300 + 1.1 * pe * (simd * (2 * ceil(bits / 6) - 1) * bits + bits * (2 * simd - 1) + bits + 6)
    used = stage_range(stage)
    assert used.low.lut <= finn <= used.high.lut


def test_band_is_ordered_and_wide():
    used = stage_range(matvec(16, 8, weights_memory="bram"))
    for resource in ("lut", "ff", "dsp", "bram_18k", "uram"):
        low, high = used.by_resource()[resource]
        assert low <= getattr(used.expected, resource) <= high
    assert used.high.lut > 1.5 * used.expected.lut


def test_fifos_in_registers_and_in_block_ram():
    shallow, wide, deep = (fifo_range(*size).expected for size in ((2, 64), (14, 80), (1024, 16)))
    assert (shallow.bram_18k, wide.bram_18k, deep.bram_18k) == (0, 0, 1)
    assert wide.lut - shallow.lut == (80 - 64) / 2  # two bits per LUT
    assert deep.lut == shallow.lut - 32


def test_estimate_of_a_plan():
    design = plan(
        expand=(POINTWISE, Folding(16, 8, "bram")), depthwise=(DEPTHWISE, Folding(9, 4, "lutram", "bram"))
    )
    found = estimate_plan(design, TARGET)
    assert found.interval == max(stage.iterations for stage in design.stages) == 4096
    assert found.plan.slowest.name == "expand"
    assert found.frames_per_second == pytest.approx(200e6 / 4096)
    assert found.total.expected.lut == sum(row.used.expected.lut for row in (*found.stages, *found.fifos))
    assert found.utilisation["lut"] == found.total.high.lut / TARGET.device.lut
    assert found.fits_80_percent
    assert found.latency_lower_bound >= found.interval
    json.dumps(found.as_dict())


def test_latency_bound_is_below_the_simulated_latency():
    simulation = pytest.importorskip("qmfn.plan.simulate")
    design = plan(expand=(POINTWISE, Folding(4, 8)), depthwise=(DEPTHWISE, Folding(9, 4)))
    bound = latency_lower_bound(design)
    simulated = simulation.Simulator(design).run(None, 1).latency
    assert 0.9 * simulated <= bound <= simulated


def test_estimates_show_in_the_report():
    from qmfn.report.content import estimate_sections

    design = plan(expand=(POINTWISE, Folding(16, 8)))
    shown = estimate_sections(estimate_plan(design, TARGET).report_sections())
    (layers,) = (section for section in shown if section.heading == "Layers")
    assert [row[0] for row in layers.blocks[-1].rows] == [stage.name for stage in design.stages]
