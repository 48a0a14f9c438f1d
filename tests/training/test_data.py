"""Training faces: who is kept out."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.design import TrainingConfig
from qmfn.errors import UserError
from qmfn.training.data import load_training_faces


def settings(**values) -> TrainingConfig:
    return TrainingConfig(**{"faces": ("faces",), "held_out_identities": 2, "batch_size": 4, **values})


@pytest.fixture(autouse=True)
def shared_is_the_material(material, monkeypatch):
    monkeypatch.setenv("QMFN_SHARED", str(material))


def as_set(faces: np.ndarray) -> set[bytes]:
    """The pictures themselves: every one of the test's is different."""
    return {face.tobytes() for face in faces}


def test_held_out_people_never_appear_in_training():
    faces = load_training_faces(settings(), 16)
    assert faces.held_out.shape == (2 * 3, 16, 16, 3)
    assert faces.train.shape == (4 * 3, 16, 16, 3)
    assert len(as_set(faces.train) | as_set(faces.held_out)) == 18
    assert not as_set(faces.train) & as_set(faces.held_out)


def test_all_pictures_of_a_held_out_person_are_labelled_the_same():
    assert load_training_faces(settings(), 16).held_out_people.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_choice_of_people_is_the_same_every_time_and_grows_with_their_number():
    two, again, three = (load_training_faces(settings(held_out_identities=n), 16).held_out for n in (2, 2, 3))
    assert np.array_equal(two, again)
    assert as_set(two) < as_set(three)


def test_people_are_held_out_of_the_first_source_only(tmp_path, write_faces):
    write_faces(tmp_path / "more", people=3, pictures=2, size=16)
    faces = load_training_faces(settings(faces=("faces", str(tmp_path / "more"))), 16)
    assert len(faces.train) == 4 * 3 + 3 * 2
    assert np.array_equal(faces.held_out, load_training_faces(settings(), 16).held_out)


def test_at_least_two_people_are_held_out():
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        settings(held_out_identities=1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch_size": 13}, "training.batch_size = 13: only 12 faces are left to train on."),
        ({"batch_size": 7, "held_out_identities": 4}, "training.batch_size = 7: only 6 faces are left to train on."),
        ({"held_out_identities": 6}, "training.held_out_identities = 6: leaves no face to train on."),
        ({"held_out_identities": 6, "steps": 0}, "training.held_out_identities = 6: leaves no face to train on."),
    ],
)
def test_too_few_faces_to_train_on_are_an_error(values, said):
    with pytest.raises(UserError, match=f"^{said}$"):
        load_training_faces(settings(**values), 16)


@pytest.mark.parametrize("values", [{"batch_size": 12}, {"batch_size": 13, "steps": 0}])
def test_a_batch_may_take_all_faces_and_without_steps_more(values):
    assert len(load_training_faces(settings(**values), 16).train) == 12


@pytest.mark.parametrize(
    ("people", "pictures", "reason"),
    [(1, 3, "3 held-out faces of 1 people"), (4, 1, "2 held-out faces of 2 people")],
    ids=["one person", "one picture of each"],
)
def test_held_out_faces_must_give_pairs_of_both_kinds(tmp_path, write_faces, people, pictures, reason):
    few = write_faces(tmp_path / "few", people=people, pictures=pictures, size=16)
    with pytest.raises(UserError, match=f"held_out_identities = 2: .*few gave {reason}; .* two people at least"):
        load_training_faces(settings(faces=(str(few), "faces")), 16)


def test_missing_faces_say_where_they_are_looked_for(material):
    with pytest.raises(UserError) as error:
        load_training_faces(settings(faces=("none.tar",)), 16)
    assert str(error.value) == (
        f"{material / 'none.tar'}: no such file; set QMFN_SHARED to the folder that holds none.tar."
    )


def test_faces_of_another_size_are_refused():
    with pytest.raises(UserError, match=r"person\d/\d.png: training faces must be aligned to 32x32 pixels, found \(16"):
        load_training_faces(settings(), 32)
