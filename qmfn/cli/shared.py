"""What the commands of `qmfn` share: what a command is, how it runs, options that several of them have.

Imports the standard library only, as every command module does at its top: `qmfn --help` imports them all.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qmfn.errors import UserError
from qmfn.shared import shared_file

if TYPE_CHECKING:
    from qmfn.design import DesignConfig

EXIT_ERROR = 1
EXIT_USAGE = 2
"""As argparse exits for a wrong command line."""
EXIT_INTERRUPTED = 130

Group = Literal["designs", "vendor tools", "networks", "photos", "qmfn itself"]
"""Headings of the list of commands, in their order."""


@dataclass(frozen=True)
class Command:
    """One command. Its module, named after it, holds it as `COMMAND`.

    name: as after `qmfn`: `search-bits`.
    group: heading that `qmfn --help` lists it under.
    summary: what it does, in that list.
    description: what its own help says.
    examples: what may follow the command.
    add_arguments: gives a parser its arguments.
    run: does it; returns the exit code.
    """

    name: str
    group: Group
    summary: str
    description: str
    examples: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    def parser(self, call: str | None = None) -> argparse.ArgumentParser:
        """The parser; usage and examples show the command as it was called, `qmfn NAME` unless `call` is another."""
        call = call or f"qmfn {self.name}"
        lines = [f"{call} {example}".rstrip() for example in self.examples]
        parser = argparse.ArgumentParser(
            prog=call.rpartition("/")[2],
            description=self.description,
            epilog=f"example: {lines[0]}" if len(lines) == 1 else "\n  ".join(["examples:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,  # examples broken over lines can't be copied
        )
        self.add_arguments(parser)
        return parser

    def main(self, arguments: Sequence[str] | None = None, call: str | None = None) -> int:
        """Parse a command line (that of the process by default) and run; returns the exit code.

        A `UserError` becomes its sentence on stderr and 1; an interrupt (Ctrl-C or SIGTERM) 130. The command has
        cleaned up by then: both reach it as exceptions. Anything else is a bug and keeps its traceback.
        """
        parsed = self.parser(call).parse_args(arguments)
        signal.signal(signal.SIGTERM, _interrupt)
        quiet_libraries()
        try:
            with _visible_progress():
                return self.run(parsed)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_ERROR
        except KeyboardInterrupt:
            print("error: interrupted; what was there before is unchanged.", file=sys.stderr)
            return EXIT_INTERRUPTED


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


class _TerminalHandler(logging.Handler):
    """Log records as plain lines: information on stdout, warnings and errors on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr if record.levelno >= logging.WARNING else sys.stdout, flush=True)


@contextmanager
def _visible_progress() -> Iterator[None]:
    """Inside, the user sees what the library logs."""
    logger, handler = logging.getLogger("qmfn"), _TerminalHandler()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # some library may have given the root logger a handler: lines would come twice
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


def quiet_libraries() -> None:
    """TensorFlow, Keras and hls4ml print about themselves on import; a user needs none of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore")


def fast_convolutions() -> None:
    """oneDNN's convolutions: TensorFlow leaves them off on processors without AVX-512, where they are faster too."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """`--json FILE`, the same for every command."""
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")


def write_result(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write the result of a command where `--json` asks for it."""
    if arguments.json:
        from qmfn.report import write_json

        write_json(result, Path(arguments.json))


def add_design_arguments(parser: argparse.ArgumentParser) -> None:
    """`--config FILE` and `--set key.sub=value`, the same for every command."""
    parser.add_argument("--config", required=True, metavar="FILE", help="design file, for instance configs/w8a8.yml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override a key of the design file, for instance --set hls.backend=Vivado (repeatable)",
    )  # fmt: skip
    add_json_argument(parser)


def load_design(arguments: argparse.Namespace, *, with_checkpoint: bool = False) -> DesignConfig:
    """The design that `--config` and `--set` name.

    Commands call this before they import what takes seconds, so that a wrong file name is an error at once.

    Args:
        with_checkpoint: also read the checkpoint that the design names, if any, to see that it fits.

    Raises:
        UserError: design file or checkpoint can't be used.
    """
    from qmfn.design import load_config

    config = load_config(arguments.config, arguments.overrides)
    if with_checkpoint and config.checkpoint is not None:
        from qmfn.model.initial import design_checkpoint

        design_checkpoint(config)
    return config


def require_training_faces(config: DesignConfig) -> None:
    """Raises UserError if a source of training faces is missing; as `load_design`, before imports that take seconds."""
    for name in config.training.faces:
        shared_file(name)


def design_words(arguments: argparse.Namespace) -> list[str]:
    """`--config FILE` and `--set KEY=VALUE` as words of a command line."""
    return ["--config", arguments.config, *(word for override in arguments.overrides for word in ("--set", override))]
