"""`completion`: the script that makes a shell complete commands, options and file names of `qmfn`."""

from __future__ import annotations

import argparse

from qmfn.cli.shared import Command

SHELLS = ("bash", "zsh", "tcsh")

FILE_WORDS = ("FILE", "PATH", "PHOTO", "PICTURE")
FOLDER_WORDS = ("DESIGN", "DIR", "PROJECT")
"""What the help texts call values that are files or folders."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def completion(arguments: argparse.Namespace) -> int:
    """The script is made of the parsers: it knows every option of every command."""
    import shtab

    print(shtab.complete(whole_command_line(), arguments.shell))
    return 0


COMMAND = Command(
    name="completion",
    group="qmfn itself",
    summary="completion of this command line for bash, zsh or tcsh",
    description="Print the completion script of a shell: load it, or write it where the shell looks for such scripts.",
    examples=(
        "bash > ~/.local/share/bash-completion/completions/qmfn",
        "zsh > ~/.zfunc/_qmfn   (with ~/.zfunc in fpath before compinit)",
    ),
    add_arguments=add_arguments,
    run=completion,
)


def whole_command_line() -> argparse.ArgumentParser:
    """All commands in one parser, values that are files or folders marked for completion."""
    from qmfn.cli import commands

    parser = argparse.ArgumentParser(prog="qmfn")
    parser.add_argument("--version", action="store_true", help="show the version")
    parsers = parser.add_subparsers()
    for command in commands():
        options = command.parser()
        _mark_files(options)
        # shtab takes the help of a command from here; `parents` brings the options.
        parsers.add_parser(command.name, help=command.summary, parents=[options], add_help=False)
    return parser


def _mark_files(parser: argparse.ArgumentParser) -> None:
    import shtab

    for action in parser._actions:
        if action.metavar in FILE_WORDS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab looks for it
        elif action.metavar in FOLDER_WORDS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # shtab looks for it
