"""Show the vendor tools' reports of a project beside its estimates; see --help."""

from qmfn.cli import script

script("report")
