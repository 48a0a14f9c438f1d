"""Folded designs as plain data: stages, streams, FIFO depths, memories; how they come about and how they run.

Knows neither hls4ml nor TensorFlow, so that a search can ask thousands of times.
"""
