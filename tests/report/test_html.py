"""The HTML report: says what the results say, needs no other file, and works in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.browser import answer, needs_chromium, screenshot
from helpers.pages import Page
from PIL import Image

from qmfn.errors import UserError
from qmfn.report import SECTIONS, html
from qmfn.report.content import design_document, layer_group
from qmfn.report.forms import bits
from qmfn.report.pictures import COLOURS, ROC_POINTS, roc_figure, verification_curves
from qmfn.report.tree import Roc
from qmfn.report.vendor import vendor_document

SHARES = ("lut", "ff", "dsp", "bram_18k", "uram")
WIDTHS = {"desktop": (1280, 3200), "phone": (390, 4200)}


def show(result: dict, **extra) -> Page:
    """The parsed page of a design."""
    return Page(html.render(design_document(result, **extra)))


@pytest.fixture
def everything(designed, evaluated, synthesised, tmp_path) -> Path:
    html.write(design_document(designed, evaluated, synthesised), tmp_path / "report.html")
    return tmp_path / "report.html"


def test_the_page_says_what_the_results_say(everything):
    text = Page(everything.read_text()).text
    for words in (
        "small", "ZCU104", "200 MHz", "Bit-exact", "4 faces, 9,192 values of 2 tensors, all equal", "Fits",
        "2,018 frames/s", "initiation interval 99,123 cycles per frame, set by bottleneck1_expand",
        "latency 123,456 cycles (0.617 ms)", "98.75 %", "95 % interval 97.50 – 99.25 %", "400 pairs",
        "13.7 %", "all 432 of 4 bits", "seeds 1 and 2, auc 0.9877", "3 FIFOs between the stages, 330 kbit",
        "bottleneck1_expand · 99,123 cycles", "TAR at FAR 0.1 %", "same person", "HLS code, C-simulated",
        "Vitis HLS 2024.1", "+25.0 %", "conv1: its report is cut off.", "name: small # <tiny> & quick",
        "python scripts/convert.py --config configs/small.yml", "cosine to the float embedding", "0.9876",
    ):  # fmt: skip
        assert words in text
    assert "Not done" not in text


def test_the_verdict_comes_first(everything):
    page = everything.read_text()
    assert page.index("Bit-exact") < page.index("What was built") < page.index("Resources</h2>")


def test_the_page_needs_nothing_from_elsewhere(everything):
    page = everything.read_text()
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", re.sub(r"<script>.*?</script>", "", page, flags=re.S))


def test_pictures_follow_the_theme(everything):
    page = everything.read_text()
    assert page.count("<svg") == 2 + 2 + 2  # pipeline and footprint for two widths, ROC, scores
    assert not any(placeholder in page for placeholder in COLOURS.values())
    style = page[page.index("<style>") : page.index("</style>")]
    for role in COLOURS:
        assert style.count(f"--{role}:") == 3, f"{role} needs a colour in light, dark and print"
    assert page.count("<style") == 1 and "DejaVu Sans'" not in page


def test_the_same_results_give_the_same_page(designed, evaluated):
    assert html.render(design_document(designed, evaluated)) == html.render(design_document(designed, evaluated))


def test_a_mismatch_is_a_failed_verdict(designed):
    designed["comparison"] |= {"mismatches": 3, "first_difference": "conv1_prelu at (0, 3, 1)"}
    designed["comparison"]["tensors"][1] |= {"mismatches": 3, "max_abs_difference": 0.25}
    text = show(designed).text
    assert "Differs" in text and "3 of 9,192 values differ, first in conv1_prelu" in text
    assert "conv1_prelu at (0, 3, 1)" in text and "0.25" in text
    assert "Bit-exact" not in text


def test_a_tensor_that_differs_outweighs_a_total_of_zero(designed):
    designed["comparison"]["tensors"][0]["mismatches"] = 1
    assert "1 of 9,192 values differ, first in conv1" in show(designed).text


def test_a_differing_embedding_of_the_evaluation_is_a_failed_verdict(designed, evaluated):
    text = show(designed, evaluation=evaluated | {"differing_embeddings": 2}).text
    assert "Differs" in text and "2 embeddings of the evaluation differ" in text and "Bit-exact" not in text


def test_a_failed_cosimulation_is_a_failed_verdict(designed, synthesised):
    text = show(designed, vendor=synthesised | {"cosimulation": {"status": "Fail"}}).text
    assert "Differs" in text and "co-simulation: Fail" in text


def test_what_does_not_fit_is_said(designed):
    designed["estimate"] |= {"fits": False, "share_high": dict.fromkeys(SHARES, 0.3) | {"lut": 32.28}}
    assert "Does not fit LUT at 3,228 %" in show(designed).text


def test_a_vendor_figure_outweighs_the_estimate(designed, synthesised):
    synthesised["total"]["c_synthesis"]["lut"] = 300_000
    text = show(designed, vendor=synthesised).text
    assert "Does not fit LUT at 130.2 % reported by C-synthesis" in text


@pytest.mark.parametrize("missing", SECTIONS)
def test_any_section_may_be_missing(designed, missing):
    del designed[missing]
    assert show(designed).text


def test_an_empty_result_says_what_was_not_done():
    text = show({}).text
    for words in ("Not compared", "Not estimated", "Not evaluated", "the C-simulation was not compared with Python",
                  "cycles and resources were not estimated", "accuracy was not evaluated"):  # fmt: skip
        assert words in text
    for heading in ("Resources", "Pipeline", "Layers", "Where the bits go", "Faces", "FIFOs", "vendor</h2>"):
        assert heading not in text


def test_no_compared_value_is_no_success(designed):
    designed["comparison"] |= {"images": 0, "tensors": []}
    text = show(designed).text
    assert "Not compared" in text and "Bit-exact" not in text


def test_folded_stages_show_their_folding_memories_and_fifos(designed):
    designed["estimate"]["layers"][0] |= {"simd": 3, "pe": 8, "memories": {"weights": "bram", "lines": "lutram"}}
    designed["fifo"]["fifos"] = [{"name": "conv1_out", "depth": 512, "width": 40}]
    designed["estimate"]["post_synthesis"] = {key: designed["estimate"][name]
                                              for key, name in (("expected", "total"), ("band", "band"))}  # fmt: skip
    text = show(designed).text
    assert "SIMD PE" in text and "weights bram, lines lutram" in text
    assert "conv1_out 512 40 20,480" in text
    assert "C-synthesis" not in text  # one count, that after synthesis


def test_a_stock_layer_has_no_empty_columns(designed):
    text = show(designed).text
    assert "SIMD" not in text and "Not used: URAM." in text


def test_abbreviations_are_explained_below_the_layers(designed):
    designed["estimate"]["layers"][0]["kind"] = "matvec"
    text = show(designed).text
    assert "RF reuse factor" in text and "BRAM blocks of 18 kbit; matvec a convolution as matrix times vector." in text
    assert "SIMD" not in text and "window gathers" not in text  # only what the table has


def test_a_library_from_the_cache_was_not_compiled_in_no_time(designed):
    designed["csim"]["compile_seconds"] = 0.03
    assert "converted in 1.5 s, compiled before, 3.4 faces/s" in show(designed).text


def test_shares_of_widths_say_what_they_count(designed):
    designed["footprint"]["layers"][0]["weight_width"] = 8
    assert "6.00 bits on average: 50.0 % have 8, 50.0 % have 4" in show(designed).text


def test_the_roc_begins_at_one_accepted_pair():
    """Below it there is nothing to see but a line up the edge."""
    roc = {"far": [0.0, 0.0, 0.01, 0.5, 1.0], "tar": [0.0, 0.8, 0.9, 0.95, 1.0]}
    (line,) = roc_figure(Roc(roc, 0.01)).axes[0].lines
    assert list(line.get_xdata()) == [0.01, 0.5, 1.0] and line.get_ydata()[0] == 0.9


def test_an_evaluation_without_curves_has_figures_alone(designed, evaluated):
    del evaluated["curves"]
    text = show(designed, evaluation=evaluated).text
    assert "98.75 %" in text and "ROC" not in text.replace("area under ROC", "")


def test_texts_are_escaped(designed):
    designed["design"]["name"] = "<script>alert(1)</script>"
    assert "<script>alert(1)</script>" in show(designed).text


def test_curves_are_small_and_end_at_the_corners():
    random = np.random.default_rng(1)
    same = random.random(20_000) < 0.5
    curves = verification_curves(random.normal(same * 0.1, 0.3).clip(-1, 1), same)
    assert len(curves["roc"]["far"]) <= ROC_POINTS
    assert [curves["roc"][rate][end] for rate in ("far", "tar") for end in (0, -1)] == [0, 1, 0, 1]
    assert sum(curves["scores"]["same"]) + sum(curves["scores"]["different"]) == 20_000


def test_a_folder_that_is_a_file_is_an_error_that_names_it(designed, tmp_path):
    (tmp_path / "blocked").write_text("")
    with pytest.raises(UserError, match="blocked/report.html"):
        html.write(design_document(designed), tmp_path / "blocked" / "report.html")


@pytest.mark.parametrize(
    ("name", "group"), [("bottleneck3_expand_prelu", "3"), ("clone_bottleneck1_project", "1"), ("gdconv", "gdconv")]
)
def test_stages_are_grouped_by_bottleneck(name, group):
    assert layer_group(name) == group


@pytest.mark.parametrize(("number", "words"), [(512, "512 bit"), (4_110_000, "4.11 Mbit"), (330_448, "330 kbit")])
def test_bits_have_a_prefix(number, words):
    assert bits(number).replace("\u00a0", " ") == words


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize(("theme", "number"), [("light", 1), ("dark", 0)])
def test_the_page_opens_in_a_browser(everything, tmp_path, device, theme, number):
    shot = tmp_path / f"{theme}-{device}.png"
    screenshot(everything, shot, *WIDTHS[device], f"--blink-settings=preferredColorScheme={number}")
    pixels = np.asarray(Image.open(shot).convert("L"), dtype=int)
    assert pixels.shape == WIDTHS[device][::-1]
    background = np.median(pixels)
    assert background > 240 if theme == "light" else background < 40
    assert (abs(pixels - background) > 60).mean() > 0.01  # there is something on it


@pytest.mark.slow
@needs_chromium
def test_nothing_is_wider_than_a_phone_and_a_click_sorts(everything, tmp_path):
    script = """(() => {
    const headings = [...document.querySelectorAll("#layers thead button")];
    const first = () => document.querySelector("#layers tbody th").textContent;
    headings.find((button) => button.textContent === "cycles").click();
    const most = first();
    headings.find((button) => button.textContent === "cycles").click();
    return [document.documentElement.scrollWidth, most, first()].join(" ");
    })()"""
    width = WIDTHS["phone"][0]
    assert answer(everything, tmp_path, width, script) == f"{width} bottleneck1_expand conv1_prelu"


@needs_chromium
def test_a_vendors_long_names_are_not_wider_than_a_phone(synthesised, tmp_path):
    name = "conv_2d_cl_array_ap_fixed_8u_array_ap_fixed_16_6_5_3_0_13u_config6_s"
    synthesised["rows"][0]["name"] = name
    folder = f"/home/somebody/{name}"
    synthesised |= {"project": folder, "problems": [f"{folder}/report.json: no estimates."]}
    html.write(vendor_document(synthesised), tmp_path / "page.html")
    width = WIDTHS["phone"][0]
    assert answer(tmp_path / "page.html", tmp_path, width, "document.documentElement.scrollWidth") == str(width)
