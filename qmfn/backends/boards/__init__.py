"""From an HLS project to a board: AXI4-Stream top level, scripts for IP and bitstream, driver for PYNQ."""

from qmfn.backends.boards.write import BoardDesign, write_board_files

__all__ = ["BoardDesign", "write_board_files"]
