"""Measure the verification accuracy of a design; see --help."""

import sys

from qmfn.cli.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
