"""A report says what the result says, on disk and on the terminal."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from qmfn.errors import UserError
from qmfn.report import SECTIONS, atomic_write_text, show, write
from qmfn.report.content import design_document

RESOURCES = ("lut", "ff", "dsp", "bram_18k", "uram")


def layer(name: str) -> dict:
    return {
        "layer": name,
        "kind": "zero_padding",
        "reuse_factor": 4096,
        "multipliers": 1024,
        "cycles": 12_345_678,
        **dict.fromkeys(RESOURCES, 123_456),
        "weight_bits": 1_048_576,
        "activation_bits": 4,
        "accumulator_bits": 16,
        "band": dict.fromkeys(RESOURCES, [98_765, 234_567]),
    }


@pytest.fixture
def result() -> dict:
    return {
        "design": {"name": "w4a4", "backend": "Vitis", "part": "xck26-sfvc784-2LV-c", "clock_period_ns": 5.0},
        "footprint": {
            "float_bits": 32_000_000,
            "weight_bits": 3_904_000,
            "exponent_bits": 30_000,
            "bias_bits": 60_000,
            "slope_bits": 40_000,
            "total_bits": 4_034_000,
            "weight_share": 0.1258,
            "share": 0.1261,
            "layers": [{"layer": "conv1", "weights": 1728, "weight_bits": 4}],
        },
        "comparison": {
            "images": 8,
            "mismatches": 0,
            "tensors": [
                {"layer": "conv1", "values": 1000, "mismatches": 0, "max_abs_difference": 0.0},
                {"layer": "embedding", "values": 1024, "mismatches": 0, "max_abs_difference": 0.0},
            ],
            "cosine_to_float": 0.9876,
        },
        "verification": {
            "frames": 3, "stages": 63, "mismatches": 0, "interval_cycles": 154_368, "first_frame_cycles": 350_530,
        },
        "csim": {"convert_seconds": 31.25, "compile_seconds": 22.5, "images_per_second": 3.4},
        "estimate": {
            "layers": [layer("bottleneck15_depthwise_prelu"), layer("conv1")],
            "tool": "Vitis HLS 2023.1",
            "total": dict.fromkeys(RESOURCES, 250_000),
            "band": dict.fromkeys(RESOURCES, [200_000, 300_000]),
            "post_synthesis": {
                "expected": dict.fromkeys(RESOURCES, 125_000),
                "band": dict.fromkeys(RESOURCES, [60_000, 180_000]),
            },
            "available": dict.fromkeys(RESOURCES, 200_000) | {"lut": 1_000_000},
            "share": dict.fromkeys(RESOURCES, 1.25) | {"lut": 0.25},
            "share_high": dict.fromkeys(RESOURCES, 1.5) | {"lut": 0.3},
            "fits": False,
            "interval_cycles": 663_349,
            "latency_cycles": 1_234_567,
            "frames_per_second": 301.5,
            "bottleneck": "conv1",
            "clock_mhz": 200.0,
        },
        "fifo": {"count": 139, "bits": 103_900_000},
    }


def printed(result: dict) -> str:
    console = Console(file=io.StringIO(), width=120)
    show(design_document(result).sections, console)
    return console.file.getvalue()


def test_the_json_is_the_result(result, tmp_path):
    write(tmp_path / "reports" / "w4a4", result)
    assert json.loads((tmp_path / "reports" / "w4a4" / "report.json").read_text()) == result


def test_numpy_values_and_paths_become_plain_json(tmp_path):
    write(tmp_path, {"csim": {"images_per_second": np.float32(2.5)}, "design": {"config": Path("w4a4.yml")}})
    written = json.loads((tmp_path / "report.json").read_text())
    assert written == {"csim": {"images_per_second": 2.5}, "design": {"config": "w4a4.yml"}}


def test_a_bit_exact_result_is_called_so_first(result, tmp_path):
    write(tmp_path, result)
    markdown = (tmp_path / "report.md").read_text()
    verdict, extent = "HLS code against Python", "8 faces, 2,024 values of 2 tensors, all equal"
    title, about, heading, first, *_ = markdown.split("\n\n")
    assert (title, heading) == ("# w4a4", "## Verdict") and "xck26-sfvc784-2LV-c, 200 MHz, Vitis" in about
    assert first.startswith(f"- {verdict}: **Bit-exact**, {extent}")
    assert printed(result).startswith(f"Verdict\n{verdict} Bit-exact")
    assert extent in printed(result)


def test_a_difference_names_the_first_differing_layer(result):
    result["comparison"]["mismatches"] = 3
    result["comparison"]["tensors"][1] |= {"mismatches": 3, "max_abs_difference": 0.25}
    result["comparison"]["first_difference"] = {"layer": "embedding", "index": [0, 5]}
    text = printed(result)
    assert "3 of 2,024 values differ, first in embedding" in text
    assert "first difference" in text and "layer embedding, index 0 and 5" in text
    assert "Bit-exact" not in text


def test_a_tensor_that_differs_outweighs_a_total_of_zero(result):
    result["comparison"]["tensors"][0]["mismatches"] = 1
    assert "Bit-exact" not in printed(result) and "1 of 2,024 values differ" in printed(result)


def test_a_result_without_counted_values_is_not_called_bit_exact(result):
    result["comparison"] |= {"images": 0, "tensors": []}
    assert "Bit-exact" not in printed(result)


def test_what_does_not_fit_is_marked(result, tmp_path):
    write(tmp_path, result)
    lines = (tmp_path / "report.md").read_text().splitlines()
    band, after = "200,000 - 300,000", "post-synthesis | 125,000 | 60,000 - 180,000"
    assert f"| DSP | C-synthesis | 250,000 | {band} | 200,000 | 125.0 % | **150.0 %** | **does not fit** |" in lines
    assert f"| LUT | C-synthesis | 250,000 | {band} | 1,000,000 | 25.0 % | 30.0 % |  |" in lines
    assert f"|  | {after} | 200,000 | 62.5 % | **90.0 %** |  |" in lines
    assert "3,088 LUT" in "".join(lines)  # the FIFOs' part
    text = printed(result)
    assert text.count("does not fit") == 4 and "on the device           Does not fit" in text


def test_every_estimate_is_labelled_estimated(result, tmp_path):
    write(tmp_path, result)
    for text in ((tmp_path / "report.md").read_text(), printed(result)):
        text = " ".join(text.replace("*", "").split())
        assert "301.5 frames/s (estimated) at 200 MHz: initiation interval 663,349 cycles per frame" in text
        assert "set by conv1" in text
        assert "C-synthesis" in text and "post-synthesis" in text
        assert "Resources Estimated: what" in text and "Layers One row per stage, estimated." in text
        assert "139 FIFOs between the stages, 104 Mbit in all" in text
        assert "3,088 BRAM_18K, 3,088 URAM (estimated)" in text


def test_the_terminal_report_fits_120_columns_without_cutting_numbers(result):
    text = printed(result)
    assert max(map(len, text.splitlines())) <= 120
    row = next(line for line in text.splitlines() if line.startswith("bottleneck15_depthwise_prelu"))
    assert "12,345,678" in row and "98.8 - 234.6" in row


def test_brackets_in_values_are_printed_as_they_are(result):
    result["design"]["config"] = "configs/[draft].yml"
    assert "configs/[draft].yml" in printed(result)


@pytest.mark.parametrize("missing", SECTIONS)
def test_any_section_may_be_missing(result, tmp_path, missing):
    del result[missing]
    write(tmp_path, result)
    assert missing not in json.loads((tmp_path / "report.json").read_text())
    assert printed(result)


def test_an_empty_result_says_that_nothing_was_compared(tmp_path):
    write(tmp_path, {})
    assert "Not compared" in (tmp_path / "report.md").read_text()
    assert "Not compared" in printed({})


def test_fifos_are_reported_without_an_estimate(result):
    del result["estimate"]
    assert "104 Mbit" in printed(result)


def test_an_unknown_section_is_refused(result, tmp_path):
    with pytest.raises(ValueError, match="estimates"):
        write(tmp_path, result | {"estimates": {}})


def test_a_folder_that_is_a_file_is_an_error_that_names_it(result, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    with pytest.raises(UserError, match="blocked/report.json"):
        write(blocked, result)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error_that_names_it(result, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="report.json"):
        write(tmp_path, result)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    atomic_write_text(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        atomic_write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
