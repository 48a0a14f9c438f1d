"""Estimate a design without converting it; see --help."""

from qmfn.cli import script

script("estimate")
