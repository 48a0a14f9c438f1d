"""A plan on disk: `plan.json` with stages, streams and FIFO depths, `plan.npz` with the integers.

What is read back equals what was written. Kernels are stored by their kind and fields, so kernels that are registered
from outside are stored, too.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from qmfn.errors import UserError
from qmfn.files import file_aside
from qmfn.kernels.kernel import KERNELS, Kernel
from qmfn.network.constants import Constants
from qmfn.network.fixed import FixedType
from qmfn.plan.plan import Plan, Stage, Stream

Version = Literal[1]

VERSION: Version = 1

PLAN, WEIGHTS = "plan.json", "plan.npz"

_ARRAYS = ("weights", "bias", "shift", "slope", "offset")


def stage_to(stage: Stage) -> dict[str, Any]:
    """Plain data: numbers, text, lists and dictionaries."""
    values = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage)}
    kernel = values.pop("kernel")
    fields = {field.name: getattr(kernel, field.name) for field in dataclasses.fields(kernel)}
    plain = {name: _plain(value) for name, value in fields.items() if value is not None}
    return json.loads(json.dumps(values | {"kernel": {"kind": kernel.kind} | plain}))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def stage_from(values: Mapping[str, Any]) -> Stage:
    """The inverse of `stage_to`.

    Raises:
        UserError: a kernel of a kind that is not registered, or fields that it does not have.
    """
    fields = dict(values["kernel"])
    kind = fields.pop("kind")
    if kind not in KERNELS:
        raise UserError(f"{values['name']}: there is no kernel {kind}; registered are {', '.join(KERNELS)}.")
    try:
        kernel: Kernel = TypeAdapter(KERNELS[kind]).validate_python(fields)
        return TypeAdapter(_StoredStage).validate_python({**values, "kernel": kind}).stage(kernel)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{values['name']}: is not a stage of this version ({where}: {first['msg']}).") from None


@dataclasses.dataclass(frozen=True)
class _StoredStage:
    """A stage, its kernel aside."""

    name: str
    layer: str
    kernel: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_beats: tuple[int, ...]
    output_beats: tuple[int, ...]

    def stage(self, kernel: Kernel) -> Stage:
        return Stage(self.name, self.layer, kernel, self.inputs, self.outputs, self.input_beats, self.output_beats)


def constants_to(constants: Constants) -> dict[str, Any]:
    """Plain data and arrays."""
    arrays = {name: getattr(constants, name) for name in _ARRAYS if getattr(constants, name) is not None}
    return {
        "arrays": arrays,
        "sums": list(constants.sums),
        "biased": dataclasses.asdict(constants.biased),
        "slope_fraction_bits": constants.slope_fraction_bits,
    }


def constants_from(values: Mapping[str, Any]) -> Constants:
    """The inverse of `constants_to`."""
    low, high = values["sums"]
    arrays = {name: np.asarray(array, np.int64) for name, array in values["arrays"].items()}
    return Constants(
        **arrays,
        sums=(int(low), int(high)),
        biased=FixedType(**values["biased"]),
        slope_fraction_bits=values["slope_fraction_bits"],
    )


def write_plan(plan: Plan, folder: Path) -> None:
    """Write `plan.json` and `plan.npz` into a folder.

    Raises:
        OSError: it can't be written.
    """
    integers = {name: constants_to(constants) for name, constants in plan.constants.items()}
    arrays = {
        f"{stage}/{name}": values for stage, stored in integers.items() for name, values in stored["arrays"].items()
    }
    text = {
        "version": VERSION,
        "network": plan.network,
        "stages": [stage_to(stage) for stage in plan.stages],
        "streams": [dataclasses.asdict(stream) for stream in plan.streams.values()],
        "depths": dict(plan.depths),
        "constants": {
            stage: {name: value for name, value in stored.items() if name != "arrays"}
            for stage, stored in integers.items()
        },
    }
    with file_aside(folder / PLAN) as aside:
        aside.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    with file_aside(folder / WEIGHTS) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_plan(folder: Path) -> Plan:
    """The plan that was written into a folder.

    Raises:
        UserError: there is none, or it can't be read.
    """
    path = folder / PLAN
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
        with np.load(folder / WEIGHTS, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; a folded project has one since it was converted.") from None
    except Exception as error:  # a damaged file fails anywhere in zipfile, zlib or the parsers
        raise UserError(f"{path}: can't be read ({error}).") from None
    if text.get("version") != VERSION:
        raise UserError(f"{path}: has the version {text.get('version')}, this is a reader of version {VERSION}.")
    constants = {}
    for stage, stored in text["constants"].items():
        own = {key.split("/")[1]: values for key, values in arrays.items() if key.split("/")[0] == stage}
        constants[stage] = constants_from({**stored, "arrays": own})
    streams = [Stream(**stream) for stream in text["streams"]]
    return Plan(
        stages=tuple(stage_from(stage) for stage in text["stages"]),
        streams={stream.name: stream for stream in streams},
        network=text["network"],
        constants=constants,
        depths=text["depths"],
    )
