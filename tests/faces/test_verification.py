"""The LFW protocol."""

import csv
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from qmfn.errors import UserError
from qmfn.faces.images import FaceStore
from qmfn.faces.verification import Pairs, best_threshold, embed, read_pairs, verify

TOY_LFW = """2\t2
Ann\t1\t2
Bob\t1\t12
Ann\t1\tBob\t1
Ann\t2\tCid\t3
Cid\t1\t3
Dan\t1\t2
Cid\t1\tDan\t1
Cid\t3\tBob\t12
"""

CSV_LINES = [f"a/{i}.jpg,a/{i + 50}.jpg,1" for i in range(20)] + [f"a/{i}.jpg,b/{i}.jpg,0" for i in range(15)]


def write(folder, text: str):
    path = folder / "pairs.txt"
    path.write_text(text)
    return path


def pairs_with_scores(scores, same, fold) -> tuple[Pairs, dict[str, np.ndarray]]:
    """Pairs and unit embeddings whose cosines are the given scores; every picture is in one pair only."""
    left = tuple(f"l{i}/1.jpg" for i in range(len(scores)))
    right = tuple(f"r{i}/1.jpg" for i in range(len(scores)))
    embeddings = {path: np.array([1.0, 0.0]) for path in left}
    embeddings |= {
        path: np.array([score, np.sqrt(1 - score**2)]) for path, score in zip(right, scores, strict=True)
    }
    return Pairs(left, right, np.array(same, dtype=bool), np.array(fold)), embeddings


def test_lfw_list_names_pictures_and_blocks_are_folds(tmp_path):
    pairs = read_pairs(write(tmp_path, TOY_LFW))
    assert pairs.left[:3] == ("Ann/Ann_0001.jpg", "Bob/Bob_0001.jpg", "Ann/Ann_0001.jpg")
    assert pairs.right[:3] == ("Ann/Ann_0002.jpg", "Bob/Bob_0012.jpg", "Bob/Bob_0001.jpg")
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert len(pairs.paths) == 8


def test_shared_lfw_list_is_the_standard_one(shared):
    pairs = read_pairs(shared / "faces" / "lfw_pairs.txt")
    assert len(pairs.same) == 6000 and pairs.same.sum() == 3000
    assert np.bincount(pairs.fold).tolist() == [600] * 10
    assert set(pairs.paths) == set(FaceStore(shared / "faces" / "lfw_112.tar").paths())


@pytest.mark.parametrize("header", ["", "left,right,same\n", "\ufeffpath,path,Same\n"])
def test_csv_folds_are_those_of_stratified_kfold(tmp_path, header):
    pairs = read_pairs(write(tmp_path, header + "\n".join(CSV_LINES)))
    assert pairs.same.tolist() == [True] * 20 + [False] * 15
    assert pairs.left[0] == "a/0.jpg" and pairs.right[0] == "a/50.jpg"
    for fold, (_, held_out) in enumerate(StratifiedKFold(10).split(pairs.same, pairs.same)):
        assert np.flatnonzero(pairs.fold == fold).tolist() == held_out.tolist()


def test_csv_takes_words_spaces_and_quotes(tmp_path):
    lines = ['"a, b/1.jpg", c/1.jpg , TRUE', "d/1.jpg,e/1.jpg,False", *CSV_LINES]
    pairs = read_pairs(write(tmp_path, "\n\n".join(lines)))
    assert (pairs.left[0], pairs.right[0]) == ("a, b/1.jpg", "c/1.jpg")
    assert pairs.same[:2].tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "pairs.txt is empty"),
        ("\n \n", "pairs.txt is empty"),
        ("hello\n", "pairs.txt:1: 'hello'"),
        ("10\n", "pairs.txt:1: '10'"),
        ("1 2\n" + "A 1 2\n" * 2 + "A 1 B 1\n" * 2, "pairs.txt:1: .* at least 2 folds"),
        ("2 0\n", "pairs.txt:1: '2 0'"),
        (TOY_LFW.replace("Dan\t1\t2\n", ""), "pairs.txt:1: the header says 8 pairs, but 7 follow"),
        (TOY_LFW.replace("Bob\t1\t12", "Bob\t1"), "pairs.txt:3: expected 'NAME I J'"),
        (TOY_LFW.replace("Bob\t1\t12", "Bob\t1\tx"), "pairs.txt:3: picture numbers"),
        (TOY_LFW.replace("Bob\t1\t12", "Bob\t0\t12"), "pairs.txt:3: picture numbers"),
        (TOY_LFW.replace("Cid\t1\tDan\t1", "Cid\t1\tDan"), "pairs.txt:8: expected 'NAME I OTHER J'"),
        ("a,b\n", "pairs.txt:1: expected 'path,path,same'"),
        ("a,b,same\nc,,1\n", "pairs.txt:2: expected 'path,path,same'"),
        ("a,b,1\nc,d,maybe\n", "pairs.txt:2: .* found 'maybe'"),
        ("a,b,label\n", "pairs.txt:1: .* found 'label'"),
        ("a,b,same\n", "0 same and 0 different"),
        ("a,b,1\n" * 30, "30 same and 0 different pairs; 10 folds need at least 10 of each"),
    ],
)
def test_malformed_pair_lists_are_user_errors_with_file_and_line(tmp_path, text, reason):
    with pytest.raises(UserError, match=reason):
        read_pairs(write(tmp_path, text))


def test_unreadable_pair_lists_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_pairs(tmp_path / "missing.txt")
    with pytest.raises(UserError, match="cannot be read"):
        read_pairs(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UserError, match="not a text file"):
        read_pairs(tmp_path / "binary")


def test_protocol_on_an_example_done_by_hand():
    # Fold 0, alone: the only clean cut lies between 0.2 and 0.6, so 0.4 is the threshold for fold 1.
    # Fold 1, alone: the cut lies between 0.5 and 0.8, so 0.65 is the threshold for fold 0.
    scores = [0.9, 0.6, 0.2, 0.0, 0.8, 0.8, 0.5, -0.5]
    same = [True, True, False, False] * 2
    pairs, embeddings = pairs_with_scores(scores, same, [0] * 4 + [1] * 4)
    result = verify(embeddings, pairs)
    np.testing.assert_allclose(result.scores, scores)
    # Fold 0 at 0.65 rejects its 0.6, fold 1 at 0.4 accepts its 0.5: 3 of 4 right in both.
    assert result.accuracy == 0.75 and result.accuracy_std == 0
    assert result.threshold == pytest.approx((0.4 + 0.65) / 2)
    # All eight at once are separable.
    assert (result.auc, result.eer, result.tar_at_far) == (1, 0, {"1e-2": 1, "1e-3": 1})
    assert (result.pairs, result.images) == (8, 16)
    low, high = result.accuracy_interval
    assert 0.2 < low < 0.75 < high < 1


def test_threshold_takes_the_widest_of_equally_good_gaps():
    same = np.array([False, True, False, True])
    assert best_threshold(np.array([0.0, 0.1, 0.2, 0.9]), same) == pytest.approx(0.55)
    assert best_threshold(np.array([0.0, 0.6, 0.7, 0.9]), same) == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(5))
def test_everything_equals_brute_force(seed):
    random = np.random.default_rng(seed)
    same = random.random(120) < 0.5
    # Two digits, so that many scores tie.
    scores = np.round(np.clip(random.normal(np.where(same, 0.5, 0.1), 0.25), -0.99, 0.99), 2)
    fold = np.arange(120) % 4
    pairs, embeddings = pairs_with_scores(scores, same, fold)
    result = verify(embeddings, pairs)
    scores = result.scores

    def accuracy(threshold, chosen):
        return np.mean([(scores[i] >= threshold) == same[i] for i in chosen])

    accuracies = []
    for held_out in range(4):
        train, test = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        borders = sorted({-1.0, 1.0, *scores[train]})
        gaps = [(accuracy((a + b) / 2, train), b - a, -a, (a + b) / 2) for a, b in pairwise(borders)]
        accuracies.append(accuracy(max(gaps)[-1], test))
    assert result.accuracy == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert result.accuracy_std == pytest.approx(np.std(accuracies), abs=1e-12)

    def rates(threshold):
        accepted = scores >= threshold
        return accepted[~same].mean(), accepted[same].mean()

    curve = [rates(threshold) for threshold in (2.0, *sorted(set(scores), reverse=True))]
    for name, target in (("1e-2", 0.01), ("1e-3", 0.001)):
        assert result.tar_at_far[name] == max(tar for far, tar in curve if far <= target)
    below = [far for far, tar in curve if far <= 1 - tar]
    above = [far for far, tar in curve if far >= 1 - tar]
    assert max(below) <= result.eer <= min(above)
    assert result.auc == roc_auc_score(same, scores)


def test_interval_of_independent_pairs_is_near_the_binomial_one():
    random = np.random.default_rng(1)
    same = np.tile([True, False], 1000)
    scores = np.where(random.random(2000) < 0.9, same, ~same) * 0.8
    pairs, embeddings = pairs_with_scores(scores, same, np.repeat(np.arange(10), 200))
    # One identity per pair: then pairs are independent.
    pairs = Pairs(pairs.left, tuple(path.replace("/1", "/2") for path in pairs.left), pairs.same, pairs.fold)
    embeddings = {**embeddings, **{r: embeddings[f"r{i}/1.jpg"] for i, r in enumerate(pairs.right)}}
    low, high = verify(embeddings, pairs).accuracy_interval
    binomial = 1.96 * np.sqrt(0.9 * 0.1 / 2000)
    assert high - low == pytest.approx(2 * binomial, rel=0.1)


def test_embeddings_of_zeros_are_similar_to_nothing():
    pairs, embeddings = pairs_with_scores([0.9, 0.1] * 2, [True, False] * 2, [0, 0, 1, 1])
    result = verify({path: np.zeros(2) for path in embeddings}, pairs)
    assert (result.scores == 0).all() and result.accuracy == 0.5 and result.auc == 0.5


def test_missing_and_infinite_embeddings_are_user_errors():
    pairs, embeddings = pairs_with_scores([0.9, 0.1] * 2, [True, False] * 2, [0, 0, 1, 1])
    with pytest.raises(UserError, match="r1/1.jpg is not finite"):
        verify({**embeddings, "r1/1.jpg": np.array([np.nan, 0.0])}, pairs)
    del embeddings["r1/1.jpg"]
    with pytest.raises(UserError, match="1 of 8 images are not in the embeddings, first r1/1.jpg"):
        verify(embeddings, pairs)


def mean_colour(batch: np.ndarray) -> np.ndarray:
    assert batch.dtype == np.uint8 and batch.shape[1:] == (112, 112, 3)
    return batch.mean(axis=(1, 2))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_embed_gives_every_path_its_own_embedding(face_tar, batch_size):
    store = FaceStore(face_tar)
    paths = [*store.paths(), store.paths()[0]]
    embeddings = embed(store, paths, mean_colour, batch_size=batch_size, progress=False)
    assert list(embeddings) == store.paths()
    for path, embedding in embeddings.items():
        np.testing.assert_allclose(embedding, store.read(path).mean(axis=(0, 1)))


def test_embed_refuses_unknown_pictures_before_any_work(face_folder):
    with pytest.raises(UserError, match="1 of 2 images are not in .*faces_112, first Bob/9.png"):
        embed(FaceStore(face_folder), ["Bob/1.png", "Bob/9.png"], pytest.fail, progress=False)


def test_embed_refuses_pictures_that_are_not_aligned(face_folder):
    Image.new("RGB", (250, 200)).save(face_folder / "Bob" / "3.png")
    with pytest.raises(UserError, match="Bob/3.png in .* is 250x200, not an aligned 112x112 face"):
        embed(FaceStore(face_folder), ["Bob/3.png"], mean_colour, progress=False)


def test_pairs_written_by_csv_module_come_back(tmp_path):
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(line.split(",") for line in CSV_LINES)
    assert len(read_pairs(tmp_path / "pairs.csv").same) == len(CSV_LINES)
