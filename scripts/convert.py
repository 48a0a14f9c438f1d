"""Convert a design to a bit-exact HLS project; see --help."""

from qmfn.cli import script

script("convert")
