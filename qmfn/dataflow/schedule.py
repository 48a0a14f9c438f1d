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
    """The schedule of one frame of any stage.

    A beat wider than what a kernel takes is read when its first values are taken, one wider than what it gives is
    written when its last values are there.
    """
    takes, gives = _SCHEDULES[stage.kind](stage)
    return Schedule(
        tuple(_every(lanes // stage.lanes_in, 0, takes) for lanes in stage.read_lanes),
        tuple(_every(lanes // stage.lanes_out, -1, gives) for lanes in stage.write_lanes),
    )


def _every(parts: int, which: int, times: np.ndarray) -> np.ndarray:
    """Of `parts` times one after another only the first (0) or the last (-1)."""
    kept = np.zeros_like(times)
    kept[np.flatnonzero(times).reshape(-1, parts)[:, which]] = True
    return kept


_Times = tuple[np.ndarray, np.ndarray]
"""Per iteration whether a kernel takes values from its inputs, and gives values to its outputs."""


def _window(stage: Stage) -> _Times:
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
        return reads, firing
    writes = np.zeros(stage.iterations, bool)
    writes[(first + iterations - 1)[np.repeat(fires, stage.groups)]] = True
    return reads, writes


def _matvec(stage: Stage) -> _Times:
    """Per output pixel and group of outputs all terms; the pixel is read with the first group."""
    parts, groups = stage.terms // stage.simd, stage.out_channels // stage.pe
    reads, writes = np.zeros((2, stage.out_pixels, groups, parts), bool)
    reads[:, 0, :] = True
    writes[:, :, -1] = True
    return reads.ravel(), writes.ravel()


def _global_depthwise(stage: Stage) -> _Times:
    """Reads in every iteration; writes with the last pixel."""
    writes = np.zeros((stage.pixels, stage.groups), bool)
    writes[-1] = True
    return np.ones(writes.size, bool), writes.ravel()


def _add(stage: Stage) -> _Times:
    """Always."""
    return np.ones(stage.iterations, bool), np.ones(stage.iterations, bool)


_SCHEDULES = {
    "window": _window,
    "matvec": _matvec,
    "depthwise": _window,
    "global_depthwise": _global_depthwise,
    "add": _add,
}
