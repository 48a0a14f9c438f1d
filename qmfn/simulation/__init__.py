"""Everything that touches hls4ml: exact types, our PReLU layer, conversion, C-simulation, comparison."""
