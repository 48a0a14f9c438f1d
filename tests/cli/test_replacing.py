"""`convert` into a folder where something is: what it replaces, keeps, refuses, and says of it."""

from __future__ import annotations

import json
import time
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


@pytest.fixture
def slow_tool(tmp_path, monkeypatch) -> Path:
    """A Vitis HLS that says that it has started and then takes its time, until a file `go` is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    small_tree(name="qmfn").write(tmp_path / "result")
    (tmp_path / "result" / "project.tcl").unlink()
    tool = folder / "vitis-run"
    tool.write_text(f"""#!/bin/sh
echo $$ > "{folder}/started"
while [ ! -e "{folder}/go" ]; do sleep 0.1; done
cp -r "{tmp_path / 'result'}/." .
""")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_a_project_that_is_being_synthesised_is_refused_and_gets_its_results(
    call, start, finish, tmp_path, snapshot, slow_tool
):
    write = ("convert", "--config", "tiny.yml", "--until", "write", "--output", tmp_path / "out")
    assert call(*write).code == 0
    before = snapshot(tmp_path / "out" / "tiny")
    process = start("synth", tmp_path / "out" / "tiny")
    try:
        deadline = time.monotonic() + 60
        while not (slow_tool / "started").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        outcome = call(*write, "--set", "hls.backend=Vivado", "--force")
        again = call("synth", tmp_path / "out" / "tiny")
        (slow_tool / "go").touch()
        assert finish(process).code == 0
    finally:
        process.kill()
    for refused in (outcome, again):
        (line,) = refused.last_errors
        assert refused.code == 1
        assert f"{tmp_path / 'out' / 'tiny'}: qmfn synth (process {process.pid} on " in line
        assert line.endswith("is working on it; wait until it is done.")
    after = snapshot(tmp_path / "out" / "tiny")
    assert {name: after[name] for name in before} == before and "vendor.json" in after
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]
    assert call(*write, "--set", "hls.backend=Vivado").code == 0
    (kept,) = (path for path in (tmp_path / "out").iterdir() if path.name != "tiny")
    assert snapshot(kept) == after
    assert not (tmp_path / "out" / "tiny" / "qmfn_prj").exists()
