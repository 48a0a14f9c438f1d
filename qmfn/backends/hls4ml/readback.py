"""What was asked is what is generated: the written project is read back and checked against the request.

The C++ itself is read, because hls4ml changes values between its Python objects and the files.
"""

from __future__ import annotations

import re
from pathlib import Path

from qmfn.backends.hls4ml.convert import ModelGraph
from qmfn.backends.hls4ml.stage_layer import plan_of
from qmfn.backends.request import Request
from qmfn.errors import UserError
from qmfn.kernels import Kernel
from qmfn.network.checkpoint import Checkpoint
from qmfn.plan.plan import Plan
from qmfn.stock.readback import check_layers
from qmfn.stock.settings import StockSettings

STAGE = re.compile(r"struct (\w+)_config \{(.*?)\n\};\n\nvoid \1\(", re.DOTALL)


def check_project(graph: ModelGraph, checkpoint: Checkpoint, request: Request, folder: Path) -> None:
    """Compare what was written with what was asked.

    Raises:
        UserError: something differs (hls4ml changed it), naming it, what was asked and what was generated.
        AssertionError: the graph's network is not that of the checkpoint.
    """
    if request.plan is None:
        check_layers(graph, checkpoint.layers, StockSettings(request.types, request.hls), folder)
        return
    found = plan_of(graph)
    assert found.network == request.plan.network, "hls4ml's graph and the checkpoint are one network"
    assert found.with_depths({}) == request.plan, "the same network folded the same is the same plan"
    check_stages(request.plan, folder)


def check_stages(plan: Plan, folder: Path) -> None:
    """Every stage of a written project against its plan.

    Raises:
        UserError: a stage is missing, or a constant or a type of one differs.
    """
    generated = read_stages((folder / "firmware" / "parameters.h").read_text())
    names = [stage.name for stage in plan.stages]
    if names != list(generated):
        raise UserError(f"the stages {', '.join(names)} were asked for, but {', '.join(generated)} were generated.")
    for stage in plan.stages:
        for name, asked in _asked_of(stage.kernel).items():
            found = generated[stage.name].get(name)
            if found != asked:
                raise UserError(f"{stage.name}: {name} {asked} was asked, but {found} was generated.")


def read_stages(parameters: str) -> dict[str, dict[str, str]]:
    """Stage -> constants and types of its configuration."""
    stages = {}
    for name, body in STAGE.findall(parameters):
        stages[name] = dict(re.findall(r"static const \w+ (\w+) = (\w+);", body))
        stages[name] |= {kind: definition for definition, kind in re.findall(r"typedef (.+) (\w+);", body)}
    return stages


def _asked_of(kernel: Kernel) -> dict[str, str]:
    """What the C++ of a stage must say."""
    return {name: str(value).lower() for name, value in kernel.cpp_constants().items()} | kernel.cpp_types()
