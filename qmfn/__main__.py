"""`python -m qmfn`: the same as `qmfn`."""

import sys

from qmfn.cli import main

sys.exit(main())
