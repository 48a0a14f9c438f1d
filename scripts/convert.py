"""Convert a design to a bit-exact HLS project; see --help."""

import sys

from qmfn.cli.convert import main

if __name__ == "__main__":
    sys.exit(main())
