"""Designs side by side: terminal, JSON, page, picture, and what can be wrong with their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qmfn.cli.compare import COMMAND
from qmfn.errors import UserError
from qmfn.report.compare import read_designs, trade_offs
from qmfn.report.tree import Point, TradeOff

main = COMMAND.main


@pytest.fixture
def designs(designed, evaluated, tmp_path) -> tuple[Path, Path]:
    """Two converted designs; the second one is a draft: slower, not evaluated, wrong."""
    folders = tmp_path / "small", tmp_path / "draft"
    for folder in folders:
        folder.mkdir()
    (folders[0] / "report.json").write_text(json.dumps(designed))
    (folders[0] / "evaluation.json").write_text(json.dumps(evaluated))
    designed["design"]["name"] = "draft"
    designed["comparison"]["mismatches"] = 1
    designed["estimate"] |= {"frames_per_second": 500.0, "fits": False}
    (folders[1] / "report.json").write_text(json.dumps(designed))
    return folders


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_table_has_a_line_per_design(designs, capsys):
    assert main([str(path) for path in designs]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 120
    resources = ["30,000", "60,000", "12", "7", "0"]
    bits = ["4.00", "2.03", "kbit", "13.69", "%"]
    assert ["small", "ZCU104", "bit-exact", "fits", "2,018", "98.75", "%", *bits, *resources] in lines(printed)
    assert ["draft", "ZCU104", "differs", "does", "not", "fit", "500.0", "-", *bits, *resources] in lines(printed)


def test_a_folder_and_its_report_are_the_same(designs):
    by_file, by_folder = (read_designs([path])[0] for path in (designs[0] / "report.json", designs[0]))
    assert by_file == by_folder


def test_the_json_has_every_figure(designs, tmp_path):
    main([*map(str, designs), "--json", str(tmp_path / "out.json")])
    first, second = json.loads((tmp_path / "out.json").read_text())["designs"]
    assert first["bit_exact"] is True and second["bit_exact"] is False
    assert first["accuracy_interval"] == [0.975, 0.9925] and second["accuracy"] is None
    assert first["resources"]["lut"] == {"expected": 30_000, "low": 15_000, "high": 60_000,
                                         "share_high": pytest.approx(60_000 / 230_400)}  # fmt: skip


def test_the_page_needs_no_other_file(designs, tmp_path):
    main([*map(str, designs), "--html", str(tmp_path / "deep" / "compare.html")])
    page = (tmp_path / "deep" / "compare.html").read_text()
    for words in ("small · draft", "bit-exact", "differs", "does not fit", "Trade-offs", "verification accuracy"):
        assert words in page
    assert page.count("<svg") == 2 and "http" not in page


@pytest.mark.parametrize(
    ("name", "start"), [("p.png", b"\x89PNG"), ("p.pdf", b"%PDF"), ("p.svg", b"<?xml"), ("p", b"\x89PNG")]
)
def test_the_suffix_says_the_format_of_the_picture(designs, tmp_path, name, start):
    assert main([*map(str, designs), "--picture", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(start)


def test_an_unknown_format_is_an_error(designs, tmp_path, capsys):
    assert main([str(designs[0]), "--picture", str(tmp_path / "p.bmpp")]) == 1
    assert "p.bmpp: the picture can't be written" in capsys.readouterr().err
    assert not (tmp_path / "p.bmpp").exists()


def test_designs_of_one_name_are_told_apart(designs):
    first, second = read_designs([designs[0], designs[0] / "report.json"])
    assert first.name == f"small ({designs[0]})" and second.name.endswith("report.json)")


def test_a_design_without_sections_is_a_row_of_dashes(tmp_path, capsys):
    (tmp_path / "report.json").write_text("{}")
    assert main([str(tmp_path)]) == 0
    assert [tmp_path.name, *["-"] * 13] in lines(capsys.readouterr().out)


def test_nothing_to_draw_is_an_error(tmp_path, capsys):
    (tmp_path / "report.json").write_text("{}")
    assert main([str(tmp_path), "--picture", str(tmp_path / "p.png")]) == 1
    assert "nothing to draw" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("report.json", None, "does not exist; convert the design first"),
        ("report.json", "{", "is no JSON"),
        ("report.json", "[]", "holds no result of a design"),
        ("report.json", '{"estimate": {"layers": []}}', "is no report of scripts/convert.py"),
        ("evaluation.json", "{", "evaluate the design again"),
        ("evaluation.json", '{"accuracy": 1}', "accuracy_interval"),
    ],
)
def test_a_bad_file_is_an_error_that_names_it(designs, name, text, complaint):
    path = designs[0] / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=complaint) as raised:
        read_designs([designs[0]])
    assert str(designs[0]) in str(raised.value)


def test_the_best_are_those_that_no_other_beats():
    points = [Point("a", 1, 10), Point("b", 2, 9), Point("c", 2, 12), Point("d", 3, 12), Point("e", 4, 20)]
    assert [point.name for point in TradeOff("x", "y", tuple(points)).best] == ["a", "c", "e"]


def test_trade_offs_need_both_figures(designs):
    speed, accuracy = trade_offs(read_designs(designs))
    assert [point.name for point in speed.points] == ["small", "draft"]
    assert [point.name for point in accuracy.points] == ["small"]
