"""QMobileFaceNet on a board with PYNQ: images in, embeddings out, equal to the C-simulation's in every value.

Untested on a board. Needs numpy and pynq (2.7 or newer) only; beside the bitstream lie its .hwh and its .json, which
says how large images and embeddings are and in which steps the embeddings count.

    from pynq_driver import QMobileFaceNet
    network = QMobileFaceNet("qmfn_board.bit")
    embeddings = network.predict(pixels)
"""

import json
from pathlib import Path

import numpy as np
import pynq

FRAMES_PER_TRANSFER = 16
"""Frames that the DMA sends in one go: the network then never waits for the next one."""

START_AND_RESTART = 0x81
"""Bits of an HLS block's control register 0: ap_start, auto_restart."""


class QMobileFaceNet:
    """A loaded bitstream. `predict` does what the C-simulation's does; one thread at a time."""

    def __init__(self, bitstream):
        """Args: bitstream: path of the .bit file. Loads it."""
        settings = json.loads(Path(bitstream).with_suffix(".json").read_text())
        self.image_size = settings["image_size"]
        self.embedding_size = settings["embedding_size"]
        self.step = 2.0 ** settings["exponent"]
        self._overlay = pynq.Overlay(str(bitstream))
        self._dma = self._overlay.dma
        self._frame_bytes = self.image_size * self.image_size * 3
        self._pixels = pynq.allocate((FRAMES_PER_TRANSFER, self._frame_bytes), np.uint8)
        self._words = pynq.allocate((self.embedding_size,), np.int32)
        if settings["control"] == "axi_lite":
            self._overlay.network.write(0, START_AND_RESTART)

    def predict(self, images):
        """Embeddings, float64 (N, embedding_size).

        Args: images: (N, size, size, 3), RGB: uint8 pixels, or floats from `normalise`.
        """
        pixels = as_pixels(images)
        if pixels.ndim != 4 or pixels.shape[1:] != (self.image_size, self.image_size, 3):
            wanted = f"(N, {self.image_size}, {self.image_size}, 3)"
            raise ValueError(f"images have shape {pixels.shape}, the design takes {wanted}")
        embeddings = np.empty((len(pixels), self.embedding_size))
        for first in range(0, len(pixels), FRAMES_PER_TRANSFER):
            frames = pixels[first : first + FRAMES_PER_TRANSFER]
            self._run(frames, embeddings[first : first + FRAMES_PER_TRANSFER])
        return embeddings

    def _run(self, frames, embeddings):
        """One transfer of frames; one transfer per embedding, as each ends with TLAST."""
        self._pixels[: len(frames)] = frames.reshape(len(frames), -1)
        self._dma.recvchannel.transfer(self._words)
        self._dma.sendchannel.transfer(self._pixels, 0, len(frames) * self._frame_bytes)
        for number in range(len(frames)):
            self._dma.recvchannel.wait()
            embeddings[number] = self._words
            if number + 1 < len(frames):
                self._dma.recvchannel.transfer(self._words)
        self._dma.sendchannel.wait()
        embeddings *= self.step

    def close(self):
        """Give the buffers back."""
        self._pixels.freebuffer()
        self._words.freebuffer()


def normalise(pixels):
    """The one rule from pixel to first tensor: (p - 128) / 128, float32, from uint8."""
    return (pixels.astype(np.float32) - 128) / 128


def as_pixels(images):
    """uint8 pixels: images as they are if they have that type, else those that `normalise` made them from."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    numbers = images.astype(np.float64) * 128 + 128
    if not np.all((numbers == np.floor(numbers)) & (numbers >= 0) & (numbers <= 255)):
        raise ValueError("images must be uint8 pixels or multiples of 1/128 in [-1, 1), from normalise")
    return numbers.astype(np.uint8)
