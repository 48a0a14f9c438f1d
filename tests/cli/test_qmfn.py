"""`qmfn`: every command behind one name, the same as behind scripts/, in words of its own."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from importlib.util import find_spec

import pytest

from qmfn.cli.main import COMMANDS, command_module, main

HEAVY = {"numpy", "pydantic", "yaml", "rich", "tensorflow", "hls4ml", "matplotlib", "shtab"}

WRITTEN = [command for command in COMMANDS if find_spec(f"qmfn.cli.{command.replace('-', '_')}")]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "qmfn.cli.main", *arguments], capture_output=True, text=True)


def help_of(arguments: list[str], opened, capsys) -> str:
    with pytest.raises(SystemExit) as stopped:
        opened(arguments)
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_the_entry_point_is_this_main(repository):
    assert '[project.scripts]\nqmfn = "qmfn.cli.main:main"\n' in (repository / "pyproject.toml").read_text()


def test_help_lists_every_command_with_a_line_and_examples():
    outcome = run("--help")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    for command, line in COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(line)}$", outcome.stdout, re.MULTILINE)
    assert "examples:\n  qmfn " in outcome.stdout and "exit codes: 0 done" in outcome.stdout


def test_help_is_there_at_once():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, which other work on the machine doesn't stretch.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


@pytest.mark.parametrize("command", ["", *WRITTEN])
def test_help_needs_no_heavy_library(command):
    code = f"""
import sys
from qmfn.cli.main import main
try:
    main({[command, "--help"] if command else ["--help"]!r})
finally:
    print("loaded", *sys.modules)
"""
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = {"numpy"} if command in ("bench", "evaluate", "fold") else set()
    loaded = set(outcome.stdout.rpartition("\nloaded ")[2].split())
    assert not (HEAVY - allowed) & loaded


def test_every_script_opens_a_command_of_qmfn(repository):
    scripts = {script.stem.replace("_", "-") for script in (repository / "scripts").glob("*.py")}
    assert scripts <= set(COMMANDS)


@pytest.mark.parametrize("command", WRITTEN)
def test_help_is_in_the_words_of_its_door(command, repository, capsys):
    by_qmfn = help_of([command, "--help"], main, capsys)
    assert by_qmfn.startswith(f"usage: qmfn {command} ")
    assert re.search(rf"^(example: |examples:\n  )qmfn {command}", by_qmfn, re.MULTILINE)
    assert "scripts/" not in by_qmfn.partition("example")[2]
    script = f"{command.replace('-', '_')}.py"
    if (repository / "scripts" / script).exists():
        by_script = help_of(["--help"], command_module(command).main, capsys)
        assert by_script.startswith(f"usage: {script} ")
        assert f"python scripts/{script}" in by_script


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: qmfn [--help] [--version] COMMAND"),
        (["convrt"], "invalid choice: 'convrt' (choose from 'convert', "),
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


def test_a_command_runs_as_its_script_does(tmp_path, capsys):
    arguments = ["--config", "tiny.yml", "--until", "load", "--output"]
    assert main(["convert", *arguments, str(tmp_path / "one")]) == 0
    by_qmfn = capsys.readouterr().out
    assert command_module("convert").main([*arguments, str(tmp_path / "two")]) == 0
    assert by_qmfn.replace("/one/", "/two/") == capsys.readouterr().out


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
    assert all(command in outcome.stdout for command in WRITTEN)
