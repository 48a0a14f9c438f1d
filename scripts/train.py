"""Train the checkpoint of a design; see --help."""

from qmfn.cli import script

script("train")
