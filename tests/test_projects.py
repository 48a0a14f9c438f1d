"""Which folders a conversion replaces, what of them it keeps, and that only one process changes a project at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qmfn import files, projects
from qmfn.errors import UserError
from qmfn.projects import MARK, Place, working_on

RENAMES_OF_A_SWAP = 2


@pytest.fixture
def output(tmp_path) -> Path:
    """A folder of projects; the design files lie beside it."""
    for design in ("first", "second"):
        (tmp_path / f"{design}.yml").write_text(f"name: tiny # {design}")
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


@pytest.fixture
def place(output) -> Callable[..., Place]:
    def at(design: str = "first", finished: bool = True, force: bool = False) -> Place:
        return Place(output / "tiny", output.parent / f"{design}.yml", finished, force)

    return at


def project(folder: Path, text: str) -> Path:
    (folder / "firmware").mkdir(parents=True)
    (folder / "firmware" / "qmfn.cpp").write_text(f"// {text}")
    (folder / "report.md").write_text(text)
    return folder


def written(place: Place, text: str) -> str | None:
    """What a conversion does at its end: mark the project, take the place."""
    new = project(place.folder.parent / ".tiny.new", text)
    place.mark(new)
    try:
        return place.take(new)
    finally:
        if new.exists():
            files.shutil.rmtree(new)


def text_of(folder: Path) -> str:
    return (folder / "report.md").read_text()


def snapshot(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def refused(place: Place) -> str:
    """The sentence, which comes before the work and at its end; nothing has changed."""
    before = snapshot(place.folder.parent)
    with pytest.raises(UserError) as early:
        place.check()
    with pytest.raises(UserError) as late:
        written(place, "new")
    assert str(early.value) == str(late.value)
    assert snapshot(place.folder.parent) == before
    return str(early.value)


@pytest.mark.parametrize("there", ["nothing", "an empty folder"])
def test_a_place_that_is_free_is_taken(place, output, there):
    if there != "nothing":
        (output / "tiny").mkdir()
    place().check()
    assert written(place(), "new") is None
    assert text_of(output / "tiny") == "new"
    assert [path.name for path in output.iterdir()] == ["tiny"]


def test_a_project_as_it_was_written_is_replaced(place, output):
    written(place(), "old")
    place().check()
    assert written(place(), "new") is None
    assert text_of(output / "tiny") == "new"
    assert [path.name for path in output.iterdir()] == ["tiny"]


def test_a_report_that_was_renewed_is_no_reason_to_keep_a_project(place, output):
    written(place(), "old")
    for name in ("report.md", "report.html"):
        (output / "tiny" / name).write_text("the same with the vendor's figures")
    assert written(place(), "new") is None
    assert [path.name for path in output.iterdir()] == ["tiny"]


def synthesise(folder: Path) -> None:
    reports = folder / "qmfn_prj" / "solution1" / "syn" / "report"
    reports.mkdir(parents=True)
    (reports / "qmfn_csynth.xml").write_text("hours of work")
    (folder / "synth.log").touch()


ADDITIONS = {
    "qmfn_prj, synth.log": synthesise,
    "kv260": lambda folder: project(folder / "kv260", "a bitstream"),
    "notes.txt": lambda folder: (folder / "notes.txt").write_text("my notes"),
    "firmware/mine.h": lambda folder: (folder / "firmware" / "mine.h").touch(),
    "firmware/qmfn.cpp": lambda folder: (folder / "firmware" / "qmfn.cpp").write_text("// edited"),
    "photos": lambda folder: (folder / "photos").symlink_to("/nonexistent"),
    "1, 2, 3 and 1 more": lambda folder: [(folder / name).touch() for name in "1234"],
}
"""What the sentence names -> what somebody did to a project."""


@pytest.mark.parametrize("named", ADDITIONS)
def test_a_project_to_which_something_was_added_is_kept_whole_beside(place, output, named):
    written(place(), "old")
    ADDITIONS[named](output / "tiny")
    before = snapshot(output / "tiny")
    said = written(place(), "new")
    (kept,) = (path for path in output.iterdir() if path.name != "tiny")
    assert kept.name.startswith("tiny.kept-")
    assert said == f"The earlier project is kept in {kept}, with what was added or edited: {named}."
    assert snapshot(kept) == before
    assert text_of(output / "tiny") == "new" and not (output / "tiny" / "qmfn_prj").exists()


def test_two_projects_that_are_kept_in_one_second_have_names_of_their_own(place, output):
    for text in ("first", "second", "third"):
        written(place(), text)
        (output / "tiny" / "notes.txt").write_text(text)
    written(place(), "fourth")
    kept = [path for path in output.iterdir() if path.name != "tiny"]
    assert sorted(text_of(path) for path in kept) == ["first", "second", "third"]


def foreign_folder(folder: Path) -> None:
    (folder / "photos").mkdir(parents=True)
    (folder / "thesis.txt").write_text("my thesis")


def project_of_an_earlier_version(folder: Path) -> None:
    project(folder, "old")
    (folder / "hls4ml_config.yml").touch()
    (folder / "report.json").write_text("{}")


def mark_of_something_else(folder: Path) -> None:
    foreign_folder(folder)
    (folder / MARK).write_text('{"design": "first.yml"}')


FOREIGN = {
    "a folder": foreign_folder,
    "a project without a mark": project_of_an_earlier_version,
    "a mark that isn't ours": mark_of_something_else,
    "a file": lambda folder: folder.write_text("my thesis"),
    "a link in a circle": lambda folder: folder.symlink_to("tiny"),
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("there", FOREIGN)
def test_what_convert_did_not_write_stays(place, output, there, force):
    FOREIGN[there](output / "tiny")
    said = refused(place(force=force))
    assert said == (
        f"{output / 'tiny'}: wasn't written by qmfn convert (there is no .qmfn.json of it), so it isn't replaced; move "
        "it away or choose another --output."
    )


def test_a_project_of_another_design_file_is_replaced_by_force_only(place, output):
    written(place("first"), "old")
    said = refused(place("second"))
    first, second = (str(output.parent / f"{design}.yml") for design in ("first", "second"))
    assert f"{output / 'tiny'}: was written from {first}, not from {second}; --force replaces it" in said
    place("second", force=True).check()
    written(place("second", force=True), "new")
    assert text_of(output / "tiny") == "new"
    place("second").check()


def test_a_design_file_is_the_same_by_whatever_path(place, output, monkeypatch):
    written(place(), "old")
    (output.parent / "link.yml").symlink_to("first.yml")
    monkeypatch.chdir(output.parent)
    for path in ("first.yml", "output/../first.yml", "link.yml"):
        Place(output / "tiny", Path(path), finished=True).check()


@pytest.mark.parametrize("force", [False, True])
def test_a_run_of_some_steps_never_replaces_a_finished_project(place, output, force):
    written(place(finished=False), "some steps")
    written(place(finished=False), "some steps again")
    written(place(finished=True), "finished")
    said = refused(place(finished=False, force=force))
    assert said.startswith(f"{output / 'tiny'}: holds a finished project") and "--output" in said
    assert text_of(output / "tiny") == "finished"


@pytest.mark.parametrize("there", ["nothing", "a project", "a project with results"])
def test_a_link_is_followed(place, output, there):
    real = output.parent / "disk" / "real"
    real.parent.mkdir()
    (output / "tiny").symlink_to(real)
    if there != "nothing":
        written(Place(real, place().design, finished=True), "old")
    if there == "a project with results":
        synthesise(real)
    written(place(), "new")
    assert (output / "tiny").is_symlink() and text_of(real) == "new"
    assert [path.name for path in output.iterdir() if path.name != ".tiny.new"] == ["tiny"]
    kept = [path for path in real.parent.iterdir() if path != real]
    assert [text_of(path) for path in kept] == (["old"] if there == "a project with results" else [])


@pytest.mark.parametrize("with_results", [False, True])
@pytest.mark.parametrize("after", [False, True], ids=["before the rename", "after the rename"])
@pytest.mark.parametrize("failing", range(1, RENAMES_OF_A_SWAP + 1))
def test_an_interrupt_leaves_the_old_project_or_the_new_one(place, output, monkeypatch, failing, after, with_results):
    written(place(), "old")
    if with_results:
        synthesise(output / "tiny")
    before, renames, rename = snapshot(output / "tiny"), [], Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        renames.append(path)
        if len(renames) == failing:
            if after:
                rename(path, target)
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(projects.Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        written(place(), "new")
    if failing == RENAMES_OF_A_SWAP and after:
        assert text_of(output / "tiny") == "new"
        kept = [path for path in output.iterdir() if path.name != "tiny"]
        assert [snapshot(path) for path in kept] == ([before] if with_results else [])
    else:
        assert snapshot(output / "tiny") == before
        assert [path.name for path in output.iterdir()] == ["tiny"]


def test_what_took_the_place_while_the_steps_ran_stays(place, output):
    place().check()
    foreign_folder(output / "tiny")
    before = snapshot(output)
    with pytest.raises(UserError, match="wasn't written by qmfn convert"):
        written(place(), "new")
    assert snapshot(output) == before


def test_a_project_that_another_process_works_on_stays(place, output):
    written(place(), "old")
    with working_on(output / "tiny", "qmfn synth"):
        said = refused(place(force=True))
    assert said.startswith(f"{output / 'tiny'}: qmfn synth (process {os.getpid()} on ")
    assert said.endswith(" is working on it; wait until it is done.")
    place().check()
    assert [path.name for path in output.iterdir()] == ["tiny"]


def test_it_is_one_project_by_whatever_path(place, output):
    written(place(), "old")
    (output.parent / "link").symlink_to(output / "tiny")
    with working_on(output.parent / "link", "qmfn synth"), pytest.raises(UserError, match="is working on it"):
        place().check()


@pytest.fixture
def other_process(output):
    """A process that works on the project."""
    code = f"""
import sys
from pathlib import Path
from qmfn.projects import working_on
with working_on(Path({str(output / "tiny")!r}), "qmfn synth"):
    print("works", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(projects.__file__).parents[1])},
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "works\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_was_killed_blocks_nobody(place, output, other_process):
    written_there = f"qmfn synth (process {other_process.pid} on "
    with pytest.raises(UserError) as error:
        place().check()
    assert written_there in str(error.value)
    other_process.send_signal(signal.SIGKILL)
    other_process.wait(10)
    assert (output / ".tiny.lock").exists()
    place().check()
    written(place(), "new")
    assert [path.name for path in output.iterdir()] == ["tiny"]
