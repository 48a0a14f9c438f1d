"""Train the checkpoint of a design; see --help."""

import sys

from qmfn.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
