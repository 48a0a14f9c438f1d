"""The HLS tool that an estimate is for: C-synthesis differs between tools, their versions and hls4ml releases."""

from __future__ import annotations

from dataclasses import dataclass

from qmfn.errors import UserError

NEWEST_COVERED = {"Vitis": "2023.1", "Vivado": "2020.1"}
"""Version per backend that is assumed where none is given: the newest that Resource layers of the reports cover well.
Vitis HLS 2024.2, which binds multiplications otherwise, is known from a single repository.
"""

HLS4ML_RELEASE = "1.3.0"
"""The release that this project generates with."""


@dataclass(frozen=True)
class Tool:
    """`backend` as in a design file (Vitis or Vivado), the tool's version (2023.1) and the hls4ml release (1.3.0)."""

    backend: str
    version: str
    hls4ml: str = HLS4ML_RELEASE

    @property
    def clock_uncertainty(self) -> float:
        """Share of the clock period that the scheduler leaves unused by default: Vitis 27 %, Vivado 12.5 %."""
        return 0.27 if self.backend == "Vitis" else 0.125

    @property
    def fuses_narrow_products(self) -> bool:
        """Vitis HLS 2024.2 binds narrow multiply-adds to DSPs, earlier versions wide products only."""
        return self.backend == "Vitis" and _numbers(self.version) >= (2024, 2)

    @property
    def asks_for_rom(self) -> bool:
        """From hls4ml 1.0 on, Resource kernels pin their weights to block RAM (`core=ROM_nP_BRAM`), however small."""
        return _numbers(self.hls4ml) >= (1, 0)

    @property
    def shifts_window_serially(self) -> bool:
        """Seen with hls4ml 0.7: the sliding window moves one value per cycle."""
        return (0, 7) <= _numbers(self.hls4ml) < (0, 8)


def tool_for(backend: str, version: str | None = None) -> Tool:
    """The tool of a backend; without a version the newest one that the reports cover well.

    Raises:
        UserError: the backend is unknown or the version is not of the form YEAR.N.
    """
    if backend not in NEWEST_COVERED:
        raise UserError(f"backend {backend!r} can't be estimated; known are {', '.join(NEWEST_COVERED)}.")
    version = version or NEWEST_COVERED[backend]
    parts = version.split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise UserError(f"tool version {version!r} is not of the form 2023.1.")
    return Tool(backend, version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
