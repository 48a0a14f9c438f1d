"""Random changes to training faces. The float network labels what results, so that any change keeps its label right.

That is what makes strong changes pay: distillation then matches the two networks as functions, on far more images than
there are faces (Beyer et al. 2022, "a good teacher is patient and consistent", arXiv 2106.05237).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

TURN = np.deg2rad(10)
ZOOM = (0.9, 1.15)
SHIFT = 6
"""Pixels, each way."""
BRIGHTNESS = 40
"""Grey levels, each way."""
CONTRAST = (0.7, 1.3)
SATURATION = (0.0, 1.4)
"""0 is a grey picture."""
MIXED_SHARE = 0.5
"""Share of the faces that another one is blended into, with up to half of the weight."""


def augment(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored, turned, shifted, recoloured and blended faces.

    Args:
        faces: uint8 (N, size, size, 3).
        rng: decides everything.

    Returns:
        uint8 (N, size, size, 3).
    """
    changed = faces.astype(np.float32)
    changed = np.where(_column(rng.random(len(faces)) < 0.5), changed[:, :, ::-1], changed)
    return np.rint(np.clip(_blended(_recoloured(_moved(changed, rng), rng), rng), 0, 255)).astype(np.uint8)


def _column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values)[:, None, None, None]


def _moved(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned and zoomed about the middle, and shifted; what comes in from outside is a mirror image."""
    count, size = len(faces), faces.shape[1]
    angle, zoom = rng.uniform(-TURN, TURN, count), rng.uniform(*ZOOM, count)
    shift = rng.uniform(-SHIFT, SHIFT, (2, count)) * (size / 112)
    cosine, sine, middle = np.cos(angle) / zoom, np.sin(angle) / zoom, (size - 1) / 2
    # Output pixel (x, y) takes the value at (a x + b y + c, d x + e y + f).
    a, b, d, e = cosine, -sine, sine, cosine
    c = middle + shift[0] - (a + b) * middle
    f = middle + shift[1] - (d + e) * middle
    nothing = np.zeros(count)
    transforms = np.stack([a, b, c, d, e, f, nothing, nothing], axis=1).astype(np.float32)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=faces,
        transforms=transforms,
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    ).numpy()


def _recoloured(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(faces)
    grey = faces.mean(axis=3, keepdims=True)
    saturated = grey + _column(rng.uniform(*SATURATION, count)) * (faces - grey)
    mean = faces.mean(axis=(1, 2, 3), keepdims=True)
    contrasted = mean + _column(rng.uniform(*CONTRAST, count)) * (saturated - mean)
    return contrasted + _column(rng.uniform(-BRIGHTNESS, BRIGHTNESS, count))


def _blended(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mixup (Zhang et al. 2018, arXiv 1710.09412), with the neighbour in the batch."""
    count = len(faces)
    weight = rng.uniform(0, 0.5, count) * (rng.random(count) < MIXED_SHARE)
    return faces + _column(weight) * (np.roll(faces, 1, axis=0) - faces)
