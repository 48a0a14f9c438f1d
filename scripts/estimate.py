"""Estimate a design without converting it; see --help."""

import sys

from qmfn.cli.estimate import main

if __name__ == "__main__":
    sys.exit(main())
