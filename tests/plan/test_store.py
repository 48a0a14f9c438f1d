"""A plan that is written and read back is the same plan."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from qmfn.backends.request import request_of
from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.initial import design_checkpoint
from qmfn.plan.fifos import size_fifos
from qmfn.plan.store import PLAN, read_plan, write_plan


@pytest.fixture(scope="module")
def plan(configs):
    settings = ["hls.dataflow=folded", "hls.layers.bottleneck1_expand={simd: 8, pe: 4, multiplier: dsp}"]
    config = load_config(configs / "tiny.yml", [*settings, "quantisation.layers.conv2.offset_bits=3"])
    return size_fifos(request_of(config, design_checkpoint(config)).plan)


def test_reading_gives_what_was_written(plan, tmp_path):
    write_plan(plan, tmp_path)
    found = read_plan(tmp_path)
    assert found == plan
    assert found.constants.keys() == plan.constants.keys()
    for name, constants in plan.constants.items():
        for field in dataclasses.fields(constants):
            assert np.array_equal(getattr(found.constants[name], field.name), getattr(constants, field.name))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.update(version=99), "has the version 99"),
        (lambda text: text["stages"][0]["kernel"].update(kind="magic"), "conv1_window: there is no kernel magic"),
        (lambda text: text["stages"][1]["kernel"].update(simd="x"), "conv1: is not a stage of this version .simd"),
    ],
)
def test_what_is_no_plan_is_an_error(plan, tmp_path, change, said):
    write_plan(plan, tmp_path)
    text = json.loads((tmp_path / PLAN).read_text())
    change(text)
    (tmp_path / PLAN).write_text(json.dumps(text))
    with pytest.raises(UserError, match=said):
        read_plan(tmp_path)


def test_a_folder_without_a_plan_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"plan\.json: no such file"):
        read_plan(tmp_path)
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(UserError, match=r"plan\.json: can't be read"):
        read_plan(tmp_path)
