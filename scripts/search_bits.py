"""Assign bits to layers by sensitivity; see --help."""

from qmfn.cli import script

script("search-bits")
