"""The JSON schema for editors and the reference for people: current, complete, and right about designs."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

from qmfn.cli.schema import COMMAND as schema
from qmfn.design import DesignConfig, load_config, reference
from qmfn.design.schema import Strict
from qmfn.errors import UserError

SHIPPED = ("w8a8", "w4a4", "mixed", "extreme", "tiny", "stock")


@pytest.fixture(scope="module")
def validator(configs) -> jsonschema.Draft202012Validator:
    """Of the committed file."""
    found = json.loads((configs / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_committed_schema_is_current(configs):
    assert (configs / "schema.json").read_text() == reference.schema_text(), f"run {reference.COMMAND}"


def test_the_committed_reference_is_current(repository):
    assert (repository / "docs" / "config.md").read_text() == reference.reference_text(), f"run {reference.COMMAND}"


def test_the_command_writes_both(tmp_path, capsys):
    json_file, markdown = tmp_path / "new" / "schema.json", tmp_path / "config.md"
    assert schema.main(["--output", str(json_file), "--reference", str(markdown)]) == 0
    assert json_file.read_text() == reference.schema_text()
    assert markdown.read_text() == reference.reference_text()
    assert capsys.readouterr().out == ""


def test_without_a_file_the_schema_is_printed(capsys):
    assert schema.main([]) == 0
    assert json.loads(capsys.readouterr().out) == reference.json_schema()


def test_a_file_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert schema.main(["--output", str(tmp_path / "file" / "schema.json")]) == 1
    assert "schema.json can't be written" in capsys.readouterr().err


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_design_is_right_by_the_schema(configs, validator, name):
    validator.validate(yaml.safe_load((configs / f"{name}.yml").read_text()))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("hls: {backend: Vitis}", None),  # no name
        ("name: mine\nhls: {colour: red}", "hls"),
        ("name: mine\nhls: {backend: Quartus}", "hls"),
        ("name: mine\nquantisation: {weight_bits: 9}", "quantisation"),
        ("name: mine\nquantisation: {layers: {conv1: {weight_bits: many}}}", "quantisation"),
        ("name: ../mine", "name"),
        ("name: mine\nmodel: {bottlenecks: [{expansion: 2}]}", "model"),
    ],
)
def test_an_editor_marks_what_the_loader_refuses(validator, tmp_path, text, key):
    errors = list(validator.iter_errors(yaml.safe_load(text)))
    assert errors and all((error.path[0] if error.path else None) == key for error in errors)
    (tmp_path / "mine.yml").write_text(text)
    with pytest.raises(UserError):
        load_config(tmp_path / "mine.yml")


def test_the_line_that_names_the_schema_is_taken(configs, tmp_path):
    text = (configs / "w4a4.yml").read_text()
    (tmp_path / "w4a4.yml").write_text(f"# yaml-language-server: $schema=schema.json\n{text}")
    assert load_config(tmp_path / "w4a4.yml").model_dump() == load_config(configs / "w4a4.yml").model_dump()
    assert "# yaml-language-server: $schema=schema.json" in reference.INTRODUCTION


def groups() -> list[type[Strict]]:
    found = [DesignConfig]
    for group in found:
        for field in group.model_fields.values():
            found += [one for one in Strict.__subclasses__() if one.__name__ in repr(field.annotation)]
    return list(dict.fromkeys(found))


def test_every_key_is_described():
    for group in groups():
        assert group.__doc__
        for key, field in group.model_fields.items():
            assert field.description or getattr(field.annotation, "__doc__", None), f"{group.__name__}.{key}"


def test_the_reference_has_a_row_for_every_key():
    rows = re.findall(r"^\| `(\w+)` \|", reference.reference_text(), re.MULTILINE)
    assert sorted(rows) == sorted(key for group in groups() for key in group.model_fields)


def test_the_reference_says_type_default_and_what_is_allowed():
    text = reference.reference_text()
    for row in (
        "| `name` | text | required | `^[A-Za-z][A-Za-z0-9_-]*$` | name of the design",
        "| `weight_bits` | integer | `8` | 1 to 8 | bits per weight",
        "| `clock_period_ns` | number | `5.0` | above 0.5, up to 100 | target clock period in nanoseconds |",
        "| `backend` | text | `Vitis` | `Vitis`, `Vivado` | Vitis HLS or Vivado HLS |",
        "| `steps` | integer | `500` | 0 or more |",
        "| `faces` | list of texts | `faces/celeba_112.tar`<br>`faces/utkface_112.tar` | not empty |",
        "| `precision` | mapping |  | keys `weight`, `bias`, `slope`, `accum`, `result` |",
    ):
        assert row in text
    assert "\n## `hls.layers.<layer>`\n" in text and "\n## `model.bottlenecks[]`\n" in text
