"""Choose the foldings of a design; see --help."""

import sys

from qmfn.commands.fold import main

if __name__ == "__main__":
    sys.exit(main())
