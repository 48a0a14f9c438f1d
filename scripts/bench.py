"""Benchmark the C-simulation against stock hls4ml; see --help."""

import sys

from qmfn.commands.bench import main

if __name__ == "__main__":
    sys.exit(main())
