"""What every command line shares: errors as one sentence, exit codes, quiet libraries."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable

from qmfn.errors import UserError

EXIT_ERROR = 1
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


def add_design_arguments(parser: argparse.ArgumentParser) -> None:
    """`--config FILE` and `--set key.sub=value`, the same for every command."""
    parser.add_argument("--config", required=True, metavar="FILE", help="design file, for instance configs/w8a8.yml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override a key of the design file, for instance --set hls.backend=Vivado (repeatable)",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")
