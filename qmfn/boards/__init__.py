"""From an HLS project to a board: AXI4-Stream top level, scripts for IP and bitstream, driver for PYNQ."""

from qmfn.boards.write import Board, BoardDesign, boards, find_board, write_board_files

__all__ = ["Board", "BoardDesign", "boards", "find_board", "write_board_files"]
