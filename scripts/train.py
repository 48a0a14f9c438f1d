"""Train the checkpoint of a design; see --help."""

import sys

from qmfn.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
