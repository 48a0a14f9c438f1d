"""Detection and alignment of faces."""

import numpy as np
import pytest
from PIL import Image

from qmfn.faces.align import ARCFACE_TEMPLATE, align, alignment_transform, detect_and_align
from qmfn.faces.images import FaceStore


def photo_with_dots(scale: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """A dark photo whose landmarks, the template turned and scaled, are white dots; and these, (5, 2)."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (ARCFACE_TEMPLATE - 56) @ turn.T * scale + 100 * scale
    y, x = np.mgrid[: int(200 * scale), : int(200 * scale)]
    dots = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * (2 * scale) ** 2)) for u, v in landmarks]
    return np.repeat((255 * sum(dots)).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2), landmarks


@pytest.mark.parametrize("size", [112, 56])
@pytest.mark.parametrize(("scale", "angle"), [(1.0, 0.0), (1.3, 0.4), (5.0, -0.3)])
def test_landmarks_land_on_the_template_within_a_pixel(scale, angle, size):
    photo, landmarks = photo_with_dots(scale, angle)
    crop = align(photo, landmarks, size)
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    template = ARCFACE_TEMPLATE * size / 112
    y, x = np.mgrid[:size, :size]
    for u, v in template:
        near = crop[..., 0] * (np.hypot(x - u, y - v) < 6 * size / 112)
        centre = np.array([(near * x).sum(), (near * y).sum()]) / near.sum()
        assert np.abs(centre - (u, v)).max() < 1


def test_transform_is_exact_for_a_similar_face():
    _, landmarks = photo_with_dots(2.7, 1.1)
    np.testing.assert_allclose(alignment_transform(landmarks)(landmarks), ARCFACE_TEMPLATE, atol=1e-9)


def test_large_faces_are_averaged_not_aliased():
    checkers = np.indices((1120, 1120)).sum(axis=0) % 2 * 255
    crop = align(np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8), ARCFACE_TEMPLATE * 10)
    assert np.abs(crop.astype(int) - 127).max() <= 5


def test_a_portrait_gives_its_face(astronaut):
    (face,) = detect_and_align(astronaut)
    assert face.pixels.shape == (112, 112, 3) and face.pixels.dtype == np.uint8
    left, top, right, bottom = face.box
    assert (150 < left < 210) and (40 < top < 90) and (240 < right < 290) and (150 < bottom < 190)
    assert 0.99 < face.confidence <= 1
    landed = alignment_transform(face.landmarks)(face.landmarks)
    assert np.abs(landed - ARCFACE_TEMPLATE).max() < 6  # people differ from the template, but not much


def test_a_low_resolution_greyscale_picture_gives_its_face(orl_face):
    assert orl_face.shape == (112, 92, 3)
    assert len(detect_and_align(orl_face)) == 1


def test_size_sets_the_crop(orl_face):
    assert detect_and_align(orl_face, size=64)[0].pixels.shape == (64, 64, 3)


def test_a_photo_beyond_the_detection_size_gives_its_face_in_its_own_pixels(astronaut):
    large = np.asarray(Image.fromarray(astronaut).resize((2048, 2048), Image.Resampling.BICUBIC))
    (face,) = detect_and_align(large)
    (expected,) = detect_and_align(astronaut)
    assert np.abs(face.landmarks / 4 - expected.landmarks).max() < 2


def test_every_face_of_a_photo_is_found_surest_first(astronaut, orl_face):
    collage = np.full((600, 900, 3), 128, dtype=np.uint8)
    collage[:512, :512] = astronaut
    collage[100:324, 600:784] = Image.fromarray(orl_face).resize((184, 224), Image.Resampling.BICUBIC)
    faces = detect_and_align(collage)
    assert len(faces) == 2
    assert faces[0].confidence >= faces[1].confidence
    assert {face.box[0] > 512 for face in faces} == {False, True}


@pytest.mark.parametrize("shape", [(1, 1), (11, 11), (20, 20), (5, 400), (1, 3000), (300, 300)])
def test_a_picture_without_a_face_gives_none(shape):
    assert detect_and_align(np.full((*shape, 3), 99, dtype=np.uint8)) == []


def test_texture_is_no_face():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert detect_and_align(noise) == []


def test_shared_aligned_faces_are_found_where_the_template_says(shared):
    store = FaceStore(shared / "faces" / "lfw_112.tar")
    found = [detect_and_align(store.read(path))[0].landmarks for path in store.paths()[::500]]
    assert np.abs(np.mean(found, axis=0) - ARCFACE_TEMPLATE).max() < 4
