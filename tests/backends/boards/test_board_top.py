"""The top level for boards, compiled against hls4ml's types around a stand-in network: bytes in, words out, TLAST."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from qmfn.backends.boards.write import CSIM_HEADERS, BoardDesign, write_board_files
from qmfn.backends.hls4ml.pragmas import check_pragmas
from qmfn.devices.boards import boards, find_board
from qmfn.errors import UserError
from qmfn.network.fixed import FixedType
from qmfn.simulation.compiler import find_compiler

VIVADO = Path(find_spec("hls4ml").origin).parent / "templates" / "vivado"
SIZE, EMBEDDING, LANES, OUTPUT = 4, 6, 3, FixedType.requantising(5, 2)

# Sums of the pixels' steps in three lanes, twice, so that values of both signs pass the narrow output type.
NETWORK_H = f"""
#ifndef QMFN_H_
#define QMFN_H_
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "nnet_utils/nnet_types.h"
typedef nnet::array<ap_fixed<8, 1>, 3> input_t;
typedef nnet::array<ap_fixed<5, 2, AP_RND_CONV, AP_SAT, 0>, {LANES}> result_t;
void qmfn(hls::stream<input_t> &pixels, hls::stream<result_t> &embedding);
#endif
"""
NETWORK_CPP = f"""
#include "qmfn.h"
void qmfn(hls::stream<input_t> &pixels, hls::stream<result_t> &embedding) {{
    ap_fixed<24, 17> sums[3] = {{0, 0, 0}};
    for (int i = 0; i < {SIZE * SIZE}; i++) {{
        input_t pixel = pixels.read();
        for (int c = 0; c < 3; c++)
            sums[c] += (i + 1) * pixel[c];
    }}
    for (int beat = 0; beat < {EMBEDDING // LANES}; beat++) {{
        result_t values;
        for (int c = 0; c < 3; c++)
            values[c] = beat ? ap_fixed<24, 17>(-sums[c]) : sums[c];
        embedding.write(values);
    }}
}}
"""
MAIN_CPP = """
#include "board_top.h"
#include <cstdio>
int main() {
    hls::stream<board_beat_t> in, out;
    unsigned word;
    while (std::scanf("%u", &word) == 1) {
        board_beat_t beat;
        beat.data = word;
        beat.last = 0;
        in.write(beat);
    }
    while (!in.empty())
        qmfn_board(in, out);
    while (!out.empty()) {
        const board_beat_t beat = out.read();
        std::printf("%d %u %u\\n", int(beat.data.to_uint()), beat.last.to_uint(), beat.keep.to_uint());
    }
}
"""


def design(**changes) -> BoardDesign:
    values = {"image_size": SIZE, "embedding_size": EMBEDDING, "output": OUTPUT, "clock_period_ns": 5.0}
    return BoardDesign(**{**values, "tool": "Vitis", **changes})


def written(folder: Path, **changes) -> Path:
    (folder / "firmware").mkdir(parents=True)
    (folder / "firmware" / "qmfn.h").write_text(NETWORK_H)
    (folder / "firmware" / "qmfn.cpp").write_text(NETWORK_CPP)
    write_board_files(folder, boards()["zcu104"], design(**changes))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("tool, control", [("Vitis", "none"), ("Vivado", "axi_lite")])
def test_bytes_in_are_values_and_values_out_are_words(tmp_path, tool, control):
    folder = written(tmp_path / "project", tool=tool, control=control)
    (folder / "main.cpp").write_text(MAIN_CPP)
    sources = [folder / "firmware" / "board_top.cpp", folder / "firmware" / "qmfn.cpp", folder / "main.cpp"]
    warnings = ["-Wall", "-Wextra", "-pedantic", "-Wno-unknown-pragmas", "-Werror"]
    includes = [f"-I{folder / 'firmware'}", "-isystem", VIVADO / "ap_types", "-isystem", VIVADO]
    command = [*find_compiler(), "-std=c++11", *warnings, *includes, "-isystem", CSIM_HEADERS, *sources]
    subprocess.run([*command, "-o", folder / "board"], check=True)

    pixels = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    pixels[1] = 128  # the embedding of zeros is zero
    pixels[2] = pixels[2] // 64 + 126  # small sums, which don't saturate
    words = " ".join(map(str, np.frombuffer(pixels.tobytes(), "<u4")))
    output = subprocess.run([folder / "board"], input=words, text=True, capture_output=True, check=True).stdout
    values, last, keep = np.loadtxt(output.splitlines(), dtype=int).T

    weights = np.arange(1, SIZE * SIZE + 1)
    sums = np.einsum("npc,p->nc", pixels.reshape(3, -1, 3).astype(int) - 128, weights) / 128
    steps = np.clip(np.rint(np.hstack([sums, -sums]) * 8), -16, 15)  # rint rounds half to even, as the type does
    assert len(np.unique(steps)) > 4 and steps.min() < 0 < steps.max()
    np.testing.assert_array_equal(values.reshape(3, -1), steps)
    np.testing.assert_array_equal(last.reshape(3, -1), [[0] * (EMBEDDING - 1) + [1]] * 3)
    assert (keep == 15).all()


@pytest.mark.parametrize("tool", ["Vitis", "Vivado"])
@pytest.mark.parametrize("control", ["none", "axi_lite"])
def test_pragmas_of_the_top_level_are_right(tmp_path, tool, control):
    folder = written(tmp_path / "project", tool=tool, control=control)
    source = (folder / "firmware" / "board_top.cpp").read_text()
    assert check_pragmas(source, tool, "board_top.cpp") == []
    assert ("s_axilite" in source) == (control == "axi_lite")
    assert ("ap_ctrl_none" in source) == (control == "none")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"image_size": 5}, "a frame of 75 bytes is no whole number of 32-bit beats"),
        ({"output": FixedType(33, 2)}, "embedding values of 33 bits don't fit"),
    ],
)
def test_what_does_not_fit_the_streams_is_an_error(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        written(tmp_path / "project", **changes)
    assert not (tmp_path / "project" / "qmfn_board.json").exists()


def test_boards_are_found_by_their_part():
    assert find_board("xck26-sfvc784-2lv-c").name == "kv260"
    assert find_board("xczu7ev-ffvc1156-2-e").name == "zcu104"
    assert find_board("xcku040-ffva1156-2-e") is None
