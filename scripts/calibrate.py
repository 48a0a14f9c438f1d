"""Refit the estimates to the shared synthesis data; see --help."""

from qmfn.cli import script

script("calibrate")
