"""The kernels of folded designs: a folder each, with what is true of a kernel and its C++.

Registered in an order in which a more special kernel comes after a more general one: the last that computes a layer is
taken.
"""

from qmfn.kernels.add.add import Add
from qmfn.kernels.depthwise.depthwise import Depthwise
from qmfn.kernels.global_depthwise.global_depthwise import GlobalDepthwise
from qmfn.kernels.kernel import KERNELS, Folding, Kernel, kernel_of, register_kernel
from qmfn.kernels.matvec.matvec import Matvec
from qmfn.kernels.window.window import Window

__all__ = [
    "KERNELS",
    "Add",
    "Depthwise",
    "Folding",
    "GlobalDepthwise",
    "Kernel",
    "Matvec",
    "Window",
    "kernel_of",
    "register_kernel",
]
