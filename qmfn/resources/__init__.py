"""What a plan needs of a device: bills of primitives priced by FPGA family, with bands; frames per second."""
