"""`completion`: the script that makes a shell complete commands, options and file names of `qmfn`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec

from qmfn.cli.shared import command_parser, run_command

SHELLS = ("bash", "zsh", "tcsh")

FILE_WORDS = ("FILE", "PATH", "PHOTO", "PICTURE")
FOLDER_WORDS = ("DESIGN", "DIR", "PROJECT")
"""What the help texts call values that are files or folders."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(completion, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "completion",
        "Print the completion script of a shell: load it now, or write it where the shell looks for such scripts.",
        "bash > ~/.local/share/bash-completion/completions/qmfn",
        "zsh > ~/.zfunc/_qmfn   (with ~/.zfunc in fpath before compinit)",
        script=False,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    return parser


def completion(arguments: argparse.Namespace) -> int:
    """The script is made of the parsers: it knows every option of every command."""
    import shtab

    print(shtab.complete(whole_command_line(), arguments.shell))
    return 0


def whole_command_line() -> argparse.ArgumentParser:
    """All commands in one parser, values that are files or folders marked for completion."""
    from qmfn.cli.main import COMMANDS, command_module

    parser = argparse.ArgumentParser(prog="qmfn")
    parser.add_argument("--version", action="store_true", help="show the version")
    commands = parser.add_subparsers()
    for command, line in COMMANDS.items():
        if find_spec(f"qmfn.cli.{command.replace('-', '_')}"):
            options = command_module(command).command_line()
            _mark_files(options)
            # shtab takes the help of a command from here; `parents` brings the options.
            commands.add_parser(command, help=line, parents=[options], add_help=False)
    return parser


def _mark_files(parser: argparse.ArgumentParser) -> None:
    import shtab

    for action in parser._actions:
        if action.metavar in FILE_WORDS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab looks for it
        elif action.metavar in FOLDER_WORDS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # shtab looks for it
