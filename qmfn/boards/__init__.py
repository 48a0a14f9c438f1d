"""From an HLS project to a board: AXI4-Stream top level, scripts for IP and bitstream, driver for PYNQ."""
