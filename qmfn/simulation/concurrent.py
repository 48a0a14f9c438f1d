"""The verification mode: the generated stage functions run at the same time, over FIFOs as deep as the design says.

A C-simulation runs one stage after another over streams without bounds, so it can't show that the depths of the FIFOs
suffice. Here every stage has a thread of its own, and its reads and writes block. Owns the driver around the stages
(`concurrent_sources/`); takes a written project, whose top function says which streams there are, how deep, and who
calls what; gives outputs, the iterations that the kernels made, and the cycles at which frames ended, by the rules of
`qmfn.plan.simulate`. Both must agree.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from qmfn.errors import UserError
from qmfn.names import PROJECT_NAME
from qmfn.plan.plan import Plan, Schedule
from qmfn.plan.simulate import Deadlock, find_deadlock
from qmfn.simulation.compiler import Types, library_for

SOURCES = Path(__file__).parent / "concurrent_sources"

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SOURCES), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
)

UNBOUNDED = 0
"""A depth: the FIFO holds as many beats as ever come."""


@dataclass(frozen=True)
class VerificationResult:
    """What the stages did.

    Attributes:
        outputs: float64 (frames, values); after a deadlock fewer frames.
        iterations: stage -> iterations of its first frame; later frames have as many.
        schedules: stage -> which streams these iterations read and wrote.
        frame_ends: cycles from the start until the last stage has finished each frame; fewer after a deadlock.
    """

    outputs: np.ndarray
    iterations: Mapping[str, int]
    schedules: Mapping[str, Schedule]
    frame_ends: tuple[int, ...]
    deadlock: Deadlock | None

    @property
    def interval(self) -> int:
        """Cycles between the ends of the last two frames."""
        return self.frame_ends[-1] - self.frame_ends[-2]


class Verification:
    """A compiled design; `depths` are those of the written project: inner stream -> beats."""

    def __init__(self, folder: Path, plan: Plan, types: Types = "fast"):
        """Compile the stages of a written project (seconds to minutes; the library is kept by content).

        Args:
            folder: the project (`qmfn.backends.hls4ml.project`).
            plan: its stages.

        Raises:
            UserError: there is no such project, or it can't be compiled.
            AssertionError: its top function is not this plan.
        """
        self.plan = plan
        top = _read_top(folder)
        _check_top(top, plan)
        self.depths = {name: depth for name, (_, depth) in top.streams.items() if depth is not None}
        self._streams = list(top.streams)
        self._input_values, self._output_values = _values(plan, top.source), _values(plan, top.result)
        self._library = ctypes.CDLL(str(_compiled(folder, _driver(top, plan), types)))
        self._library.verify_run.restype = ctypes.c_char_p
        self._library.verify_iterations.restype = ctypes.c_long
        self._library.verify_trace.restype = ctypes.POINTER(ctypes.c_ubyte)

    def run(self, images: np.ndarray, depths: Mapping[str, int] | None = None) -> VerificationResult:
        """Run images one after another without a gap; all are there from the start, and outputs always have room.

        Args:
            images: normalised images (frames, height, width, channels).
            depths: FIFO -> beats, where they are to be others than the project's; `UNBOUNDED`: no limit.

        Raises:
            AssertionError: a kernel breaks the rules: it uses a stream twice in one iteration or leaves beats in it.
        """
        inputs = np.ascontiguousarray(images, np.float64).reshape(len(images), -1)
        if inputs.shape[1] != self._input_values:
            raise ValueError(f"an image has {inputs.shape[1]} values, the design takes {self._input_values}")
        if unknown := set(depths or {}) - set(self.depths):
            raise ValueError(f"no FIFO between two stages: {', '.join(sorted(unknown))}")
        bounds = {**self.depths, **(depths or {})}
        table = np.array([bounds.get(name, UNBOUNDED) for name in self._streams], np.int32)
        outputs = np.empty((len(inputs), self._output_values))
        ends = np.zeros((len(self.plan.stages), len(inputs)), np.dtype("long"))
        waits = np.empty(len(self.plan.stages), np.int32)
        fault = self._library.verify_run(len(inputs), *(_pointer(a) for a in (inputs, outputs, table, ends, waits)))
        if fault:
            raise AssertionError(fault.decode())
        frame_ends = tuple(int(end) for end in ends[-1] if end)
        return VerificationResult(
            outputs[: len(frame_ends)], *self._traces(), frame_ends, find_deadlock(self.plan, waits.tolist())
        )

    def check(self, images: np.ndarray, depths: Mapping[str, int] | None = None) -> VerificationResult:
        """`run`, for designs that must not deadlock.

        Raises:
            UserError: it does; the sentence names the full FIFO, the stages at its ends, and what they wait for.
        """
        result = self.run(images, depths)
        if result.deadlock:
            stream = self.plan.streams[result.deadlock.full[0]]
            waiting = result.deadlock.waiting
            raise UserError(
                f"the FIFO {stream.name} from {stream.producer} to {stream.consumer} is full at "
                f"{(depths or {}).get(stream.name, self.depths[stream.name])} beats and the design deadlocks: "
                f"{stream.producer} waits for {waiting.get(stream.producer or '', 'nothing')}, {stream.consumer} for "
                f"{waiting.get(stream.consumer or '', 'nothing')}; it needs to be deeper."
            )
        return result

    def _traces(self) -> tuple[dict[str, int], dict[str, Schedule]]:
        """Iterations and schedules of the run before."""
        iterations, schedules = {}, {}
        for number, stage in enumerate(self.plan.stages):
            count = iterations[stage.name] = self._library.verify_iterations(number)
            masks = np.zeros(0, np.uint8)
            if count:
                masks = np.ctypeslib.as_array(self._library.verify_trace(number), (count,))
            reads = tuple((masks >> port & 1).astype(bool) for port in range(len(stage.inputs)))
            writes = tuple((masks >> 2 + port & 1).astype(bool) for port in range(len(stage.outputs)))
            schedules[stage.name] = Schedule(reads, writes)
        return iterations, schedules


def verdict(plan: Plan, folder: Path, images: np.ndarray, embeddings: np.ndarray, types: Types) -> dict[str, Any]:
    """Run a written project and compare it with its plan and with Python: what report.json says of it.

    Args:
        images: normalised images (frames, height, width, channels), two at least.
        embeddings: what they must give (frames, values).

    Raises:
        UserError: the design deadlocks, or its initiation interval is longer than that of the slowest stage.
        AssertionError: a kernel makes other iterations than its plan says.
    """
    found = Verification(folder, plan, types).check(images)
    for stage in plan.stages:
        assert found.iterations[stage.name] == stage.iterations, f"{stage.name}: counts {found.iterations[stage.name]}"
        wanted = stage.schedule()
        assert all(map(np.array_equal, found.schedules[stage.name].reads, wanted.reads)), f"{stage.name}: reads"
        assert all(map(np.array_equal, found.schedules[stage.name].writes, wanted.writes)), f"{stage.name}: writes"
    if found.interval > plan.interval:
        raise UserError(
            f"the FIFO depths make the initiation interval {found.interval} cycles per frame instead of the "
            f"{plan.interval} of {plan.slowest.name}, the slowest stage."
        )
    return {
        "frames": len(images),
        "stages": len(plan.stages),
        "mismatches": int(np.count_nonzero(found.outputs != embeddings)),
        "interval_cycles": found.interval,
        "first_frame_cycles": found.frame_ends[0],
    }


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@dataclass(frozen=True)
class _Top:
    """What the generated top function says.

    Attributes:
        streams: name -> (C++ type, depth; None: the design's input, which is the first, and output, the last).
        calls: (stage function, its arguments).
    """

    streams: Mapping[str, tuple[str, int | None]]
    calls: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def source(self) -> str:
        return next(iter(self.streams))

    @property
    def result(self) -> str:
        return list(self.streams)[-1]


_PORT = re.compile(r"hls::stream<(\w+)> &(\w+)")
_STREAM = re.compile(
    r'hls::stream<(?P<type>\w+)> (?P<name>\w+)\("(?P=name)"\);\n\s*'
    r"#pragma HLS STREAM variable=(?P=name) depth=(?P<depth>\d+)\n"
)
_CALL = re.compile(r"^ *(\w+)\(([\w, ]+)\); // \1$", re.MULTILINE)


def _read_top(folder: Path) -> _Top:
    path = folder / "firmware" / f"{PROJECT_NAME}.cpp"
    try:
        text = path.read_text()
    except OSError as error:
        raise UserError(f"{path}: the HLS project can't be read ({error.strerror}).") from None
    (source_type, source), (result_type, result) = _PORT.findall(text)
    inner = {found["name"]: (found["type"], int(found["depth"])) for found in _STREAM.finditer(text)}
    calls = tuple((name, tuple(arguments.split(", "))) for name, arguments in _CALL.findall(text))
    return _Top({source: (source_type, None), **inner, result: (result_type, None)}, calls)


def _check_top(top: _Top, plan: Plan) -> None:
    """The top function calls the pipeline's stages with its streams."""
    wanted = tuple((stage.name, (*stage.inputs, *stage.outputs)) for stage in plan.stages)
    if top.calls != wanted or set(top.streams) != set(plan.streams):
        raise AssertionError(f"the top function calls {top.calls} over {set(top.streams)}, the pipeline says {wanted}")


def _values(plan: Plan, name: str) -> int:
    """Values of one frame."""
    return plan.streams[name].beats * plan.streams[name].values


def _driver(top: _Top, plan: Plan) -> str:
    """The C++ that runs the stages."""
    streams = [{"name": name, "type": kind} for name, (kind, _) in top.streams.items()]
    return TEMPLATES.get_template("verify.cpp.jinja").render(
        streams=streams,
        stages=plan.stages,
        source=streams[0],
        result=streams[-1],
        input_values=_values(plan, top.source),
        output_values=_values(plan, top.result),
    )


def _compiled(folder: Path, driver: str, types: Types) -> Path:
    """The library, compiled and kept as that of a C-simulation: a project with the same firmware and another csim/."""
    with tempfile.TemporaryDirectory(prefix="qmfn-verification-") as name:
        project = Path(name)
        (project / "firmware").symlink_to((folder / "firmware").resolve())
        csim = project / "csim"
        csim.mkdir()
        for header in SOURCES.glob("*.h"):
            shutil.copy(header, csim)
        shutil.copy(SOURCES / "concurrent.cpp", csim / f"{PROJECT_NAME}_bridge.cpp")
        (csim / f"{PROJECT_NAME}.cpp").write_text(driver)
        return library_for(project, types)
