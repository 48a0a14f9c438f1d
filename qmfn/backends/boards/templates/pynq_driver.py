"""QMobileFaceNet on a board with PYNQ: images in, embeddings out, equal to the C-simulation's in every value.

Untested on a board. Needs numpy and pynq (2.7 or newer) only; beside the bitstream lie its .hwh and its .json, which
says how large images and embeddings are and in which steps the embeddings count.

    from pynq_driver import QMobileFaceNet
    network = QMobileFaceNet("qmfn_board.bit")
    embeddings = network.predict(pixels)

Embeddings leave the network in the order of the frames, without a number of their own. If `predict` is interrupted
(Ctrl-C, an error of the DMA), the DMA and the network still hold frames whose embeddings a later call would take for
its own. So every later call is an error until `reset`, which loads the bitstream again.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pynq

FRAMES_PER_TRANSFER = 16
"""Frames that the DMA sends in one go: the network then never waits for the next one."""

START_AND_RESTART = 0x81
"""Bits of an HLS block's control register 0: ap_start, auto_restart."""

DMA_CONTROL, DMA_RESET = 0x00, 0x04
"""AXI DMA: control register of the sending channel; its Reset bit stops both channels and clears when they stopped."""

SECONDS_TO_STOP = 1.0


class QMobileFaceNet:
    """A loaded bitstream. `predict` does what the C-simulation's does; one thread at a time."""

    def __init__(self, bitstream):
        """Args: bitstream: path of the .bit file. Loads it."""
        settings = json.loads(Path(bitstream).with_suffix(".json").read_text())
        self.image_size = settings["image_size"]
        self.embedding_size = settings["embedding_size"]
        self.step = 2.0 ** settings["exponent"]
        self._bitstream = str(bitstream)
        self._control = settings["control"]
        self._frame_bytes = self.image_size * self.image_size * 3
        self._load()
        self._pixels = pynq.allocate((FRAMES_PER_TRANSFER, self._frame_bytes), np.uint8)
        self._words = pynq.allocate((self.embedding_size,), np.int32)

    def _load(self):
        """Load the bitstream. `_empty` says that neither the DMA nor the network holds a frame, as after this."""
        self._empty = False
        self._dma: Any = None  # until loading is done: nobody may touch the registers of a half-loaded bitstream
        self._overlay = pynq.Overlay(self._bitstream)
        if self._control == "axi_lite":
            self._overlay.network.write(0, START_AND_RESTART)
        self._dma = self._overlay.dma
        self._empty = True

    def reset(self):
        """Load the bitstream again, which drops what an interrupted `predict` left in the DMA and the network."""
        self._stop_dma()
        self._load()

    def predict(self, images):
        """Embeddings, float64 (N, embedding_size).

        Args: images: (N, size, size, 3), RGB: uint8 pixels, or floats from `normalise`.
        Raises RuntimeError after an interrupted call, until `reset`.
        """
        if not self._empty:
            raise RuntimeError(
                "an earlier call of predict was interrupted, and the network still holds its frames; "
                "call reset(), which loads the bitstream again"
            )
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
        self._empty = False  # ahead of the first transfer: an interrupt at any point behind this leaves it False
        self._dma.recvchannel.transfer(self._words)
        self._dma.sendchannel.transfer(self._pixels, 0, len(frames) * self._frame_bytes)
        for number in range(len(frames)):
            self._dma.recvchannel.wait()
            embeddings[number] = self._words
            if number + 1 < len(frames):
                self._dma.recvchannel.transfer(self._words)
        self._dma.sendchannel.wait()
        self._empty = True
        embeddings *= self.step

    def _stop_dma(self):
        """End transfers that an interrupt left: no DMA may run while a bitstream is loaded or buffers are freed."""
        if self._empty or self._dma is None:
            return
        self._dma.write(DMA_CONTROL, DMA_RESET)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while self._dma.read(DMA_CONTROL) & DMA_RESET:
            if time.monotonic() > deadline:
                raise RuntimeError("the DMA doesn't stop; restart the board")

    def close(self):
        """Give the buffers back."""
        self._stop_dma()
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
