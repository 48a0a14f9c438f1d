"""`qmfn`: every command behind one name, the same as behind scripts/, in words of its own."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from qmfn.cli import command as find_command
from qmfn.cli import commands, main

HEAVY = {"numpy", "pydantic", "yaml", "rich", "tensorflow", "hls4ml", "matplotlib", "shtab"}

NAMES = [command.name for command in commands()]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "qmfn", *arguments], capture_output=True, text=True)


def scripts(repository: Path) -> dict[str, Path]:
    """Name of a command -> its script."""
    return {path.stem.replace("_", "-"): path for path in (repository / "scripts").glob("*.py")}


def test_the_entry_point_is_this_main(repository):
    assert '[project.scripts]\nqmfn = "qmfn.cli:main"\n' in (repository / "pyproject.toml").read_text()


def test_a_command_is_defined_in_the_module_of_its_name_alone(repository):
    assert len(NAMES) == len(set(NAMES)) >= 17
    for name in NAMES:
        assert find_command(name).name == name
    dispatcher = (repository / "qmfn" / "cli" / "__init__.py").read_text().partition("EXAMPLES = ")[2].partition('"""')
    shared = (repository / "qmfn" / "cli" / "shared.py").read_text()
    for command in commands():
        assert not any(command.summary in text for text in (*dispatcher, shared))


def test_help_lists_every_command_with_a_line_and_examples():
    outcome = run("--help")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    for command in commands():
        assert re.search(rf"^  {command.name} +{re.escape(command.summary)}$", outcome.stdout, re.MULTILINE)
    assert "examples:\n  qmfn " in outcome.stdout and "exit codes: 0 done" in outcome.stdout


def test_help_is_there_at_once():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, which other work on the machine doesn't stretch.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


RUN_LINES = """
import contextlib, io, json, sys
from qmfn.cli import main
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(line.split())
    print(json.dumps([line, said.getvalue(), list(sys.modules)]))
"""
"""Runs command lines in one process: what each of them says, and which modules are loaded after it."""


def run_lines(lines: list[str], folder: Path) -> dict[str, tuple[str, set[str]]]:
    environment = {**os.environ, "QMFN_SHARED": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_LINES], input=json.dumps(lines), capture_output=True, text=True, check=True,
        cwd=folder, env=environment,
    )  # fmt: skip
    return {line: (said, set(modules)) for line, said, modules in map(json.loads, done.stdout.splitlines())}


HELP = ["--help", *(f"{name} --help" for name in NAMES)]


@pytest.fixture(scope="module")
def helped(tmp_path_factory) -> dict[str, tuple[str, set[str]]]:
    return run_lines(HELP, tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("line", HELP)
def test_help_needs_no_heavy_library(line, helped):
    said, loaded = helped[line]
    assert said == "" and "qmfn.cli.convert" in loaded and not HEAVY & loaded


WRONG = {
    "convert --config none.yml": "none.yml: no such design file.",
    "convert --config broken.yml": "broken.yml: is not valid YAML",
    "convert --config tiny.yml --set hls.colour=red": "unknown key",
    "convert --config tiny.yml --set checkpoint=none.npz": "none.npz: no such file.",
    "convert --config tiny.yml --faces none": "none does not exist",
    "estimate --config none.yml": "none.yml: no such design file.",
    "fold --config none.yml": "none.yml: no such design file.",
    "bench --config none.yml": "none.yml: no such design file.",
    "train --config none.yml": "none.yml: no such design file.",
    "train --config trained.yml --set training.faces=[none.tar]": "none.tar: no such file",
    "search-bits --config tiny.yml --footprint 9 --set training.faces=[none.tar]": "none.tar: no such file",
    "evaluate --config tiny.yml --faces none --pairs pairs.csv": "none does not exist",
    "evaluate --config tiny.yml --faces faces --pairs none.csv": "none.csv does not exist.",
    "evaluate --config tiny.yml --faces faces --pairs unknown_pairs.csv": "images are not in faces, first nobody/0.png",
    "evaluate --config tiny.yml --faces faces --pairs pairs.csv --engine float "
    "--set training.float_weights=none.npz": "none.npz: no such file",
    "operating-point --config trained.yml --set training.faces=[none.tar]": "none.tar: no such file",
    "verify grass.png none.png --config tiny.yml": "none.png does not exist.",
    "identify none.png --gallery faces --config tiny.yml": "none.png does not exist.",
    "identify grass.png --gallery none --config tiny.yml": "none does not exist",
    "compare none": "none",
    "report none": "none",
    "synth none": "none",
}
"""A command line with a wrong name -> what is said."""


@pytest.fixture(scope="module")
def refused(material) -> dict[str, tuple[str, set[str]]]:
    return run_lines(list(WRONG), material)


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_file_name_costs_no_tensorflow(line, refused):
    said, loaded = refused[line]
    assert said.startswith("error: ") and WRONG[line] in said and said.count("\n") == 1
    assert not {"tensorflow", "keras", "qkeras", "hls4ml"} & loaded


def test_the_scripts_are_those_of_commands_and_name_them_once(repository):
    found = scripts(repository)
    assert set(found) == {
        "bench", "calibrate", "compare", "convert", "estimate", "evaluate", "fold", "report", "search-bits", "synth",
        "train",
    }  # fmt: skip
    assert set(found) <= set(NAMES)
    for name, path in found.items():
        docstring, *rest = ast.parse(path.read_text()).body
        assert isinstance(docstring, ast.Expr)
        assert [ast.unparse(line) for line in rest] == ["from qmfn.cli import script", f"script({name!r})"]


@pytest.mark.parametrize("command", NAMES)
def test_help_is_in_the_words_of_its_entry_point(command):
    by_qmfn = find_command(command).parser().format_help()
    assert by_qmfn.startswith(f"usage: qmfn {command} ")
    assert re.search(rf"^(example: |examples:\n  )qmfn {command}", by_qmfn, re.MULTILINE)
    assert "scripts/" not in by_qmfn.partition("example")[2]


@pytest.mark.parametrize("command", ["convert", "search-bits"])
def test_a_script_is_the_command_in_words_of_its_own(command, repository):
    path = scripts(repository)[command]
    helped = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith(f"usage: {path.name} ") and f"example: python scripts/{path.name} " in helped.stdout
    words = find_command(command).parser(f"python scripts/{path.name}").format_help()
    assert helped.stdout == words
    wrong = subprocess.run([sys.executable, path, "--confg"], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (2, "") and wrong.stderr.startswith(f"usage: {path.name} ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: qmfn [--help] [--version] COMMAND"),
        (["convrt"], "invalid choice: 'convrt' (choose from 'compare', 'convert', "),
        (["convert"], "usage: qmfn convert "),
        (["verify", "one.jpg", "--config", "tiny.yml"], "usage: qmfn verify "),
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments, said):
    outcome = run(*arguments)
    assert outcome.returncode == 2 and outcome.stdout == ""
    assert said in outcome.stderr


def test_a_user_error_is_one_sentence_and_1(capsys):
    assert main(["estimate", "--config", "none.yml"]) == 1
    assert capsys.readouterr().err == "error: none.yml: no such design file.\n"


@pytest.mark.slow
def test_a_command_runs_as_its_script_does(tmp_path, capsys, start, finish):
    arguments = ["--config", "tiny.yml", "--until", "load", "--output"]
    assert main(["convert", *arguments, str(tmp_path / "one")]) == 0
    by_qmfn = capsys.readouterr().out
    by_script = finish(start("convert", *arguments, str(tmp_path / "two")))
    assert (by_script.code, by_script.err) == (0, "")
    assert by_qmfn.replace("/one/", "/two/") == by_script.out


def complete(script: str, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"""
COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
"$(complete -p qmfn | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    outcome = subprocess.run(["bash", "-c", script + ask], capture_output=True, text=True)
    return outcome.stdout.split()


def test_bash_completes_commands_options_choices_and_files():
    script = run("completion", "bash").stdout
    assert complete(script, "qmfn", "ver") == ["verify"]
    assert complete(script, "qmfn", "convert", "--un") == ["--until"]
    assert complete(script, "qmfn", "verify", "--engine", "c") == ["csim"]
    assert "tiny.yml" in complete(script, "qmfn", "convert", "--config", "tin")


@pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef qmfn"), ("tcsh", "")])
def test_other_shells_get_every_command_too(shell, start):
    outcome = run("completion", shell)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith(start)
    assert all(command in outcome.stdout for command in NAMES)
