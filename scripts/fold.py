"""Choose the foldings of a design; see --help."""

from qmfn.cli import script

script("fold")
