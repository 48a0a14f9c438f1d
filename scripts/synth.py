"""Synthesise a written project with the vendor tools; see --help."""

from qmfn.cli import script

script("synth")
