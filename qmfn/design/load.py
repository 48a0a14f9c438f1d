"""Reading a design file and the `--set key.sub=value` overrides of the command line."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from qmfn.design.schema import DesignConfig
from qmfn.errors import UserError


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> DesignConfig:
    """Read, override and check a design.

    Args:
        path: the YAML file.
        overrides: strings `key.sub=value`, the value in YAML; checked like the file itself.

    Raises:
        UserError: the file can't be read, or a key or value is not allowed.
    """
    path = Path(path)
    values = _read_yaml(path)
    for override in overrides:
        _apply_override(values, override)
    try:
        config = DesignConfig.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(path, error)) from None
    config._file = path
    return config


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except FileNotFoundError:
        raise UserError(f"{path}: no such design file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read as a design file ({_reason(error)}).") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: is not valid YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must be a mapping with the keys {_names(DesignConfig)}.")
    return values


class _UniqueKeys(yaml.SafeLoader):
    """YAML that refuses a key given twice, where PyYAML silently takes the last one."""


MERGE_TAG = "tag:yaml.org,2002:merge"
"""The tag of YAML's `<<`, which is no key of its own."""


def _unique_mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value if key.tag != MERGE_TAG]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set {override}: must read key.sub=value, for instance hls.reuse_factor=64.")
    try:
        value = yaml.load(text, _UniqueKeys)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None)
        reason = f" ({problem})" if problem else ""
        raise UserError(f"--set {override}: the value {text!r} is not valid YAML{reason}.") from None
    *folders, leaf = key.split(".")
    for folder in folders:
        values = values.setdefault(folder, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {override}: {folder!r} holds a value, not a group of keys.")
    values[leaf] = value


def _explain(path: Path, error: ValidationError) -> str:
    """The first error as one sentence: file, key, value, what is allowed."""
    first = error.errors()[0]
    key = _key(first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        owner = _model_at(first["loc"][:-1])
        allowed = f"; allowed here: {_names(owner)}" if owner else ""
        return f"{path}: {key}: unknown key{allowed}."
    if first["type"] == "missing":
        return f"{path}: {key}: is missing."
    alike = [other for other in error.errors() if _key(other["loc"]) == key] or [first]  # one for each kind of value
    wanted = [PLAIN_WORDS.get(other["type"], other["msg"].removeprefix("Value error, ")) for other in alike]
    return f"{path}: {key} = {first['input']!r}: {', or '.join(wanted)}."


def _key(location: tuple[int | str, ...]) -> str:
    """A key as the file spells it: without what pydantic adds for keys of dictionaries and kinds of values."""
    added = ("[key]", "constrained-int", "int")
    return ".".join(str(part) for part in location if part not in added and not str(part).startswith("literal["))


PLAIN_WORDS = {
    "model_type": "must be a group of keys",
    "dict_type": "must be a group of keys",
    "tuple_type": "must be a list",
}
"""What pydantic says in terms of Python types, said in those of the file."""


def _names(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The schema class that describes the group at `location`, following lists and dictionaries of groups."""
    model: type[BaseModel] = DesignConfig
    for part in location:
        if part in model.model_fields:
            found = _first_model(model.model_fields[part].annotation)
            if found is None:
                return None
            model = found
    return model


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _first_model(arg))), None)
