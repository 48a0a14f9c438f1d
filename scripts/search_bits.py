"""Assign bits to layers by sensitivity; see --help."""

import sys

from qmfn.cli.search_bits import main

if __name__ == "__main__":
    sys.exit(main())
