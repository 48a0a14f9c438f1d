"""Augmented faces stay faces: in range and in shape, decided by the generator alone, not far from what they were."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.training import augment as module
from qmfn.training.augment import augment

SIZE = 32


@pytest.fixture
def faces() -> np.ndarray:
    """Smooth pictures, so that a small shift is a small change."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = [np.sin(3 * x + phase) + np.cos(2 * y - phase) for phase in range(24)]
    pictures = np.stack(waves).reshape(8, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
    return (127.5 + 50 * pictures).astype(np.uint8)


def without(monkeypatch, **changes) -> None:
    """Switch kinds of change off, but for those given."""
    off = {"TURN": 0.0, "ZOOM": (1, 1), "SHIFT": 0, "BRIGHTNESS": 0, "CONTRAST": (1, 1), "SATURATION": (1, 1)}
    for name, value in ({**off, "MIXED_SHARE": 0} | changes).items():
        monkeypatch.setattr(module, name, value)


def test_shape_and_type_stay(faces):
    changed = augment(faces, np.random.default_rng(0))
    assert changed.shape == faces.shape
    assert changed.dtype == np.uint8


def test_the_generator_decides(faces):
    first, again, other = (augment(faces, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_any_change_a_face_is_itself_or_its_mirror_image(faces, monkeypatch):
    without(monkeypatch)
    many = np.tile(faces, (16, 1, 1, 1))
    changed = augment(many, np.random.default_rng(0))
    same, mirrored = ((changed == other).all(axis=(1, 2, 3)) for other in (many, many[:, :, ::-1]))
    assert np.all(same | mirrored)
    assert 0.35 < mirrored.mean() < 0.65


def test_a_turn_leaves_the_middle_where_it_is(monkeypatch):
    without(monkeypatch, TURN=np.deg2rad(10))
    faces = np.full((8, SIZE + 1, SIZE + 1, 3), 20, np.uint8)
    faces[:, SIZE // 2 - 2 : SIZE // 2 + 3, SIZE // 2 - 2 : SIZE // 2 + 3] = 200
    changed = augment(faces, np.random.default_rng(0))
    assert np.all(changed[:, SIZE // 2, SIZE // 2] == 200)
    assert np.all(changed[:, 0, 0] == 20)
    assert not np.array_equal(changed, faces)


def test_a_shift_moves_by_a_share_of_the_size(monkeypatch):
    without(monkeypatch, SHIFT=112)
    faces = np.zeros((64, SIZE, SIZE, 3), np.uint8)
    faces[:, :, SIZE // 2 :] = 255
    changed = augment(faces, np.random.default_rng(0)).astype(float).mean(axis=(1, 2, 3))
    assert changed.min() < 64 < 192 < changed.max()


def test_colours_go_as_far_as_grey(faces, monkeypatch):
    without(monkeypatch, SATURATION=(0, 0))
    changed = augment(faces, np.random.default_rng(0)).astype(int)
    assert np.ptp(changed, axis=3).max() <= 1


def test_a_blended_face_keeps_at_least_half_of_itself(monkeypatch):
    without(monkeypatch, MIXED_SHARE=1)
    faces = np.zeros((64, SIZE, SIZE, 3), np.uint8)
    faces[::2] = 200
    changed = augment(faces, np.random.default_rng(0))
    assert np.all(changed[::2] >= 100)
    assert np.all(changed[1::2] <= 100)
    assert 20 < changed[1::2].mean() < 80
