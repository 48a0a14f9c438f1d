"""Set converted designs side by side; see --help."""

import sys

from qmfn.cli.compare import main

if __name__ == "__main__":
    sys.exit(main())
