"""What a stage does in every iteration of its loop: from which streams it reads, to which it writes.

The arrays say what the kernels' C++ says; `tests/hls/folded` records the real kernels and compares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qmfn.dataflow.stages import Stage


@dataclass(frozen=True)
class Schedule:
    """One frame of a stage.

    Attributes:
        reads: per input stream, bool (iterations,): a beat is read in this iteration.
        writes: per output stream, bool (iterations,): a beat is written.
    """

    reads: tuple[np.ndarray, ...]
    writes: tuple[np.ndarray, ...]

    @property
    def iterations(self) -> int:
        return len(self.reads[0])


def schedule(stage: Stage) -> Schedule:
    """The schedule of one frame of any stage."""
    return _SCHEDULES[stage.kind](stage)


def _window(stage: Stage) -> Schedule:
    """Sliding window: per position and group one iteration, or `steps` of them where an output is due."""
    fires = np.zeros(stage.positions, bool)
    rows, columns = np.indices((stage.out_height, stage.out_width)).reshape(2, -1) * stage.stride
    reach = stage.kernel - 1 - stage.padding
    fires[(rows + reach) * stage.width + columns + reach] = True
    iterations = np.repeat(np.where(fires, stage.steps, 1), stage.groups)
    first = np.cumsum(iterations) - iterations
    reads = np.zeros(stage.iterations, bool)
    reads[first[: stage.pixels * stage.groups]] = True
    firing = np.repeat(np.repeat(fires, stage.groups), iterations)
    if stage.kind == "window":
        return Schedule((reads,), (firing,))
    writes = np.zeros(stage.iterations, bool)
    writes[(first + iterations - 1)[np.repeat(fires, stage.groups)]] = True
    return Schedule((reads,), (writes,))


def _matvec(stage: Stage) -> Schedule:
    """Per output pixel and group of outputs all terms; the pixel is read with the first group."""
    parts, groups = stage.terms // stage.simd, stage.out_channels // stage.pe
    reads, writes = np.zeros((2, stage.out_pixels, groups, parts), bool)
    reads[:, 0, :] = True
    writes[:, :, -1] = True
    return Schedule((reads.ravel(),), (writes.ravel(),))


def _global_depthwise(stage: Stage) -> Schedule:
    """Reads in every iteration; writes with the last pixel."""
    writes = np.zeros((stage.pixels, stage.groups), bool)
    writes[-1] = True
    return Schedule((np.ones(writes.size, bool),), (writes.ravel(),))


def _every_beat(stage: Stage) -> Schedule:
    always = np.ones(stage.iterations, bool)
    return Schedule((always,) * len(stage.inputs), (always,) * len(stage.outputs))


def _split(stage: Stage) -> Schedule:
    """A wide beat is read, then handed on in parts."""
    always = np.ones(stage.iterations, bool)
    return Schedule((np.arange(stage.iterations) % (stage.pe // stage.simd) == 0,), (always,))


def _join(stage: Stage) -> Schedule:
    """Narrow beats are read; the last one completes a wide one."""
    parts = stage.simd // stage.pe
    always = np.ones(stage.iterations, bool)
    return Schedule((always,), (np.arange(stage.iterations) % parts == parts - 1,))


_SCHEDULES = {
    "window": _window,
    "matvec": _matvec,
    "depthwise": _window,
    "global_depthwise": _global_depthwise,
    "add": _every_beat,
    "fork": _every_beat,
    "split": _split,
    "join": _join,
}
