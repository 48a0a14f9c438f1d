"""`qmfn verify`, `identify` and `operating-point`: photos, engines, thresholds, and what a user can get wrong."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmfn.errors import UserError
from qmfn.faces import operating_point
from qmfn.faces.matching import best_by_person, decision, read_gallery
from qmfn.faces.operating_point import Threshold, threshold_at
from qmfn.faces.samples import _bundled_photos

pytestmark = pytest.mark.slow

PHOTOS = ("astronaut", "anna", "ben")


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Photos of three people, from installed packages; a group of two; and one of them as an aligned face."""
    folder = tmp_path_factory.mktemp("photos")
    found = [photo for _, photo in islice(_bundled_photos(), len(PHOTOS))]
    for name, photo in zip(PHOTOS, found, strict=True):
        Image.fromarray(photo).save(folder / f"{name}.png")
    group = np.full((512, 1000, 3), 255, np.uint8)
    group[:, :512] = found[0]
    group[20:468, 560:928] = np.asarray(Image.fromarray(found[1]).resize((368, 448)))
    Image.fromarray(group).save(folder / "group.png")
    Image.fromarray(found[1]).resize((32, 32)).save(folder / "aligned.png")
    return folder


@pytest.fixture(scope="session")
def gallery(tmp_path_factory, photos) -> Path:
    """Two people: one with a folder of two pictures, one with a picture; and two files without a face."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "anna").mkdir()
    shutil.copy(photos / "anna.png", folder / "anna" / "1.png")
    shutil.copy(photos / "aligned.png", folder / "anna" / "2.png")
    shutil.copy(photos / "astronaut.png", folder / "eileen.png")
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "text.png").write_text("a picture")
    return folder


@pytest.fixture(scope="session")
def many_people(tmp_path_factory, write_faces) -> Path:
    """20 people with 4 pictures each: 3,040 pairs of different people, enough for FAR 1e-2 and too few for 1e-3."""
    return write_faces(tmp_path_factory.mktemp("many") / "faces", people=20, pictures=4, size=32)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """Where `trained` keeps what it measured."""
    return tmp_path_factory.mktemp("measured")


@pytest.fixture
def trained(material, many_people, measured, tmp_path, call) -> list[str]:
    """Arguments of a design with a checkpoint whose thresholds were measured, a copy for each test."""
    if not any(measured.iterdir()):
        shutil.copy(material / "tiny.npz", measured / "tiny.npz")
        settings = ["--set", f"training.faces=['{many_people}']", "--set", "training.held_out_identities=20"]
        outcome = call("operating_point", *of_checkpoint(measured), *settings, "--json", measured / "points.json")
        assert outcome.code == 0, outcome.err
        assert f"thresholds: {measured / 'tiny.thresholds.json'}" in outcome.out
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    return of_checkpoint(tmp_path)


def of_checkpoint(folder: Path) -> list[str]:
    return ["--config", "trained.yml", "--set", f"checkpoint={folder / 'tiny.npz'}"]


def verified(call, tmp_path, *arguments) -> tuple[dict, str]:
    """Result and output of `verify` on a design."""
    outcome = call("verify", *arguments, "--json", tmp_path / "result.json")
    assert outcome.code == 0, outcome.err
    return json.loads((tmp_path / "result.json").read_text()), outcome.out


def test_the_hls_code_gives_the_similarity_of_keras(call, photos, tmp_path):
    pair = (photos / "astronaut.png", photos / "anna.png", "--config", "tiny.yml")
    keras, _ = verified(call, tmp_path, *pair)
    csim, out = verified(call, tmp_path, *pair, "--engine", "csim")
    assert csim == keras | {"engine": "csim"}
    assert f"similarity {keras['similarity']:.4f} (tiny, csim)" in out
    assert -1 <= keras["similarity"] < 0.999
    assert [photo["faces"] for photo in keras["photos"]] == [1, 1]


def test_a_photo_is_as_similar_to_itself_as_can_be(call, photos, tmp_path):
    result, _ = verified(call, tmp_path, photos / "anna.png", photos / "anna.png", "--config", "tiny.yml")
    assert result["similarity"] == pytest.approx(1)


def test_random_weights_have_no_threshold_and_no_decision(call, photos, tmp_path):
    result, out = verified(call, tmp_path, photos / "anna.png", photos / "ben.png", "--config", "tiny.yml")
    assert (result["threshold"], result["decision"]) == (None, None)
    assert "no threshold is known: tiny.yml names no checkpoint, its weights are random." in out


def test_a_checkpoint_without_thresholds_says_how_to_measure_them(call, photos, tmp_path):
    result, out = verified(call, tmp_path, photos / "anna.png", photos / "ben.png", "--config", "trained.yml")
    assert result["decision"] is None
    assert "no threshold is known for tiny.npz; measure it: qmfn operating-point --config trained.yml" in out


def test_a_decision_states_rate_threshold_and_origin(call, photos, tmp_path, trained):
    pair = (photos / "anna.png", photos / "anna.png")
    result, out = verified(call, tmp_path, *pair, *trained, "--far", "1e-2")
    points = json.loads((tmp_path / "points.json").read_text())
    assert result["threshold"] == points["thresholds"]["1e-2"]["cosine"]
    assert result["decision"] == "same"
    assert out.startswith(f"same person: similarity 1.0000, threshold {result['threshold']:.4f} at FAR 1e-2")
    assert "measured on 3,040 pairs of different people: 20 people of " in out


def test_the_threshold_decides(call, photos, tmp_path, trained):
    file = tmp_path / "tiny.thresholds.json"
    points = json.loads(file.read_text())
    points["thresholds"]["1e-2"]["cosine"] = 0.9999
    file.write_text(json.dumps(points))
    result, out = verified(call, tmp_path, photos / "anna.png", photos / "astronaut.png", *trained, "--far", "1e-2")
    assert result["decision"] == "different" and out.startswith("different people: ")


def test_a_rate_that_could_not_be_measured_is_not_stated(call, photos, tmp_path, trained):
    result, out = verified(call, tmp_path, photos / "anna.png", photos / "ben.png", *trained)
    assert (result["far"], result["decision"]) == ("1e-3", None)
    assert "no threshold is known at FAR 1e-3: 3,040 pairs were too few to measure it." in out


def test_thresholds_of_an_older_checkpoint_do_not_count(call, photos, tmp_path, trained):
    with (tmp_path / "tiny.npz").open("ab") as file:
        file.write(b"\0")  # behind the end of the archive: another file, the same network
    result, out = verified(call, tmp_path, photos / "anna.png", photos / "ben.png", *trained, "--far", "1e-2")
    assert result["decision"] is None
    assert "tiny.thresholds.json is that of another tiny.npz; measure it: qmfn operating-point" in out


def test_damaged_thresholds_are_an_error(call, photos, tmp_path, trained):
    (tmp_path / "tiny.thresholds.json").write_text('{"people": "many"}')
    outcome = call("verify", photos / "anna.png", photos / "ben.png", *trained)
    assert outcome.code == 1 and "is no file of thresholds (" in outcome.err


def test_thresholds_say_what_they_were_measured_on(tmp_path, trained, many_people):
    points = json.loads((tmp_path / "tiny.thresholds.json").read_text())
    assert points == json.loads((tmp_path / "points.json").read_text())
    assert (points["people"], points["faces"]) == (20, 80)
    assert (points["same_pairs"], points["different_pairs"]) == (20 * 6, 80 * 79 // 2 - 20 * 6)
    assert points["measured_on"] == f"20 people of {many_people} whom the training of the design keeps out"
    assert points["command"].startswith("qmfn operating-point --config trained.yml --set ")
    assert list(points["thresholds"]) == ["1e-2"]


def test_too_few_pairs_for_any_rate_are_an_error(call, tmp_path, material):
    shutil.copy(material / "tiny.npz", tmp_path / "tiny.npz")
    outcome = call("operating_point", "--config", "trained.yml", "--set", f"checkpoint={tmp_path / 'tiny.npz'}")
    assert outcome.code == 1
    assert "6 pairs of one person and 9 of two are too few; a threshold takes one and 1,000." in outcome.err
    assert not (tmp_path / "tiny.thresholds.json").exists()


def test_random_weights_have_no_operating_point(call):
    outcome = call("operating_point", "--config", "tiny.yml")
    assert outcome.code == 1 and "tiny.yml: checkpoint: is missing" in outcome.err


@pytest.mark.parametrize("rate", [1e-2, 1e-1, 0.5])
@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_a_threshold_is_the_lowest_that_keeps_the_rate(rate, decimals):
    random = np.random.default_rng(decimals)
    scores, same = random.uniform(-1, 1, 3000).round(decimals), random.random(3000) < 0.2
    found = threshold_at(scores, same, rate)
    different = scores[~same]
    assert found.far == np.mean(different >= found.cosine) <= rate
    assert found.tar == np.mean(scores[same] >= found.cosine)
    next_lower = different[different < found.cosine].max()
    assert np.mean(different >= next_lower) > rate


def test_the_shipped_thresholds_are_those_of_the_shipped_checkpoints(configs):
    files = sorted((configs / "checkpoints").glob("*.thresholds.json"))
    assert files
    for file in files:
        points = operating_point.OperatingPoints.model_validate_json(file.read_bytes())
        checkpoint = file.with_name(file.name.replace(".thresholds.json", ".npz"))
        assert points.checkpoint_sha256 == operating_point.content_hash(checkpoint), f"measure again: {points.command}"
        assert set(points.thresholds) == {"1e-2", "1e-3"}


def test_of_several_faces_the_largest_is_taken_and_said(call, photos, tmp_path):
    result, out = verified(call, tmp_path, photos / "group.png", photos / "anna.png", "--config", "tiny.yml")
    assert f"{photos / 'group.png'}: 2 faces, the largest is taken" in out
    left, _, right, _ = result["photos"][0]["box"]
    assert 560 < left < right < 928


def test_a_picture_of_the_designs_size_is_an_aligned_face(call, photos, tmp_path):
    result, out = verified(call, tmp_path, photos / "aligned.png", photos / "aligned.png", "--config", "tiny.yml")
    assert result["photos"][0]["faces"] is None
    assert "aligned.png: is 32x32, taken as an aligned face as it is" in out


@pytest.mark.parametrize("name", ["pair.png", "new/pair.jpg", "pair"])
def test_the_picture_shows_both_faces(call, photos, tmp_path, name):
    _, out = verified(
        call, tmp_path, photos / "aligned.png", photos / "aligned.png", "--config", "tiny.yml",
        "--picture", tmp_path / name,
    )  # fmt: skip
    assert f"picture: {tmp_path / name}" in out
    with Image.open(tmp_path / name) as picture:
        width, height = picture.size
        assert width > 1.5 * height > 400
        pixels = np.asarray(picture.convert("L"))
    assert all(half.std() > 20 for half in np.array_split(pixels, 2, axis=1))


@pytest.mark.parametrize(
    ("first", "options", "sentence"),
    [
        ("none.jpg", "", "none.jpg does not exist."),
        ("text.png", "", "text.png is not an image in a format that Pillow reads."),
        ("truncated.png", "", "truncated.png is a truncated or damaged image"),
        ("faces", "", "faces is a folder, not an image."),
        ("grass.png", "", "grass.png: no face was found; give a sharper picture"),
        ("{aligned}", "--config none.yml", "none.yml: no such design file."),
        ("{aligned}", "--picture file.txt/pair.png", "file.txt/pair.png: the picture can't be written"),
        ("{aligned}", "--picture {folder}/pair.tune", "pair.tune: the picture can't be written (Format 'tune'"),
    ],
)
def test_bad_input_is_one_sentence(call, photos, tmp_path, first, options, sentence):
    aligned = photos / "aligned.png"
    words = options.format(folder=tmp_path).split()
    outcome = call("verify", first.format(aligned=aligned), aligned, "--config", "tiny.yml", *words)
    assert outcome.code == 1
    assert outcome.last_errors[-1].startswith("error: ") and sentence in outcome.last_errors[-1]


def identified(call, tmp_path, *arguments) -> tuple[dict, str]:
    outcome = call("identify", *arguments, "--json", tmp_path / "result.json")
    assert outcome.code == 0, outcome.err
    return json.loads((tmp_path / "result.json").read_text()), outcome.out


@pytest.mark.parametrize("engine", ["keras", "csim"])
def test_a_person_of_the_gallery_comes_first(call, photos, gallery, tmp_path, engine):
    result, out = identified(
        call, tmp_path, photos / "anna.png", "--gallery", gallery, "--config", "tiny.yml", "--engine", engine
    )
    assert [match["person"] for match in result["matches"]] == ["anna", "eileen"]
    best = result["matches"][0]
    assert (best["picture"], best["decision"]) == ("anna/1.png", None)
    assert best["similarity"] == pytest.approx(1)
    assert "no threshold is known" in out


def test_pictures_that_cannot_be_used_are_left_out_and_named(call, photos, gallery, tmp_path):
    result, out = identified(call, tmp_path, photos / "anna.png", "--gallery", gallery, "--config", "tiny.yml")
    assert len(result["left_out"]) == 2
    assert "left out: noise.png: no face was found" in out and "left out: text.png in " in out


def test_identify_decides_at_the_threshold_of_verify(call, photos, gallery, tmp_path, trained):
    arguments = (photos / "anna.png", "--gallery", gallery, *trained, "--far", "1e-2")
    result, out = identified(call, tmp_path, *arguments)
    assert result["matches"][0]["decision"] == "same"
    text = " ".join(out.split())
    assert f"anna: similarity 1.0000 reaches the threshold {result['threshold']:.4f} at FAR 1e-2." in text
    assert "with 3 pictures a stranger is taken for someone up to that many times as often" in text
    file = tmp_path / "tiny.thresholds.json"
    file.write_text(file.read_text().replace(f'"cosine": {result["threshold"]}', '"cosine": 1.1'))
    result, out = identified(call, tmp_path, *arguments)
    assert {match["decision"] for match in result["matches"]} == {"different"}
    assert "nobody in the gallery: no similarity reaches the threshold 1.1000" in out


@pytest.mark.parametrize("top", [1, 2])
def test_top_limits_the_table(call, gallery, tmp_path, photos, top):
    result, out = identified(
        call, tmp_path, photos / "aligned.png", "--gallery", gallery, "--config", "tiny.yml", "--top", str(top)
    )
    assert len(result["matches"]) == 2
    assert ("anna/2.png" in out, "eileen.png" in out) == (True, top == 2)


def test_a_gallery_without_a_face_is_an_error(tmp_path):
    (tmp_path / "text.png").write_text("a picture")
    with pytest.raises(UserError, match=r"no picture in it has a face that can be used, first text\.png in .*"):
        read_gallery(tmp_path, 32)
    with pytest.raises(UserError, match="none does not exist"):
        read_gallery("none", 32)


def test_the_best_picture_of_a_person_counts(gallery):
    found = read_gallery(gallery, 32)
    assert found.people == ["anna", "anna", "eileen"]
    ranked = best_by_person(found, [0.1, 0.5, 0.3])
    assert [(person, face.name, similarity) for person, face, similarity in ranked] == [
        ("anna", "anna/2.png", 0.5),
        ("eileen", "eileen.png", 0.3),
    ]


def test_a_similarity_at_the_threshold_is_accepted():
    threshold = Threshold(cosine=0.5, far=0.01, tar=0.9)
    assert [decision(value, threshold) for value in (0.5, 0.4999)] == ["same", "different"]
    assert decision(0.9, None) is None
