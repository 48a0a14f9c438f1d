"""Show the vendor tools' reports of a project beside its estimates; see --help."""

import sys

from qmfn.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
