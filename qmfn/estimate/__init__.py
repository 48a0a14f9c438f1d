"""Estimates before synthesis: from a design to cycles, resources with error bars, and frames per second.

Takes a `Design`: `describe` reads one from a converted hls4ml ModelGraph, `describe_design` makes an equal one from
config and checkpoint alone. Gives an `Estimate`. Every number in it is *estimated*: what C-synthesis will report and
what Vivado synthesis will make of that, fitted to reports of other designs. How good that is, is measured in
docs/estimates.

`cycles` and `resources` hold the formulas, `memory` and `arithmetic` those that serve any dataflow, `devices` the
FPGAs, `calibration` the fit; `coefficients.json` is its result.
"""

from qmfn.dataflow.memory import lutram_luts, ramb18, uram
from qmfn.estimate.arithmetic import dsp_per_multiplication, lut_per_multiplication, takes_dsp
from qmfn.estimate.design import Design, FifoDesign, LayerDesign, describe
from qmfn.estimate.devices import Device, find_device
from qmfn.estimate.folded import FoldedEstimate, estimate_pipeline
from qmfn.estimate.from_config import describe_design
from qmfn.estimate.total import Estimate, FifoTotals, LayerEstimate, estimate

__all__ = [
    "Design",
    "Device",
    "Estimate",
    "FifoDesign",
    "FifoTotals",
    "FoldedEstimate",
    "LayerDesign",
    "LayerEstimate",
    "describe",
    "describe_design",
    "dsp_per_multiplication",
    "estimate",
    "estimate_pipeline",
    "find_device",
    "lut_per_multiplication",
    "lutram_luts",
    "ramb18",
    "takes_dsp",
    "uram",
]
