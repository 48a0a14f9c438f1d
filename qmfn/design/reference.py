"""What the schema of a design file says to others: a JSON schema for editors, a reference in Markdown for people.

Takes nothing but `qmfn.design.schema`; gives the texts of configs/schema.json and docs/config.md, which are committed
and tested to be current. Both are made by `COMMAND`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from qmfn.design.schema import DesignConfig

COMMAND = "qmfn schema --output configs/schema.json --reference docs/config.md"

DIALECT = "https://json-schema.org/draft/2020-12/schema"

COLUMNS = ("key", "type", "default", "allowed", "description")

INTRODUCTION = f"""# Design files

A design is one YAML file. Every key but `name` may be left out; an unknown key, a value that isn't allowed or a
combination that can't be built is an error that says what would be right. On a command line `--set group.key=value`
overrides a key, checked like the file.

Editors that know JSON schema (VS Code with the YAML extension, for one) complete and check a design file whose first
line names the schema, relative to the file:

    # yaml-language-server: $schema=schema.json

This page is generated from `qmfn/design/schema.py`:

    {COMMAND}
"""


def json_schema() -> dict[str, Any]:
    """The JSON schema of a design file."""
    return {"$schema": DIALECT, **_without_titles(DesignConfig.model_json_schema())}


def schema_text() -> str:
    """The JSON schema as it is kept in configs/schema.json."""
    return json.dumps(json_schema(), indent=2) + "\n"


def reference_text() -> str:
    """The reference as it is kept in docs/config.md: a table of keys for every group."""
    schema = json_schema()
    return "\n".join([INTRODUCTION, *_group("", schema, schema)]).rstrip() + "\n"


def _without_titles(schema: Any) -> Any:
    """Pydantic's titles are the keys once more, in capitals."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # A key that is called title would be a property, whose value is a schema.
    return {key: _without_titles(part) for key, part in schema.items() if key != "title" or isinstance(part, dict)}


def _group(path: str, group: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """Heading, sentences and table of a group of keys, then those of the groups in it."""
    properties = {key: _resolved(part, schema) for key, part in group["properties"].items()}
    yield f"## `{path}`\n" if path else "## Top level\n"
    yield f"{_one_line(group['description'])}\n"
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for key, part in properties.items():
        required = key in group.get("required", ())
        cells = (f"`{key}`", _type(part, schema), "required" if required else _default(part), _allowed(part))
        yield "| " + " | ".join(_cell(cell) for cell in (*cells, _one_line(part.get("description", "")))) + " |"
    yield ""
    for key, part in properties.items():
        place = f"{path}.{key}" if path else key
        for suffix, inner in (("", part), ("[]", part.get("items")), (".<layer>", part.get("additionalProperties"))):
            found = _resolved(inner, schema) if isinstance(inner, dict) else {}
            if "properties" in found:
                yield from _group(place + suffix, found, schema)


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema with its reference followed; what stands beside the reference counts."""
    if "$ref" not in part:
        return part
    beside = {key: value for key, value in part.items() if key != "$ref"}
    return schema["$defs"][part["$ref"].rpartition("/")[2]] | beside


def _alternatives(part: dict[str, Any]) -> list[dict[str, Any]]:
    """What a value may be, null left out: that is what the default says."""
    return [one for one in part.get("anyOf", [part]) if one.get("type") != "null"]


def _type(part: dict[str, Any], schema: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_one_type(one, schema) for one in _alternatives(part)))


def _one_type(part: dict[str, Any], schema: dict[str, Any]) -> str:
    if part["type"] == "array":
        items = _resolved(part["items"], schema)
        return "list of groups" if "properties" in items else f"list of {_type(items, schema)}s"
    if part["type"] == "object":
        return "group" if "properties" in part else "mapping"
    return {"string": "text"}.get(part["type"], part["type"])


def _default(part: dict[str, Any]) -> str:
    value = part.get("default")
    if part.get("type") == "object":
        return ""
    if isinstance(value, list):
        return "<br>".join(f"`{_flow(item)}`" for item in value)
    return f"`{_flow(value)}`"


def _flow(value: Any) -> str:
    """As one writes it in YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value)


def _allowed(part: dict[str, Any]) -> str:
    return " or ".join(filter(None, map(_one_allowed, _alternatives(part))))


def _one_allowed(part: dict[str, Any]) -> str:
    if "const" in part:
        return f"`{_flow(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{_flow(value)}`" for value in part["enum"])
    if "propertyNames" in part and "enum" in part["propertyNames"]:
        return "keys " + ", ".join(f"`{key}`" for key in part["propertyNames"]["enum"])
    if "pattern" in part:
        return f"`{part['pattern']}`"
    if part["type"] == "integer":
        return _integers(part)
    if part["type"] == "number":
        return _numbers(part)
    return "not empty" if part.get("minLength") or part.get("minItems") else ""


def _integers(part: dict[str, Any]) -> str:
    low = part.get("minimum", part.get("exclusiveMinimum", -math.inf) + 1)
    high = part.get("maximum", part.get("exclusiveMaximum", math.inf) - 1)
    return f"{low} to {high}" if math.isfinite(high) else f"{low} or more"


def _numbers(part: dict[str, Any]) -> str:
    bounds = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "up to", "exclusiveMaximum": "below"}
    return ", ".join(f"{word} {part[key]:g}" for key, word in bounds.items() if key in part)


def _one_line(text: str) -> str:
    """Docstrings are reStructuredText over several lines; here one paragraph."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
