"""Training faces in memory, some people kept out for a verification score."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from qmfn.design import TrainingConfig
from qmfn.errors import UserError
from qmfn.faces.images import FaceStore
from qmfn.shared import shared_file


@dataclass(frozen=True)
class TrainingFaces:
    """Aligned faces, uint8 RGB.

    Attributes:
        train: (N, size, size, 3), labels unused.
        held_out: (M, size, size, 3), people that are not in `train`.
        held_out_people: (M,) index of the person of each held-out face.
    """

    train: np.ndarray
    held_out: np.ndarray
    held_out_people: np.ndarray


def load_training_faces(config: TrainingConfig, size: int, key: str = "training") -> TrainingFaces:
    """Read all faces that the design trains on; people for the verification score are kept out of training.

    Args:
        size: pixels along a side.
        key: where the settings stand (`configs/w8a8.yml: training`), for error messages.

    Raises:
        UserError: a source is missing or has faces of another size.
    """
    stores = [FaceStore(shared_file(name)) for name in config.faces]
    held_out, held_out_people = _held_out(stores[0], config.held_out_identities)
    kept = set(held_out)
    train = [(store, path) for store in stores for path in store.paths() if store is not stores[0] or path not in kept]
    _check_enough(config, len(train), held_out_people, key)
    held_out_faces = _read([(stores[0], path) for path in held_out], size)
    return TrainingFaces(_read(train, size), held_out_faces, np.asarray(held_out_people))


def load_held_out_faces(config: TrainingConfig, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The faces that training never sees: uint8 (M, size, size, 3), and the index of each one's person, (M,).

    Raises:
        UserError: the source is missing or has faces of another size.
    """
    store = FaceStore(shared_file(config.faces[0]))
    held_out, people = _held_out(store, config.held_out_identities)
    return _read([(store, path) for path in held_out], size), np.asarray(people)


def _held_out(store: FaceStore, identities: int) -> tuple[list[str], list[int]]:
    """Pictures of the people that are kept out of training, and the index of each one's person."""
    people = store.identities()
    # A hash, so that the choice depends on the names alone and not on how many people there are.
    chosen = sorted(people, key=lambda person: hashlib.sha256(person.encode()).digest())[:identities]
    return (
        [path for person in chosen for path in people[person]],
        [index for index, person in enumerate(chosen) for _ in people[person]],
    )


def _check_enough(config: TrainingConfig, train: int, held_out_people: Sequence[int], key: str) -> None:
    """A batch must fill, and the verification score needs pairs of the same and of different people."""
    held_out = f"{key}.held_out_identities = {config.held_out_identities}"
    if train == 0:
        raise UserError(f"{held_out}: leaves no face to train on.")
    if config.steps and train < config.batch_size:
        raise UserError(f"{key}.batch_size = {config.batch_size}: only {train} faces are left to train on.")
    people = len(set(held_out_people))
    if people < 2 or people == len(held_out_people):
        raise UserError(
            f"{held_out}: {config.faces[0]} gave {len(held_out_people)} held-out faces of {people} people; "
            "the verification score needs two people at least, one of them with two faces."
        )


def _read(files: Sequence[tuple[FaceStore, str]], size: int) -> np.ndarray:
    faces = np.empty((len(files), size, size, 3), np.uint8)
    for index, (store, path) in enumerate(tqdm(files, desc="faces", unit="face", leave=False, disable=None)):
        face = store.read(path)
        if face.shape != (size, size, 3):
            raise UserError(f"{path}: training faces must be aligned to {size}x{size} pixels, found {face.shape[:2]}.")
        faces[index] = face
    return faces
