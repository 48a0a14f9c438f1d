"""FPGAs and tools: the device table, what a family's blocks can do, the HLS tools, and the target of a design."""

from qmfn.devices.family import Family
from qmfn.devices.table import Device, devices, family_of, find_device
from qmfn.devices.target import Target

__all__ = ["Device", "Family", "Target", "devices", "family_of", "find_device"]
