"""Synthesise a written project with the vendor tools; see --help."""

import sys

from qmfn.cli.synth import main

if __name__ == "__main__":
    sys.exit(main())
