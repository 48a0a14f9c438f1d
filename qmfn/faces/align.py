"""Finds the faces in a photo and aligns each to the ArcFace template.

Takes uint8 (H, W, 3) RGB; gives square uint8 face crops in which eyes, nose and mouth lie where
MobileFaceNet expects them. Detector: MTCNN (Zhang et al. 2016, arXiv 1604.02878), package `mtcnn`, which
carries its weights. Alignment: the similarity transform that brings five landmarks nearest to the
template in least squares.
"""

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from skimage.transform import estimate_transform, warp

# (x, y) of left eye, right eye, nose tip, left and right mouth corner in a 112x112 crop, left for the viewer.
# Source: `arcface_dst` in insightface, python-package/insightface/utils/face_align.py.
ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE_SIZE = 112

# Larger photos are shrunk for detection only: MTCNN's time grows with the area (3000x3000: 5 s).
DETECTION_SIDE = 1600

# Of 1,024 pictures of faces (ORL, LFW, CelebA) one scored less; texture that MTCNN took for faces scored 0.83
# and 0.87.
MIN_CONFIDENCE = 0.85


@dataclass(frozen=True)
class AlignedFace:
    """One face of a photo.

    pixels: uint8 (size, size, 3) RGB, aligned to the template.
    box: left, top, right, bottom in pixels of the photo.
    confidence: of the detector, 0..1.
    landmarks: float (5, 2), x and y in pixels of the photo, in the template's order.
    """

    pixels: np.ndarray
    box: tuple[float, float, float, float]
    confidence: float
    landmarks: np.ndarray


def detect_and_align(image: np.ndarray, size: int = TEMPLATE_SIZE) -> list[AlignedFace]:
    """All faces of a photo, uint8 (H, W, 3) RGB, as crops of size x size.

    The surest come first, of equally sure ones the larger. An empty list means that no face was found; faces
    narrower than about 20 pixels are easily missed.
    """
    faces = [
        AlignedFace(align(image, landmarks, size), box, confidence, landmarks)
        for box, confidence, landmarks in _detect(image)
    ]
    return sorted(faces, key=lambda face: (face.confidence, _area(face.box)), reverse=True)


def align(image: np.ndarray, landmarks: np.ndarray, size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Warps a photo, uint8 (H, W, 3), so that its landmarks, (5, 2), fall on the template.

    Returns uint8 (size, size, 3). What lies outside the photo is filled with its nearest border pixel.
    """
    to_template = alignment_transform(landmarks, size)
    shrink = int(1 / to_template.scale)
    if shrink > 1:
        # Bilinear sampling of a much larger face would alias: average blocks of pixels first.
        image = np.asarray(Image.fromarray(image).reduce(shrink))
        to_template = alignment_transform((landmarks + 0.5) / shrink - 0.5, size)
    from_template = to_template.inverse
    crop = warp(image, from_template, output_shape=(size, size), order=1, mode="edge", preserve_range=True)
    return np.round(crop).astype(np.uint8)


def alignment_transform(landmarks: np.ndarray, size: int = TEMPLATE_SIZE):
    """The SimilarityTransform from a photo's landmarks, (5, 2), to the template scaled to size x size."""
    return estimate_transform("similarity", landmarks, ARCFACE_TEMPLATE * (size / TEMPLATE_SIZE))


def _detect(image: np.ndarray) -> list[tuple[tuple[float, float, float, float], float, np.ndarray]]:
    """(box, confidence, landmarks) of each face, in pixels of the image."""
    scale = min(1.0, DETECTION_SIDE / max(image.shape[:2]))
    if scale < 1.0:
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        photo = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
    else:
        photo = image
    # Two traps of mtcnn 1.0.0: with a min_face_size above its default of 20 the pyramid ends in images too
    # small for the network, and every photo has "no face"; the JSON output rounds landmarks to pixels.
    options = {"output_type": "numpy", "box_format": "xyxy", "threshold_onet": MIN_CONFIDENCE}
    rows = _detector().detect_faces(photo, **options)
    return [
        (tuple((row[1:5] / scale).tolist()), float(row[5]), np.stack([row[6:11], row[11:16]], axis=1) / scale)
        for row in rows
    ]


@lru_cache(maxsize=1)
def _detector():
    # mtcnn imports TensorFlow, which takes seconds and logs CPU features to stderr unless told not to.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from mtcnn import MTCNN

    return MTCNN()


def _area(box: tuple[float, float, float, float]) -> float:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
