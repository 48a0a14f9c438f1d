"""Who writes to the terminal: the command line and the terminal report; the library logs."""

from __future__ import annotations

import argparse
import ast
import logging

import pytest

from qmfn.cli.shared import Command
from qmfn.errors import UserError

PRINTING = ("cli/", "report/terminal.py")
"""Folders and files under qmfn/ that may print."""


def prints(source: str) -> list[int]:
    """Lines with a call of `print`, of a method `print`, or of `write` of a standard stream."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] == "print" or called in ("sys.stdout.write", "sys.stderr.write"):
                found.append(node.lineno)
    return found


def test_only_the_command_line_and_the_terminal_report_print(repository):
    package = repository / "qmfn"
    files = [path for path in package.rglob("*.py") if not path.relative_to(package).as_posix().startswith(PRINTING)]
    assert len(files) > 80 and all((package / place).exists() for place in PRINTING)
    assert [f"{path}:{line}" for path in files for line in prints(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "line", ["print('a')", "if x:\n    print(1, file=f)", "console.print(t)", "import sys\nsys.stderr.write('a')"]
)
def test_a_print_is_found(line):
    assert prints(line)
    assert not prints("footprint('a')\nparser.print_help()\nfile.write('print(1)')")


def logging_command(run) -> Command:
    return Command("small", "designs", "", "", ("",), lambda parser: None, run)


def test_what_the_library_logs_is_seen_while_a_command_runs(capsys):
    logger = logging.getLogger("qmfn.flow")

    def run(_: argparse.Namespace) -> int:
        logger.debug("unseen")
        logger.info("100 %")
        logger.info("%s of it", "half")
        logger.warning("late")
        raise UserError("No more.")

    assert logging_command(run).main([]) == 1
    logger.info("afterwards")
    assert capsys.readouterr() == ("100 %\nhalf of it\n", "late\nerror: No more.\n")


def test_a_bug_keeps_its_traceback():
    def run(_: argparse.Namespace) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        logging_command(run).main([])
    assert logging.getLogger("qmfn").handlers == []
