"""Set converted designs side by side; see --help."""

from qmfn.cli import script

script("compare")
