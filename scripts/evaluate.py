"""Measure the verification accuracy of a design; see --help."""

from qmfn.cli import script

script("evaluate")
