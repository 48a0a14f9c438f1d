"""What every command line shares: errors as one sentence, exit codes, quiet libraries."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from qmfn.errors import UserError

EXIT_ERROR = 1
EXIT_USAGE = 2
"""As argparse exits for a wrong command line."""
EXIT_INTERRUPTED = 130


def quiet_libraries() -> None:
    """TensorFlow, Keras and hls4ml talk about themselves on import; a user needs none of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore")


def fast_convolutions() -> None:
    """oneDNN's convolutions: TensorFlow leaves them off on processors without AVX-512, where they are faster too."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def run_command(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a command; give the process' exit code.

    A `UserError` becomes its sentence on stderr and 1; an interrupt (Ctrl-C or SIGTERM) 130. The command has cleaned up
    by then: both arrive as exceptions. Anything else is a bug and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("error: interrupted; what was there before is unchanged.", file=sys.stderr)
        return EXIT_INTERRUPTED


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


_OPENED_BY_QMFN = ContextVar("opened by qmfn", default=False)


@contextmanager
def opened_by_qmfn() -> Iterator[None]:
    """Inside, help texts say `qmfn convert`; outside, `convert.py`, after the script that opens the same command."""
    before = _OPENED_BY_QMFN.set(True)
    try:
        yield
    finally:
        _OPENED_BY_QMFN.reset(before)


def command_parser(name: str, description: str, *examples: str, script: bool = True) -> argparse.ArgumentParser:
    """The parser of a command, its help in the words of the door that it was opened by.

    Args:
        name: as after `qmfn`: `search-bits`.
        examples: what may follow the command.
        script: whether scripts/ holds a door to it, too.
    """
    if script and not _OPENED_BY_QMFN.get():
        program = f"{name.replace('-', '_')}.py"
        call = f"python scripts/{program}"
    else:
        program = call = f"qmfn {name}"
    lines = [f"{call} {example}".rstrip() for example in examples]
    epilog = f"example: {lines[0]}" if len(lines) == 1 else "\n  ".join(["examples:", *lines])
    raw = argparse.RawDescriptionHelpFormatter  # an example that is broken over lines can't be copied
    return argparse.ArgumentParser(prog=program, description=description, epilog=epilog, formatter_class=raw)


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """`--json FILE`, the same for every command."""
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")


def add_design_arguments(parser: argparse.ArgumentParser) -> None:
    """`--config FILE` and `--set key.sub=value`, the same for every command."""
    parser.add_argument("--config", required=True, metavar="FILE", help="design file, for instance configs/w8a8.yml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override a key of the design file, for instance --set hls.backend=Vivado (repeatable)",
    )  # fmt: skip
    add_json_argument(parser)
