"""`qmfn COMMAND`, `python -m qmfn COMMAND` and `python scripts/<command>.py`: each module here is a command.

The list of commands is made of the modules. A new command is a new module with a `COMMAND`
(`qmfn.cli.shared.Command`), named after it.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn, get_args

from qmfn import __version__
from qmfn.cli.shared import EXIT_USAGE, Command, Group

EXAMPLES = """examples:
  qmfn doctor
  qmfn convert --config configs/w8a8.yml
  qmfn estimate --config configs/w4a4.yml --set hls.clock_period_ns=4
  qmfn verify a.jpg b.jpg --config configs/w4a4.yml --engine csim
  qmfn COMMAND --help

exit codes: 0 done; 1 an error, or a check that failed; 2 a wrong command line; 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the line names; returns the exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    return command(parsed.command).main(parsed.rest)


def script(name: str) -> NoReturn:
    """Run the command of that name as scripts/ does, and end the process with its exit code."""
    sys.exit(command(name).main(call=f"python scripts/{name.replace('-', '_')}.py"))


def command(name: str) -> Command:
    """The command of that name, as after `qmfn`."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").COMMAND


def commands() -> list[Command]:
    """All commands, in the order of the help text: by group, then by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "shared"]
    groups = get_args(Group)
    return sorted(map(command, names), key=lambda one: (groups.index(one.group), one.name))


def _parser() -> argparse.ArgumentParser:
    every = commands()
    width = max(len(one.name) for one in every)
    lines = ["MobileFaceNet on FPGAs, bit for bit what Python computes."]
    for group in get_args(Group):
        lines += ["", f"{group}:", *(f"  {one.name:{width}}  {one.summary}" for one in every if one.group == group)]
    parser = argparse.ArgumentParser(
        prog="qmfn",
        usage="qmfn [--help] [--version] COMMAND ...",
        description="\n".join(lines),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [one.name for one in every]
    parser.add_argument("--version", action="version", version=f"qmfn {__version__}")
    parser.add_argument("command", nargs="?", choices=names, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
