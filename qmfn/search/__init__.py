"""Foldings found for a network and a target: a frame rate with little of the device, or as many frames as fit."""
