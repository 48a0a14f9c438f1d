"""`FixedType` against the vendor's ap_fixed, in every rounding and overflow mode."""

from __future__ import annotations

import itertools
import subprocess

import numpy as np
import pytest

from qmfn.network.fixed import OVERFLOWS, ROUNDINGS, FixedType, common_exponents, type_of_range, type_of_values
from qmfn.packages import package_folder

AP_TYPES = package_folder("hls4ml") / "templates" / "vivado" / "ap_types"
SOURCES = (FixedType(7, 3), FixedType(6, 6, signed=False))
SIZES = ((4, 2), (3, 3), (5, -1), (8, 4), (2, 5))

PROGRAM = """
#include "ap_fixed.h"
#include <cstdio>
template <class from_T, class to_T> void assign() {{
    for (int n = 0; n < 1 << from_T::width; n++) {{
        from_T from;
        from.range(from_T::width - 1, 0) = n;
        const to_T to = from;
        ap_int<to_T::width> bits = 0;
        bits.range(to_T::width - 1, 0) = to.range(to_T::width - 1, 0);
        printf("%d ", int(ap_uint<to_T::width>(bits)));
    }}
    printf("\\n");
}}
int main() {{
{calls}
}}
"""


def cpp(fixed: FixedType) -> str:
    modes = f"AP_{fixed.rounding}, AP_{fixed.overflow}"
    return f"ap_{'' if fixed.signed else 'u'}fixed<{fixed.width}, {fixed.integer}, {modes}>"


def every_integer(fixed: FixedType) -> np.ndarray:
    """In the order of their bits as an unsigned number."""
    numbers = np.arange(2**fixed.width)
    return np.where(numbers >= 2 ** (fixed.width - 1), numbers - 2**fixed.width, numbers) if fixed.signed else numbers


@pytest.mark.slow
def test_every_assignment_is_that_of_ap_fixed(tmp_path):
    targets = [
        FixedType(width, integer, signed, rounding, overflow)
        for (width, integer), signed, rounding, overflow in itertools.product(
            SIZES, (True, False), ROUNDINGS, OVERFLOWS
        )
        if signed or overflow != "WRAP_SM"  # ap_ufixed has none
    ]
    pairs = list(itertools.product(SOURCES, targets))
    calls = "\n".join(f"    assign<{cpp(source)}, {cpp(target)}>();" for source, target in pairs)
    (tmp_path / "assign.cpp").write_text(PROGRAM.format(calls=calls))
    command = ["g++", "-std=c++11", "-w", "-O0", f"-I{AP_TYPES}", "assign.cpp", "-o", "assign"]
    subprocess.run(command, cwd=tmp_path, check=True)
    lines = subprocess.run([tmp_path / "assign"], capture_output=True, text=True, check=True).stdout.splitlines()
    for (source, target), line in zip(pairs, lines, strict=True):
        found = target.convert(every_integer(source), source.exponent) % 2**target.width
        wanted = np.array(line.split(), int)
        assert np.array_equal(found, wanted), f"{source} -> {target}"


@pytest.mark.parametrize("fixed", [FixedType(4, 2), FixedType(5, 7), FixedType(4, -3), FixedType(3, 1, signed=False)])
def test_a_type_holds_another_iff_it_holds_all_its_values(fixed):
    mine = set(every_integer(fixed) * 2.0**fixed.exponent)
    for width, integer, signed in itertools.product((1, 2, 3, 4), (-3, 0, 1, 2, 5), (True, False)):
        other = FixedType(width, integer, signed)
        assert fixed.holds(other) == (set(every_integer(other) * 2.0**other.exponent) <= mine), other


def test_the_narrowest_type_of_values():
    assert type_of_values(np.array([0.5, -0.25])) == FixedType(3, 1)
    assert type_of_values(np.zeros(3)) == FixedType(2, 2)
    assert type_of_values(np.array([96.0])) == FixedType(3, 8)
    assert type_of_range(-1.0, 0.75, -2) == FixedType(3, 1)


def test_common_exponents_are_of_columns():
    values = np.array([[6.0, 0.0, 0.5], [-12.0, 0.0, 3.0]])
    assert common_exponents(values).tolist()[::2] == [1, -1]
    assert common_exponents(values)[1] > 100
