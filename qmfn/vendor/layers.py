"""Which layer a vendor module implements, read from the calls of the project's top function.

    nnet::conv_2d_cl<layer2_t, layer3_t, config3>(layer2_out, layer3_out, w3, b3); // conv1
    conv1_window(pixels, conv1_window_out); // conv1_window

The tools name the module after the function and its template arguments, among them the configuration (`..._config3_s`);
the comment is hls4ml's layer name. Functions without a configuration are told apart by the streams they connect. The
folded backends write a function per stage, which gives the module its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from qmfn.vendor.modules import Module

CALL = re.compile(
    r"^[ \t]*(?:nnet::(?P<template>\w+)<(?P<types>.+)>|(?P<function>\w+))\((?P<values>[^;]*)\);"
    r"[ \t]*//[ \t]*(?P<layer>\S+)",
    re.MULTILINE,
)
CONFIG = re.compile(r"config(\d+)")


@dataclass(frozen=True)
class Call:
    """A call of a layer's function.

    config: its number, None where the function has no configuration; is_template: whether other layers share the
    function.
    """

    layer: str
    function: str
    is_template: bool
    config: int | None
    numbers: frozenset[str]
    values: tuple[str, ...]


def read_calls(project: Path) -> list[Call]:
    """The calls in `<project>/firmware/*.cpp`, in order; none where there is no firmware."""
    calls = []
    for path in sorted((project / "firmware").glob("*.cpp")):
        for found in CALL.finditer(path.read_text(encoding="utf-8", errors="replace")):
            calls.append(_call(found))
    return calls


def _call(found: re.Match[str]) -> Call:
    types = [name.strip() for name in (found["types"] or "").split(",")]
    config = next((int(number[1]) for name in types if (number := CONFIG.search(name))), None)
    return Call(
        layer=found["layer"],
        function=found["template"] or found["function"],
        is_template=bool(found["template"]),
        config=config,
        numbers=frozenset(name for name in types if name.isdigit()),
        values=tuple(name.strip() for name in found["values"].split(",")),
    )


def layers_of(name: str, module: Module | None, calls: list[Call]) -> tuple[str, ...]:
    """The layer that module `name` implements, or those among which the reports can't tell, in order; perhaps none."""
    numbers = {int(number) for number in CONFIG.findall(name)}
    if own := [call for call in calls if not call.is_template and call.function == name]:
        found = own
    elif numbers:
        found = [call for call in calls if call.config in numbers]
    else:
        unnumbered = [call for call in calls if call.is_template and call.config is None]
        similar = [call for call in unnumbered if name.startswith(call.function)]
        tokens, streams = set(name.split("_")), module.streams if module else frozenset()
        fitting = [call for call in similar if call.numbers <= tokens]
        connected = [call for call in fitting if streams.issuperset(call.values)]
        found = connected or fitting
    return tuple(dict.fromkeys(call.layer for call in found))
