"""Quantisation-aware distillation: from float weights to a checkpoint of a design."""
