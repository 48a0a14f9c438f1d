"""Benchmark the C-simulation against stock hls4ml; see --help."""

from qmfn.cli import script

script("bench")
