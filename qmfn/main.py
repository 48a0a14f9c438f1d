"""`qmfn`: one command line over the commands of `qmfn.commands`; `scripts/` holds a door to each of the older ones.

Takes the name of a command and hands the rest of the line to its `main`. A command is imported when it is called, so
that `qmfn --help` is there at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from qmfn import __version__
from qmfn.cli import EXIT_USAGE, opened_by_qmfn

COMMANDS = {
    "convert": "a design becomes a bit-exact HLS project with a report",
    "estimate": "cycles and resources of a design, without converting it",
    "fold": "SIMD, PE and memories of a design for a frame rate or a budget",
    "synth": "C-synthesis of a project with the vendor's tool",
    "report": "the report of a project again, with what the vendor's tools made of it",
    "compare": "several designs side by side",
    "train": "the checkpoint of a design by quantisation-aware distillation",
    "search-bits": "which layer gets how many bits, within a footprint",
    "evaluate": "verification accuracy of a design by the LFW protocol",
    "operating-point": "the thresholds of a design at stated false accept rates",
    "verify": "do two photos show the same person",
    "identify": "who of a folder of people is on a photo",
    "bench": "the C-simulation against that of stock hls4ml",
    "calibrate": "refit the estimates to the shared synthesis data",
    "schema": "the JSON schema of design files, for editors",
    "doctor": "what is installed, what is missing, what to do about it",
    "completion": "completion of this command line for bash, zsh or tcsh",
}
"""Command -> what it does, in the order of the help text."""

EXAMPLES = """examples:
  qmfn doctor
  qmfn convert --config configs/w8a8.yml
  qmfn estimate --config configs/w4a4.yml --set hls.clock_period_ns=4
  qmfn verify a.jpg b.jpg --config configs/w4a4.yml --engine csim
  qmfn COMMAND --help

exit codes: 0 done; 1 an error, or a check that failed; 2 a wrong command line; 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the line names; gives the exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    with opened_by_qmfn():
        return command_module(parsed.command).main(parsed.rest)


def command_module(command: str):
    """The module `qmfn.commands.<command>`: `main(arguments)` runs it, `command_line()` is its parser."""
    return importlib.import_module(f"qmfn.commands.{command.replace('-', '_')}")


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {command:{width}}  {line}" for command, line in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="qmfn",
        usage="qmfn [--help] [--version] COMMAND ...",
        description=f"MobileFaceNet on FPGAs, bit for bit what Python computes.\n\ncommands:\n{listed}",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"qmfn {__version__}")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
