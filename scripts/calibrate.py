"""Refit the estimates to the shared synthesis data; see --help."""

import sys

from qmfn.cli.calibrate import main

if __name__ == "__main__":
    sys.exit(main())
