"""What this machine has, what it lacks, and what to do about it: one `Finding` per thing.

Imports nothing that it may find missing: the standard library, and modules of ours that need no more.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from qmfn.errors import UserError
from qmfn.names import FOLDED_BACKENDS
from qmfn.packages import package_folder
from qmfn.shared import shared_folder
from qmfn.simulation.compiler import COMMON_FLAGS, FLAGS, cache_folder, find_compiler

OK, MISSING = "ok", "missing"

INSTALL = "pip install --constraint constraints.txt --editable ."
"""What `make` does to install the project and all that it needs."""

LEAST_MEMORY_GIB = 4
"""Compiling the C-simulation of a design of full size beside TensorFlow; training takes no more."""

PROGRAM = '#include <vector>\nextern "C" int length() { return std::vector<int>{1, 2}.size(); }\n'

CLANG = ("clang++",)
VITIS = ("vitis-run", "vitis_hls")
VIVADO_HLS = ("vivado_hls",)
VIVADO = ("vivado",)

SHARED_FILES = {
    "weights/mobilefacenet_y1_folded.npz": "train, evaluate --engine float",
    "faces/celeba_112.tar": "train, search-bits, operating-point",
    "faces/utkface_112.tar": "train, search-bits",
    "faces/lfw_112.tar": "evaluate on LFW",
    "faces/lfw_pairs.txt": "evaluate on LFW",
    "synthesis": "calibrate",
}
"""What the shared data folder may hold -> the commands that need it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is there or not.

    name: what was looked for.
    required: whether a conversion fails without it.
    state: "ok" or "missing"; what is there and can't be used is missing, too.
    found: version, path or reason.
    use: what it is for.
    remedy: one line, where it is missing.
    """

    name: str
    required: bool
    state: str
    found: str
    use: str
    remedy: str | None = None

    def as_dict(self) -> dict:
        return asdict(self)


def examine() -> list[Finding]:
    """Everything, in the order in which it is needed; a second or two, most of it the compiler and hls4ml."""
    return [
        python(),
        *packages(),
        backends(),
        detector(),
        compiler(),
        cache(),
        *tools(),
        *shared_files(),
        cores(),
        memory(),
    ]


def python() -> Finding:
    """The interpreter, against what the project asks for."""
    version = ".".join(map(str, sys.version_info[:3]))
    right = (3, 10) <= sys.version_info[:2] < (3, 12)
    remedy = "install Python 3.11 and make the environment anew: make clean convert PYTHON=python3.11"
    return _finding("Python", right, version, "TensorFlow 2.15 runs on 3.10 and 3.11", remedy)


def packages() -> Iterator[Finding]:
    """The packages that the project declares, each with its version."""
    try:
        from packaging.requirements import Requirement

        declared = [Requirement(text) for text in importlib.metadata.requires("qmfn") or ()]
    except ImportError:  # the project itself counts: PackageNotFoundError is one
        yield _finding("packages", False, "qmfn or packaging isn't installed here", "everything", INSTALL)
        return
    for requirement in sorted(declared, key=lambda one: one.name.lower()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield package(requirement)


def package(requirement) -> Finding:
    """One package (a `packaging` Requirement), by what its metadata say."""
    asked = f"{requirement.name}{requirement.specifier}"
    remedy = f'pip install --constraint constraints.txt "{asked}"'
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return _finding(requirement.name, False, "not installed", "", remedy)
    if not requirement.specifier.contains(version, prereleases=True):
        return _finding(requirement.name, False, f"{version}, but {requirement.specifier} is needed", "", remedy)
    return _finding(requirement.name, True, version, "")


def backends() -> Finding:
    """The folded backends, found by hls4ml as a plugin."""
    wanted = sorted(name.lower() for name in FOLDED_BACKENDS.values())
    name, use = "hls4ml backends", "designs with hls.dataflow: folded"
    try:
        known = importlib.import_module("hls4ml.backends").get_available_backends()
    except Exception as error:  # whatever a broken installation raises
        return _finding(name, False, f"hls4ml can't be imported ({_sentence(error)})", use, INSTALL)
    lacking = [one for one in wanted if one not in known]
    if lacking:
        return _finding(name, False, f"{', '.join(lacking)}: not registered", use, f"register the plugin: {INSTALL}")
    return _finding(name, True, ", ".join(wanted), use)


def detector() -> Finding:
    """The face detector and its weights."""
    name, use = "face detector", "photos that aren't aligned faces yet"
    if find_spec("mtcnn") is None:
        return _finding(name, False, "mtcnn isn't installed", use, 'pip install "mtcnn>=1.0"')
    weights = package_folder("mtcnn") / "assets" / "weights"
    lacking = [net for net in ("pnet", "rnet", "onet") if not (weights / f"{net}.lz4").is_file()]
    if lacking:
        remedy = 'pip install --force-reinstall --no-deps "mtcnn>=1.0"'
        return _finding(name, False, f"{weights} lacks {', '.join(lacking)}", use, remedy)
    return _finding(name, True, "mtcnn with its weights", use)


def compiler() -> Finding:
    """The C++ compiler, tried on a few lines."""
    name, use = "C++ compiler", "the C-simulation: convert, verify and evaluate --engine csim"
    remedy = "install g++ (apt install g++), or set CXX to another g++"
    try:
        command = find_compiler()
    except UserError as error:
        return _finding(name, False, str(error).partition(";")[0], use, remedy)
    flags = [*FLAGS["fast"], *COMMON_FLAGS, "-shared", "-x", "c++", "-", "-o", os.devnull]
    try:
        tried = subprocess.run([*command, *flags], input=PROGRAM, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return _finding(name, False, f"{command[0]} can't be run ({_sentence(error)})", use, remedy)
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["it says nothing"])[0]
        return _finding(name, False, f"{command[0]} can't compile a C-simulation: {said}", use, remedy)
    return _finding(name, True, f"{' '.join(command)} {_version(command)}".strip(), use)


def cache() -> Finding:
    """The folder that compiled C-simulations are kept in."""
    folder = cache_folder()
    name, use = "cache folder", "compiled C-simulations"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "set QMFN_CACHE to a folder that you can write"
        return _finding(name, False, f"{folder} can't be written ({error.strerror})", use, remedy)
    return _finding(name, True, str(folder), use)


def tools() -> Iterator[Finding]:
    """Programs that a conversion does without."""
    needed = "{}; all else works without"
    known = (
        ("clang", CLANG, "a second opinion on the generated C++; no command needs it", "apt install clang"),
        ("Vitis HLS", VITIS, needed.format("synth of Vitis projects"), "install AMD Vitis, source its settings64.sh"),
        (
            "Vivado HLS", VIVADO_HLS, needed.format("synth of Vivado projects"),
            "install Xilinx Vivado 2020.1 or older, source its settings64.sh; or convert with hls.backend=Vitis",
        ),
        (
            "Vivado", VIVADO, needed.format("synth --vsynth, bitstreams"),
            "install AMD Vivado, source its settings64.sh",
        ),
    )  # fmt: skip
    for name, commands, use, remedy in known:
        paths = [path for command in commands if (path := shutil.which(command))]
        found = paths[0] if paths else f"{' or '.join(commands)}: not on PATH"
        yield _finding(name, bool(paths), found, use, remedy, required=False)


def shared_files() -> Iterator[Finding]:
    """Data that are never shipped."""
    folder = shared_folder()
    for relative, use in SHARED_FILES.items():
        path = folder / relative
        remedy = f"set QMFN_SHARED to the folder that holds {relative}"
        found = str(path) if path.exists() else f"{path}: no such file"
        yield _finding(relative, path.exists(), found, use, remedy, required=False)


def cores() -> Finding:
    """Processor cores that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _finding("cores", True, str(count), "the C-simulation uses all of them", required=False)


def memory() -> Finding:
    """Main memory of the machine."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    remedy = f"use a machine with {LEAST_MEMORY_GIB} GiB; smaller designs (configs/tiny.yml) need less"
    enough = gib >= LEAST_MEMORY_GIB * 0.95  # the kernel keeps some for itself
    return _finding("memory", enough, f"{gib:.1f} GiB", "designs of full size", remedy, required=False)


def lacks_what_is_required(findings: list[Finding]) -> bool:
    """Whether a conversion would fail here."""
    return any(one.required and one.state == MISSING for one in findings)


def _finding(
    name: str, present: bool, found: str, use: str, remedy: str | None = None, required: bool = True
) -> Finding:
    return Finding(name, required, OK if present else MISSING, found, use, None if present else remedy)


def _version(command: list[str]) -> str:
    try:
        said = subprocess.run([*command, "-dumpfullversion"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
