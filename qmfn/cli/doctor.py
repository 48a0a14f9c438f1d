"""`doctor`: what is installed, what is missing, what to do about it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli.shared import EXIT_ERROR, Command, add_json_argument
from qmfn.errors import UserError
from qmfn.files import file_aside

if TYPE_CHECKING:
    from qmfn.doctor import Finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_argument(parser)


def doctor(arguments: argparse.Namespace) -> int:
    """Needs none of the packages that it looks for, not even that which draws the other commands' tables."""
    from qmfn.doctor import examine, lacks_what_is_required

    findings = examine()
    broken = lacks_what_is_required(findings)
    print("\n".join([*_table(findings), "", *_remedies(findings), _verdict(findings, broken)]))
    if arguments.json:
        _write_json({"ready": not broken, "findings": [one.as_dict() for one in findings]}, Path(arguments.json))
    return EXIT_ERROR if broken else 0


COMMAND = Command(
    name="doctor",
    group="qmfn itself",
    summary="what is installed, what is missing, what to do about it",
    description="Looks for all that the commands need. Exit code 1 if something is missing that a conversion needs.",
    examples=("", "--json doctor.json"),
    add_arguments=add_arguments,
    run=doctor,
)


def _table(findings: list[Finding]) -> list[str]:
    rows = [("", "what", "found", "for"), *((_word(one), one.name, one.found, one.use) for one in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    found = min(44, max(len(row[2]) for row in rows))
    return [f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{found}}  {row[3]}".rstrip() for row in rows]


def _word(finding: Finding) -> str:
    if finding.state == "ok":
        return "ok"
    return "MISSING" if finding.required else "absent"


def _remedies(findings: list[Finding]) -> list[str]:
    missing = [one for one in findings if one.remedy]
    missing.sort(key=lambda one: not one.required)
    lines = [f"{_word(one):7}  {one.name}: {one.remedy}" for one in missing]
    return ["What to do:", *lines, ""] if lines else []


def _verdict(findings: list[Finding], broken: bool) -> str:
    if broken:
        names = ", ".join(one.name for one in findings if one.required and one.remedy)
        return f"Not ready: {names} missing."
    return "Ready: all that a conversion needs is there."


def _write_json(result: dict, path: Path) -> None:
    try:
        with file_aside(path) as aside:
            aside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}).") from None
