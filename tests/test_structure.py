"""The structure of the package: imports go downwards, and what a kernel or a layer is, only its own folder asks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import qmfn
from qmfn.kernels import KERNELS
from qmfn.network.network import LAYERS

ROOT = Path(qmfn.__file__).parent

ORDER = (
    "errors", "names", "packages", "files", "shared",
    "devices", "design", "projects",
    "network", "kernels", "plan", "resources", "search", "stock", "backends", "simulation",
    "model", "faces", "training", "report", "vendor",
    "flow", "engines", "doctor", "cli",
)  # fmt: skip
"""Modules and folders of the package; each may import those before it."""

KNOW_KINDS = ("kernels", "network")
"""Folders that compare the class or the kind of a layer or a kernel."""

KNOW_LAYER_SPECS = ("model", "training", "stock", "backends/hls4ml/convert.py", "backends/hls4ml/user_model.py")
"""What also asks for the kind of a row of MobileFaceNet's table, or of hls4ml's own layers: the Keras builder and its
calibration, stock designs, what tells hls4ml of a network, and what looks at a network before hls4ml's passes.
"""


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Path inside the package, and syntax tree."""
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Top-level modules and folders of the package that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "qmfn":
            names = [node.module] if "." in node.module else [f"qmfn.{alias.name}" for alias in node.names]
            yield from (name.split(".")[1] for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("qmfn."))


def test_imports_go_downwards():
    upwards = []
    for path, tree in sources():
        own = path.split("/")[0].removesuffix(".py")
        if own in ORDER:
            allowed = ORDER[: ORDER.index(own) + 1]
            names = set(imported(tree)) & set(ORDER)
            upwards += [f"{path} imports qmfn.{name}" for name in sorted(names - set(allowed))]
    assert not upwards, upwards


def test_every_folder_has_its_place():
    folders = {path.split("/")[0].removesuffix(".py") for path, _ in sources()}
    assert folders == {*ORDER, "__init__", "__main__"}


def kinds_compared(tree: ast.Module, what: set[str], attributes: set[str]) -> Iterator[int]:
    """Lines that compare the kind or the class of something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            if what & {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}:
                yield node.lineno
            if what & {name.attr for name in ast.walk(node.args[1]) if isinstance(name, ast.Attribute)}:
                yield node.lineno
        elif isinstance(node, ast.Compare | ast.Subscript | ast.Match):
            parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [
                node.slice if isinstance(node, ast.Subscript) else node.subject
            ]  # fmt: skip
            if any(isinstance(part, ast.Attribute) and part.attr in attributes for part in parts):
                yield node.lineno


def test_nobody_else_compares_kinds():
    classes = {kernel.__name__ for kernel in KERNELS.values()} | set(LAYERS)
    found = []
    for path, tree in sources():
        if path.split("/")[0] in KNOW_KINDS:
            continue
        attributes = set() if path.startswith(KNOW_LAYER_SPECS) else {"kind", "class_name"}
        lines = sorted(set(kinds_compared(tree, classes, attributes)))
        found += [f"{path}:{line}" for line in lines]
    assert not found, found


def test_the_walk_finds_what_it_looks_for():
    code = """
if stage.kernel.kind == "matvec": pass
if isinstance(kernel, Matvec): pass
if isinstance(kernel, kernels.Depthwise | int): pass
TABLE[layer.kind]
"""
    assert len(set(kinds_compared(ast.parse(code), {"Matvec", "Depthwise"}, {"kind"}))) == 4
