"""Choose the foldings of a design; see --help."""

import sys

from qmfn.cli.fold import main

if __name__ == "__main__":
    sys.exit(main())
