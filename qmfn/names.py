"""Names that the generated project and its C-simulation share."""

PROJECT_NAME = "qmfn"
"""Name of the top function and of the C++ files."""

WEIGHTS_VARIABLE = "QMFN_CSIM_WEIGHTS"
"""Environment variable with the folder that the C-simulation reads its weights from when the first image comes."""

FOLDED_BACKENDS = {"Vitis": "VitisFolded", "Vivado": "VivadoFolded"}
"""Vendor tool -> name of the folded hls4ml backend that generates for it."""
