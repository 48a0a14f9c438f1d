"""Estimates before synthesis: from a design to cycles, resources with error bars, and frames per second.

Takes a `Design`: `describe` reads one from a converted hls4ml ModelGraph, `describe_design` makes an equal one from
config and checkpoint alone. Gives an `Estimate`. Every number in it is *estimated*: what C-synthesis will report and
what Vivado synthesis will make of that, fitted to reports of other designs. How good that is, is measured in
docs/estimates.

`cycles` and `resources` hold the formulas, `memory` and `arithmetic` those that serve any dataflow, `devices` the
FPGAs, `calibration` the fit; `coefficients.json` is its result.
"""

from qmfn.stock.design import Design, FifoDesign, LayerDesign, describe
from qmfn.stock.from_config import describe_design
from qmfn.stock.total import Estimate, FifoTotals, LayerEstimate, estimate

__all__ = [
    "Design",
    "Estimate",
    "FifoDesign",
    "FifoTotals",
    "LayerDesign",
    "LayerEstimate",
    "describe",
    "describe_design",
    "estimate",
]
