"""The pragma checker finds each kind of mistake, and none in what is known to be right."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from qmfn.backends.hls4ml.pragmas import active_source, check_pragmas, directives
from qmfn.stock import qprelu

TEMPLATES = Path(qprelu.__file__).parent / "templates"
HLS4ML = Path(find_spec("hls4ml").origin).parent / "templates"
BOTH = ("Vitis", "Vivado")

FUNCTION = """
namespace nnet {{
template <class data_T, unsigned N, typename CONFIG_T = other<(N > 3)>>
void stage(hls::stream<data_T> &data, hls::stream<res_T> &res, const weight_t (&rom)[N], int *pointer) {{
    static const ap_uint<(N + 1)> table[N][4] = {{ {{1, 2}}, {{3}} }};
    ap_int<8> low, high[N], *far = 0;
    hls::stream<data_T> between("between");
    PACK(low)
    unsigned counter = low < high[0] ? 1 : 2;
StageLoop:
    for (unsigned i = 0; i < N; i++) {{
        data_T beat = data.read();
        if (i == 3) {{ int hidden = 4; }}
        #pragma HLS {}
    }}
    int later;
}}
}} // namespace nnet
"""


def problems(pragma: str, tool: str = "Vitis") -> list[str]:
    return check_pragmas(FUNCTION.format(pragma), tool, "stage.h")


@pytest.mark.parametrize("tool", BOTH)
@pytest.mark.parametrize(
    "pragma",
    [
        "PIPELINE II=1",
        "pipeline II = CONFIG_T::reuse_factor * 2 rewind // why",
        "UNROLL",
        "DATAFLOW",
        "INLINE recursive",
        "INTERFACE axis port=data,res",
        "INTERFACE ap_ctrl_none port=return",
        "STREAM variable=between depth=N+1",
        "ARRAY_PARTITION variable = table complete dim = 0",
        "ARRAY_PARTITION variable=table cyclic factor=2 dim=1",
        "ARRAY_RESHAPE variable=high block factor=(N / 2)",
        "DEPENDENCE variable=high inter false",
        "DEPENDENCE variable=high inter RAW true distance=3",
        "ALLOCATION operation instances=mul limit=CONFIG_T::limit",
        "FUNCTION_INSTANTIATE variable=rom,pointer",
        "ARRAY_PARTITION variable=CONFIG_T::pixels complete",
        "ARRAY_PARTITION variable=far complete",
        "ARRAY_PARTITION variable=counter complete",
        "ARRAY_PARTITION variable=beat complete",
        "LOOP_TRIPCOUNT min=1 max=N",
        "ALLOCATION function instances=pool<typename CONFIG_T::sum_t, 4> limit=1",
    ],
)
def test_what_both_tools_know_passes(pragma, tool):
    assert problems(pragma, tool) == []


@pytest.mark.parametrize(
    "tool, pragma",
    [
        ("Vitis", "BIND_STORAGE variable=table type=rom_np impl=bram latency=2"),
        ("Vitis", "BIND_STORAGE variable=between type=FIFO impl=SRL"),
        ("Vitis", "BIND_OP variable=low op=mul impl=dsp"),
        ("Vitis", "AGGREGATE variable=beat compact=bit"),
        ("Vitis", "ARRAY_PARTITION variable=table type=complete"),
        ("Vitis", "INTERFACE mode=s_axilite port=return bundle=control"),
        ("Vivado", "RESOURCE variable=table core=ROM_nP_LUTRAM"),
        ("Vivado", "RESOURCE variable=high core=XPM_MEMORY uram"),
        ("Vivado", "DATA_PACK variable=beat"),
        ("Vivado", "UNROLL region"),
    ],
)
def test_what_one_tool_knows_passes_for_it_alone(tool, pragma):
    assert problems(pragma, tool) == []
    assert problems(pragma, "Vivado" if tool == "Vitis" else "Vitis")


@pytest.mark.parametrize(
    "tool, pragma, said",
    [
        ("Vitis", "PIPELIN II=1", "#pragma HLS PIPELIN: Vitis HLS has no such directive."),
        ("Vitis", "RESOURCE variable=table core=ROM_1P", "#pragma HLS RESOURCE: Vitis HLS has no such directive."),
        ("Vivado", "PIPELINE I=1", "#pragma HLS PIPELINE: has no option I=; Vivado HLS knows II."),
        ("Vivado", "PIPELINE off", "#pragma HLS PIPELINE: doesn't know the word 'off'; "
         "Vivado HLS knows enable_flush, rewind."),
        ("Vitis", "PIPELINE II=", "#pragma HLS PIPELINE: II has no value."),
        ("Vitis", "PIPELINE II='x'", "#pragma HLS PIPELINE: II='x' is no number or constant expression."),
        ("Vitis", "PIPELINE II=1 II=2", "#pragma HLS PIPELINE: II is given twice."),
        ("Vitis", "BIND_STORAGE variable=table type=rom_np impl=ultraram", "#pragma HLS BIND_STORAGE: impl=ultraram is "
         "none of bram, bram_ecc, lutram, uram, uram_ecc, srl, memory, auto."),
        ("Vitis", "BIND_STORAGE variable=table", "#pragma HLS BIND_STORAGE: type is missing."),
        ("Vitis", "ARRAY_RESHAPE variable=table cyclic", "#pragma HLS ARRAY_RESHAPE: factor is missing."),
        ("Vivado", "DEPENDENCE variable=high inter", "#pragma HLS DEPENDENCE: dependent is missing."),
        ("Vitis", "STREAM depth=3", "#pragma HLS STREAM: variable is missing."),
        ("Vitis", "STREAM variable=betwen depth=3", "#pragma HLS STREAM: variable=betwen names no variable or "
         "parameter in stage()."),
        ("Vitis", "ARRAY_PARTITION variable=later complete", "#pragma HLS ARRAY_PARTITION: variable=later names no "
         "variable or parameter in stage()."),
        ("Vitis", "ARRAY_PARTITION variable=hidden complete", "#pragma HLS ARRAY_PARTITION: variable=hidden names no "
         "variable or parameter in stage()."),
        ("Vitis", "ARRAY_PARTITION variable=CONFIG::x complete", "#pragma HLS ARRAY_PARTITION: variable=CONFIG::x "
         "names no variable or parameter in stage()."),
        ("Vitis", "INTERFACE axis port=between", "#pragma HLS INTERFACE: port=between names no parameter of stage()."),
        ("Vivado", "RESOURCE variable=table core=ROM_nP_URAM", None),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tool, pragma, said):
    found = problems(pragma, tool)
    assert len(found) == 1
    assert found[0].startswith("stage.h:14: #pragma HLS ")
    assert said is None or found == [f"stage.h:14: {said}"]


def test_misspelt_families_and_places_are_found():
    assert check_pragmas("#pragma once\n#pragma HSL UNROLL\n", "Vitis", "a.h") == [
        "a.h:2: #pragma HSL UNROLL: 'HSL' is no family of pragmas."
    ]
    assert check_pragmas("struct S {\n#pragma HLS UNROLL\n};\n", "Vitis", "a.h") == [
        "a.h:2: #pragma HLS UNROLL: stands outside a function."
    ]
    assert check_pragmas("#pragma HLS\n", "Vitis", "a.h") == ["a.h:1: #pragma HLS: names no directive."]


def test_the_other_tools_branches_are_skipped():
    source = """void f(int x[4]) {
#ifdef __VITIS_HLS__
    #pragma HLS BIND_STORAGE variable=x type=ram_2p \\
        impl=bram
#else
    #pragma HLS RESOURCE variable=x core=RAM_2P_BRAM
#endif
    /* #pragma HLS NONSENSE */
    _Pragma("HLS INLINE of")
}
"""
    for tool, word in (("Vitis", "recursive, off"), ("Vivado", "region, recursive, off")):
        assert check_pragmas(source, tool, "f.h") == [
            f"f.h:9: #pragma HLS INLINE: doesn't know the word 'of'; {tool} HLS knows {word}."
        ]


def test_what_a_function_includes_is_declared(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "s.h").write_text("// of s\nstatic const int table[2][2] = {\n{1, 2},\n{3, 4},\n};\n")
    source = """#include "weights/s.h"
void s() {
    #include "weights/s.h"
    #pragma HLS BIND_STORAGE variable=table type=rom_np
    #pragma HLS BIND_STORAGE variable=tabel type=rom_np
}
"""
    wrong = "names no variable or parameter in s()."
    assert check_pragmas(source, "Vitis", "s.h", folder=tmp_path) == [
        f"s.h:5: #pragma HLS BIND_STORAGE: variable=tabel {wrong}"
    ]
    assert len(check_pragmas(source, "Vitis", "s.h")) == 2


@pytest.mark.parametrize(
    "source, left",
    [
        ("#ifdef A\na\n#else\nb\n#endif", "a"),
        ("#ifndef A\na\n#elif defined(B)\nb\n#else\nc\n#endif", "c"),
        ("#if 0\na\n#elif 1\nb\n#else\nc\n#endif", "b"),
        ("#if !defined B\n#define B\n#endif\n#ifdef B\nb\n#endif", "#define B b"),
        ("#if X > 3\na\n#else\nb\n#endif", "a b"),
        ("#ifdef B\n#ifdef A\na\n#endif\n#else\nb\n#endif", "b"),
    ],
)
def test_conditional_compilation(source, left):
    kept = active_source(source, {"A"})
    assert kept.split() == left.split()
    assert kept.count("\n") == source.count("\n")


@pytest.mark.parametrize("tool", BOTH)
def test_templates_pass(tool):
    files = sorted(TEMPLATES.glob("*.h"))
    assert files
    for file in files:
        assert check_pragmas(file.read_text(), tool, file.name) == []


def test_kernels_of_hls4ml_pass():
    """Real code that Vivado HLS takes: whatever is found there would be C++ that is read wrongly."""
    found = [
        problem
        for file in sorted((HLS4ML / "vivado" / "nnet_utils").glob("*.h"))
        if file.name != "nnet_garnet.h"  # member initialisers in braces hide the constructors' parameters
        for problem in check_pragmas(file.read_text(), "Vivado", file.name)
    ]
    assert found == []


@pytest.mark.parametrize("tool", BOTH)
def test_every_row_has_a_source_and_a_form(tool):
    guide = {"Vitis": "UG1399", "Vivado": "UG902"}[tool]
    for options in directives(tool).values():
        for option in options:
            assert option.source.startswith(guide)
            assert option.form in ("key", "word", "either")
            assert option.form == "key" or not option.values[0].startswith("<")
