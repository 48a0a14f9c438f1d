"""Which sources a synthesis worked on: recorded with its results, compared with the project that they lie in."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from qmfn.design.schema import Strict
from qmfn.files import content_hashes, differences, listed

RECORD = "synth.json"
"""File among the results: the content of the sources that they are of."""

SOURCE_FOLDER = "firmware/"
TEST_VECTORS = ("tb_data/", ".dat")
SCRIPTS = ("build_prj.tcl", "project.tcl")
"""build_opt.tcl and vivado_synth.tcl aren't among them: `synth` writes its options there."""


class Record(Strict):
    """What `RECORD` holds: `sources` of the project that was synthesised."""

    sources: dict[str, str]


def sources(project: Path) -> dict[str, str]:
    """Content hashes of what the tools read: firmware, test bench, and the scripts that hold part and clock.

    Raises OSError if one can't be read.
    """
    return content_hashes(project, _is_source)


def _is_source(name: str) -> bool:
    is_top_level = "/" not in name
    folder, suffix = TEST_VECTORS
    return (
        name.startswith(SOURCE_FOLDER)
        or (name.startswith(folder) and name.endswith(suffix))
        or (is_top_level and (name in SCRIPTS or name.endswith((".cpp", ".h"))))
    )


def record(results: Path, of: dict[str, str]) -> None:
    """Write into the folder of results which sources they are of. Raises OSError if it can't be written."""
    (results / RECORD).write_text(Record(sources=of).model_dump_json(indent=1) + "\n", encoding="utf-8")


def mismatch(project: Path) -> str | None:
    """A sentence if a project's results are of other sources than it holds now, or can't be told to be of these.

    None if they are of these, and where no record is: results that `synth` didn't make have none.
    """
    path = project / RECORD
    try:
        recorded = Record.model_validate_json(path.read_bytes())
        changed = differences(recorded.sources, sources(project))
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{error.filename} can't be read ({error.strerror}), so which sources the reports are of is not known."
    except ValidationError:
        return f"{path} is no record of qmfn synth, so which sources the reports are of is not known."
    if not changed:
        return None
    return (
        f"The project changed after qmfn synth ({listed(changed)}), so the vendor's figures are of other sources; "
        "synthesise it again."
    )
