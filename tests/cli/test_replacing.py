"""`convert` into a folder where something is: what it replaces, keeps, refuses, and says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.vendor_trees import small_tree

LOAD = ("--config", "tiny.yml", "--until", "load", "--output")


@pytest.fixture
def thesis(tmp_path) -> Path:
    """A folder of projects where a folder that has the design's name is no project."""
    output = tmp_path / "projects"
    (output / "tiny" / "photos").mkdir(parents=True)
    (output / "tiny" / "photos" / "a.jpg").touch()
    (output / "tiny" / "thesis.txt").write_text("my thesis")
    return output


@pytest.mark.parametrize("option", ["--json", "--force"])
def test_a_folder_that_convert_did_not_write_is_refused_before_any_step(call, thesis, snapshot, option):
    before = snapshot(thesis)
    outcome = call("convert", *LOAD, thesis, option, *([thesis / "result.json"] if option == "--json" else []))
    assert outcome.code == 1 and outcome.out == ""
    (line,) = outcome.last_errors
    assert line.startswith(f"error: {thesis / 'tiny'}: wasn't written by qmfn convert") and "another --output" in line
    assert snapshot(thesis) == before


def test_synthesis_results_are_kept_with_their_project_and_a_line_says_where(call, earlier, snapshot):
    small_tree(name="qmfn").write(earlier / "tiny")
    before = snapshot(earlier / "tiny")
    outcome = call("convert", *LOAD, earlier)
    assert outcome.code == 0, outcome.err
    (kept,) = (path for path in earlier.iterdir() if path.name != "tiny")
    line = f"The earlier project is kept in {kept}, with what was added or edited: project.tcl, qmfn_prj."
    assert line in outcome.out.splitlines()
    assert snapshot(kept) == before
    assert sorted(path.name for path in (earlier / "tiny").iterdir()) == [
        ".qmfn.json", "report.html", "report.json", "report.md",
    ]  # fmt: skip


def test_the_mark_names_the_design_file_and_is_written_with_the_project(call, tmp_path, material):
    assert call("convert", *LOAD, tmp_path).code == 0
    mark = json.loads((tmp_path / "tiny" / ".qmfn.json").read_text())
    assert (mark["design"], mark["finished"]) == (str(material / "tiny.yml"), False)
    assert set(mark["files"]) == {"report.html", "report.json", "report.md"}


def test_a_finished_project_survives_a_run_of_some_steps(call, snapshot):
    before = snapshot(Path("places"))
    outcome = call("convert", *LOAD, "places", "--set", "name=finished", "--force")
    assert outcome.code == 1 and outcome.out == ""
    assert snapshot(Path("places")) == before


def test_force_replaces_a_project_of_another_design_file(call, earlier):
    assert call("convert", *LOAD, earlier, "--config", "trained.yml").code == 1
    assert "earlier" in (earlier / "tiny" / "report.json").read_text()
    assert call("convert", *LOAD, earlier, "--config", "trained.yml", "--force").code == 0
    assert "earlier" not in (earlier / "tiny" / "report.json").read_text()
    assert [path.name for path in earlier.iterdir()] == ["tiny"]
