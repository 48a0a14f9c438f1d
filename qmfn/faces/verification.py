"""The LFW verification protocol: are two pictures of the same person?

Takes a pair list and one embedding per picture; gives accuracy over held-out folds, AUC, EER and TAR@FAR.
Protocol: Huang et al. 2007, "Labeled Faces in the Wild", view 2: the threshold of a fold is chosen on the
other folds. Similarity is the cosine. A pair is accepted, "same", if its similarity is at or above the
threshold. FAR: share of different pairs accepted; TAR: share of same pairs accepted; EER: the FAR where
FAR = 1 - TAR.
"""

import csv
import posixpath
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from qmfn.errors import UserError
from qmfn.faces.images import FaceStore

CSV_FOLDS = 10
FAR_TARGETS = {"1e-2": 1e-2, "1e-3": 1e-3}
BOOTSTRAP_ROUNDS = 1000

_SAME_WORDS = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True)
class Pairs:
    """N pairs of pictures.

    left, right: names of the pictures, N each.
    same: bool (N,), whether both show one person.
    fold: int (N,), 0 and up.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    same: np.ndarray
    fold: np.ndarray

    @property
    def paths(self) -> list[str]:
        """Every picture named, once, sorted."""
        return sorted({*self.left, *self.right})


@dataclass(frozen=True)
class VerificationResult:
    """What the protocol measured; all rates 0..1.

    accuracy, accuracy_std: mean and standard deviation (population) of the folds' held-out accuracies.
    accuracy_interval: 95 % interval of the accuracy, bootstrapped over identities (see `verify`).
    threshold: mean of the folds' thresholds, a cosine.
    auc, eer, tar_at_far: over all pairs at once; tar_at_far has the keys "1e-2" and "1e-3".
    pairs, images: how many were used.
    scores, same: float64 (pairs,) cosines and bool (pairs,) truth, in the order of the pair list.
    """

    accuracy: float
    accuracy_std: float
    accuracy_interval: tuple[float, float]
    threshold: float
    auc: float
    eer: float
    tar_at_far: dict[str, float]
    pairs: int
    images: int
    scores: np.ndarray
    same: np.ndarray


def read_pairs(path: str | Path) -> Pairs:
    """Reads a pair list: LFW's `pairs.txt` or CSV.

    LFW: a header `FOLDS COUNT`, then for each fold COUNT lines `NAME I J` (same) and COUNT lines
    `NAME I OTHER J` (different); pictures are `NAME/NAME_0001.jpg`. Its blocks are the folds.
    CSV: lines `path,path,same` with same one of 0, 1, true, false, and optionally a header whose third column
    is called `same`. Ten folds as of scikit-learn's StratifiedKFold without shuffling: in the order of the
    file, same and different pairs are each cut into ten parts that differ by at most one pair.

    Raises UserError, with file and line, for anything else.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError(f"The pair list {path} does not exist.") from None
    except UnicodeDecodeError:
        raise UserError(f"The pair list {path} is not a text file.") from None
    except OSError as error:
        raise UserError(f"The pair list {path} cannot be read ({error.strerror}).") from None
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise UserError(f"The pair list {path} is empty.")
    return _csv_pairs(path, rows) if "," in rows[0][1] else _lfw_pairs(path, rows)


def embed(
    store: FaceStore,
    paths: Iterable[str],
    embed_batch: Callable[[np.ndarray], np.ndarray],
    batch_size: int = 64,
    progress: bool = True,
    size: int = 112,
) -> dict[str, np.ndarray]:
    """Embeds aligned pictures of size x size, never holding more than a batch of them.

    `embed_batch` takes uint8 (B, size, size, 3) RGB, B <= batch_size, and gives (B, D). Returns path -> (D,).
    Raises UserError, before any work, for pictures that the store lacks, and for one of another size.
    """
    paths = known_pictures(store, paths)
    embeddings: dict[str, np.ndarray] = {}
    with tqdm(total=len(paths), unit="face", desc="embedding", disable=not progress) as bar:
        for start in range(0, len(paths), batch_size):
            batch = paths[start : start + batch_size]
            pixels = np.stack([_read_aligned(store, path, size) for path in batch])
            embeddings.update(zip(batch, np.asarray(embed_batch(pixels)), strict=True))
            bar.update(len(batch))
    return embeddings


def known_pictures(store: FaceStore, paths: Iterable[str]) -> list[str]:
    """Each of the pictures once. Raises UserError if the store lacks one."""
    paths = list(dict.fromkeys(paths))
    _refuse_unknown(paths, store, str(store.source))
    return paths


def verify(embeddings: Mapping[str, np.ndarray], pairs: Pairs) -> VerificationResult:
    """Runs the protocol on one embedding, (D,), per picture.

    The interval is a Bayesian bootstrap (Rubin 1981) over identities, since pairs that share a person are not
    independent: each round gives every identity (the picture's folder; without one, the picture) a weight
    from Exp(1), a pair weighs the product of its identities' weights (a same pair: the one weight), and the
    held-out decisions are averaged with these weights. Thresholds are not chosen anew.

    An embedding of zeros is similar to nothing: its cosines count as 0. Raises UserError for a picture
    without an embedding, and for one whose embedding is not finite.
    """
    _refuse_unknown(pairs.paths, embeddings, "the embeddings")
    scores = _cosines(embeddings, pairs)
    held_out = [pairs.fold == fold for fold in np.unique(pairs.fold)]
    thresholds = [best_threshold(scores[~fold], pairs.same[~fold]) for fold in held_out]
    correct = (scores >= np.select(held_out, thresholds)) == pairs.same
    accuracies = [correct[fold].mean() for fold in held_out]
    # Every point of the ROC curve is kept: dropping collinear ones would move TAR@FAR.
    far, tar, _ = roc_curve(pairs.same, scores, drop_intermediate=False)
    return VerificationResult(
        accuracy=float(np.mean(accuracies)),
        accuracy_std=float(np.std(accuracies)),
        accuracy_interval=_accuracy_interval(correct, pairs),
        threshold=float(np.mean(thresholds)),
        auc=float(roc_auc_score(pairs.same, scores)),
        eer=equal_error_rate(far, tar),
        tar_at_far={name: tar_at_far(far, tar, target) for name, target in FAR_TARGETS.items()},
        pairs=len(pairs.same),
        images=len(pairs.paths),
        scores=scores,
        same=pairs.same,
    )


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Cosine of two embeddings (D,); 0 if one of them is all zeros."""
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / lengths) if lengths else 0.0


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold of highest accuracy: scores (N,) cosines, same (N,) bool.

    Thresholds lie midway between neighbouring scores (and -1, 1), so that unseen pairs have room on both
    sides. Of several equally accurate gaps the widest is taken, of equally wide ones the lowest.
    """
    borders = np.unique(np.concatenate([scores, [-1.0, 1.0]]))
    thresholds = (borders[:-1] + borders[1:]) / 2
    widths = np.diff(borders)
    accepted_same = same.sum() - np.searchsorted(np.sort(scores[same]), thresholds)
    rejected_different = np.searchsorted(np.sort(scores[~same]), thresholds)
    correct = accepted_same + rejected_different
    return float(thresholds[np.argmax(np.where(correct == correct.max(), widths, -1.0))])


def equal_error_rate(far: np.ndarray, tar: np.ndarray) -> float:
    """FAR where it equals 1 - TAR, on straight lines between the points of a ROC curve, both from 0 to 1."""
    return float(np.interp(0.0, far + tar - 1.0, far))


def tar_at_far(far: np.ndarray, tar: np.ndarray, target: float) -> float:
    """Highest TAR of the ROC points whose FAR is at most the target; nothing is interpolated."""
    return float(tar[far <= target].max())


def _cosines(embeddings: Mapping[str, np.ndarray], pairs: Pairs) -> np.ndarray:
    row = {path: index for index, path in enumerate(pairs.paths)}
    vectors = np.stack([embeddings[path] for path in row]).astype(np.float64)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise UserError(f"The embedding of {pairs.paths[np.argmin(finite)]} is not finite.")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    products = unit[[row[path] for path in pairs.left]] * unit[[row[path] for path in pairs.right]]
    return np.clip(products.sum(axis=1), -1.0, 1.0)


def _accuracy_interval(correct: np.ndarray, pairs: Pairs) -> tuple[float, float]:
    identities, left, right = _identity_indices(pairs)
    random = np.random.default_rng(0)
    accuracies = []
    for _ in range(BOOTSTRAP_ROUNDS):
        weight = random.exponential(size=identities)
        pair_weight = np.where(left == right, weight[left], weight[left] * weight[right])
        accuracies.append(np.average(correct, weights=pair_weight))
    low, high = np.quantile(accuracies, [0.025, 0.975])
    return float(low), float(high)


def _identity_indices(pairs: Pairs) -> tuple[int, np.ndarray, np.ndarray]:
    """How many identities there are, and the left and right one of every pair, as ints (N,)."""
    names = [posixpath.dirname(path) or path for path in (*pairs.left, *pairs.right)]
    unique, index = np.unique(names, return_inverse=True)
    left, right = np.split(index, 2)
    return len(unique), left, right


def _read_aligned(store: FaceStore, path: str, size: int) -> np.ndarray:
    pixels = store.read(path)
    if pixels.shape != (size, size, 3):
        height, width, _ = pixels.shape
        raise UserError(f"{path} in {store.source} is {width}x{height}, not an aligned {size}x{size} face.")
    return pixels


def _refuse_unknown(paths: list[str], known: Container[str], where: str) -> None:
    unknown = [path for path in paths if path not in known]
    if unknown:
        raise UserError(f"{len(unknown)} of {len(paths)} images are not in {where}, first {unknown[0]}.")


def _lfw_pairs(path: Path, rows: list[tuple[int, str]]) -> Pairs:
    header_number, header = rows[0]
    place = f"{path}:{header_number}"
    if len(header.split()) != 2 or not all(_is_count(field) for field in header.split()):
        raise UserError(f"{place}: '{header.strip()}' is no header of LFW pairs ('10 300') and no CSV line.")
    folds, count = map(int, header.split())
    if folds < 2:
        raise UserError(f"{place}: the protocol needs at least 2 folds, the header says {folds}.")
    if len(rows) - 1 != 2 * folds * count:
        raise UserError(f"{place}: the header says {2 * folds * count} pairs, but {len(rows) - 1} follow.")
    same = np.tile(np.repeat([True, False], count), folds)
    named = [_lfw_line(path, *row, is_same) for row, is_same in zip(rows[1:], same, strict=True)]
    left, right = zip(*named, strict=True)
    return Pairs(left, right, same, np.repeat(np.arange(folds), 2 * count))


def _lfw_line(path: Path, number: int, line: str, same: bool) -> tuple[str, str]:
    fields = line.split()
    form = "NAME I J" if same else "NAME I OTHER J"
    if len(fields) != len(form.split()):
        kind = "same" if same else "different"
        raise UserError(f"{path}:{number}: expected '{form}' (a {kind} pair), found '{line.strip()}'.")
    if same:
        fields.insert(2, fields[0])
    left, left_number, right, right_number = fields
    if not (_is_count(left_number) and _is_count(right_number)):
        raise UserError(f"{path}:{number}: picture numbers must be 1 or more, found '{line.strip()}'.")
    return _lfw_image(left, left_number), _lfw_image(right, right_number)


def _lfw_image(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _csv_pairs(path: Path, rows: list[tuple[int, str]]) -> Pairs:
    parsed = [(number, _csv_fields(path, number, line)) for number, line in rows]
    if parsed[0][1][2].lower() == "same":
        parsed = parsed[1:]
    for number, (_, _, word) in parsed:
        if word.lower() not in _SAME_WORDS:
            raise UserError(f"{path}:{number}: the third column must be 0, 1, true or false, found '{word}'.")
    same = np.array([_SAME_WORDS[word.lower()] for _, (_, _, word) in parsed], dtype=bool)
    if min(same.sum(), (~same).sum()) < CSV_FOLDS:
        found = f"{same.sum()} same and {(~same).sum()} different pairs"
        raise UserError(f"{path} has {found}; {CSV_FOLDS} folds need at least {CSV_FOLDS} of each.")
    fold = np.empty(len(same), dtype=int)
    for index, (_, held_out) in enumerate(StratifiedKFold(CSV_FOLDS).split(same, same)):
        fold[held_out] = index
    return Pairs(
        tuple(left for _, (left, _, _) in parsed), tuple(right for _, (_, right, _) in parsed), same, fold
    )


def _csv_fields(path: Path, number: int, line: str) -> tuple[str, str, str]:
    fields = [field.strip() for field in next(csv.reader([line]))]
    if len(fields) != 3 or not all(fields):
        raise UserError(f"{path}:{number}: expected 'path,path,same', found '{line.strip()}'.")
    left, right, same = fields
    return left, right, same
