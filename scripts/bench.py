"""Benchmark the C-simulation against stock hls4ml; see --help."""

import sys

from qmfn.cli.bench import main

if __name__ == "__main__":
    sys.exit(main())
