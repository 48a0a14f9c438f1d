"""From the written project to a C-simulation library: compiled once, kept by content, two kinds of types.

`reference` compiles against the vendor's ap_types as hls4ml ships them; `fast` against `csim_types`, thin headers over
the ac_types library (also shipped by hls4ml) that give the same numbers an order of magnitude sooner. The HLS sources
are the same in both, and unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from qmfn.errors import UserError
from qmfn.files import content_hashes, file_hash, folder_aside
from qmfn.names import PROJECT_NAME, WEIGHTS_VARIABLE
from qmfn.packages import package_folder

Types = Literal["fast", "reference"]

FLAGS: dict[Types, tuple[str, ...]] = {
    "reference": ("-std=c++11", "-O3"),
    "fast": ("-std=c++17", "-O2", "-march=native"),  # -O3 compiles longer and runs no faster
}
FOLDED_FLAGS = {**FLAGS, "fast": ("-std=c++17", "-O3", "-march=native")}
"""For the folded kernels: their loops over built-in integers run twice as fast with -O3."""
COMMON_FLAGS = ("-fPIC", "-w", f'-DWEIGHTS_DIR=std::getenv("{WEIGHTS_VARIABLE}")')

GCC_FLAGS = ("-fno-gnu-unique",)
"""Two libraries of one process don't share their static variables; other compilers do so of themselves."""
GCC_FOLDED_FLAGS = (
    # The sign of a sum in front of a PReLU is a coin toss: moves instead of branches that are mispredicted.
    *("--param", "max-rtl-if-conversion-unpredictable-cost=100"),
    *("--param", "max-rtl-if-conversion-predictable-cost=100"),
    # A sum of 16 products or more stays a loop, as the vectoriser wants it.
    *("--param", "max-completely-peel-times=15"),
)
"""A fifth of the time of a folded C-simulation."""

CSIM_TYPES = Path(__file__).parent / "csim_types"

KEPT_LIBRARIES = 16
"""Libraries that the cache keeps; the longest unused ones go."""


def library_for(folder: Path, types: Types) -> Path:
    """The C-simulation library of a written project: from the cache, or compiled into it.

    Args:
        folder: the project (`qmfn.backends.hls4ml.project`).
        types: which types to compile against.

    Raises:
        UserError: no compiler, the compiler rejects the sources, or the cache can't be written.
    """
    compiler = find_compiler()
    cache = cache_folder()
    entry = cache / content_key(folder, types, compiler)
    if _is_sound(entry):
        os.utime(entry)
        return entry / LIBRARY
    try:
        with folder_aside(cache, ".compiling.") as aside:
            _compile(compiler, folder, types, aside)
            (aside / CHECKSUM).write_text(file_hash(aside / LIBRARY))
            shutil.rmtree(entry, ignore_errors=True)  # damaged, if it is there
            with contextlib.suppress(FileExistsError):  # another process was faster with the same content
                aside.rename(entry)
        _forget_oldest(cache)
    except OSError as error:
        raise UserError(f"{cache}: the cache of C-simulations can't be written ({error.strerror}).") from None
    return entry / LIBRARY


LIBRARY = f"lib{PROJECT_NAME}.so"
CHECKSUM = "sha256"


def cache_folder() -> Path:
    """Where compiled libraries are kept: `QMFN_CACHE`, else qmfn/ in the user's cache folder."""
    fallback = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "qmfn"
    return Path(os.environ.get("QMFN_CACHE", fallback))


def find_compiler() -> list[str]:
    """The C++ compiler command: `CXX` or g++.

    Raises:
        UserError: there is none.
    """
    try:
        compiler = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    except ValueError as error:
        raise UserError(f"CXX = {os.environ['CXX']}: is no command line ({error}).") from None
    if shutil.which(compiler[0]) is None:
        raise UserError(f"{compiler[0]}: no such C++ compiler on PATH; install g++ or set CXX to one.")
    return compiler


def content_key(folder: Path, types: Types, compiler: list[str]) -> str:
    """A name for what would be compiled: sources, flags, compiler and, as -march=native looks at it, processor.

    The headers of the weights are among the sources, so designs with other weights never share a library: it reads its
    weights once per process.
    """
    key = hashlib.sha256()
    try:
        target = subprocess.run([*compiler, "-march=native", "-Q", "--help=target", "--version"], capture_output=True)
    except OSError as error:
        raise UserError(f"{compiler[0]}: can't be run as a C++ compiler ({error.strerror}).") from None
    key.update(target.stdout + repr((compiler, _flags(compiler, folder, types))).encode())
    roots = [folder / "csim", folder / "firmware", *(_type_folders() if types == "fast" else [])]
    for root in roots:
        sources = content_hashes(root, lambda name: name.endswith((".h", ".cpp")))
        key.update(repr((root.name, sources)).encode())
    return key.hexdigest()[:32]


def _flags(compiler: list[str], folder: Path, types: Types) -> list[str]:
    folded = (folder / "firmware" / "folded").is_dir()
    flags = [*(FOLDED_FLAGS if folded else FLAGS)[types], *COMMON_FLAGS]
    if not _is_gcc(compiler):
        return flags
    return [*flags, *GCC_FLAGS, *(GCC_FOLDED_FLAGS if folded and types == "fast" else ())]


def _is_gcc(compiler: list[str]) -> bool:
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True)
    return "Free Software Foundation" in version.stdout


def _type_folders() -> list[Path]:
    return [CSIM_TYPES, package_folder("hls4ml") / "templates" / "quartus" / "ac_types"]


def _is_sound(entry: Path) -> bool:
    try:
        return (entry / CHECKSUM).read_text() == file_hash(entry / LIBRARY)
    except OSError:
        return False


def _forget_oldest(cache: Path) -> None:
    entries = sorted((entry for entry in cache.iterdir() if not entry.name.startswith(".")), key=_last_use)
    for entry in entries[:-KEPT_LIBRARIES]:
        shutil.rmtree(entry, ignore_errors=True)


def _last_use(entry: Path) -> float:
    return entry.stat().st_mtime


def _compile(compiler: list[str], folder: Path, types: Types, target: Path) -> None:
    """Compile the two sources of the probed project side by side, and link them."""
    includes = [folder, folder / "firmware", folder / "firmware" / "ap_types"]
    if types == "fast":
        includes = [*_type_folders(), *includes]
    flags = [*_flags(compiler, folder, types), *(f"-I{path}" for path in includes)]
    names = (PROJECT_NAME, f"{PROJECT_NAME}_bridge")
    objects = [str(target / f"{name}.o") for name in names]
    run_compilers(
        [*compiler, *flags, "-c", str(folder / "csim" / f"{name}.cpp"), "-o", file]
        for name, file in zip(names, objects, strict=True)
    )
    run_compilers([[*compiler, "-shared", *objects, "-o", str(target / LIBRARY)]])
    for file in objects:
        os.unlink(file)


def run_compilers(commands: Iterable[list[str]]) -> None:
    """Run compilers side by side; when this is interrupted, or one fails, none stays behind.

    Raises:
        UserError: one fails; the sentence carries its first error.
    """
    processes: list[tuple[str, subprocess.Popen[str]]] = []
    try:
        for command in commands:
            with _interrupts_held_back():  # or one that comes right now would leave a process that nobody knows
                # A session of its own: the compiler's own children end with it.
                process = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
                )
                processes.append((command[0], process))
        for compiler, process in processes:
            output, _ = process.communicate()
            if process.returncode:
                raise UserError(f"{compiler}: can't compile the HLS project: {_first_error(output)}")
    finally:
        for _, process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C and SIGTERM come behind this. Only the main thread has them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            os.kill(os.getpid(), held[0])


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it says nothing"]
    return next((line for line in lines if "error: " in line or "undefined reference" in line), lines[-1])
