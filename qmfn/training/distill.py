"""Quantisation-aware distillation: the quantised network learns to give the float network's embeddings.

The student starts from the teacher's weights, equalised, with calibrated exponents, and sees every weight and
activation quantised (straight-through gradients). No label is needed. The state is saved as it goes: a killed run
resumes with the same command and gives the same checkpoint up to the order of float32 sums.
"""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score
from tensorflow import keras
from tqdm import tqdm

from qmfn.config import DesignConfig
from qmfn.errors import UserError
from qmfn.model.checkpoint import Checkpoint, load_checkpoint, quantise, save_checkpoint
from qmfn.model.initial import calibrated_start
from qmfn.model.mobilefacenet import architecture, normalise
from qmfn.model.parameters import Parameters, import_float_weights
from qmfn.shared import shared_file
from qmfn.training.curves import LOG_FIELDS, draw_curves, read_log
from qmfn.training.data import TrainingFaces, load_training_faces, teacher_embeddings
from qmfn.training.student import Student, embed

SAVE_EVERY = 250
"""Steps between two saved states."""


@dataclass(frozen=True)
class Batch:
    """Faces of one step: their indices and which of them are mirrored."""

    indices: np.ndarray
    mirrored: np.ndarray


def batch_of_step(step: int, faces: int, batch_size: int, seed: int) -> Batch:
    """A pure function of the step, so that a resumed run continues with the same faces."""
    per_epoch = faces // batch_size
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng((seed, epoch)).permutation(faces)
    indices = order[position * batch_size : (position + 1) * batch_size]
    return Batch(indices, np.random.default_rng((seed, step, 1)).random(batch_size) < 0.5)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over 5 % of the steps, then half a cosine down to zero."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + np.cos(np.pi * (step - warm_up) / max(1, steps - warm_up)))


def train(config: DesignConfig, folder: Path, checkpoint_path: Path) -> Checkpoint:
    """Calibrate, distil, and write the checkpoint.

    Args:
        config: the design; its `training` group says what to train on and for how long.
        folder: keeps the state of the run, `log.csv` and the teacher's embeddings; the same folder resumes.
        checkpoint_path: where the finished checkpoint goes.

    Raises:
        UserError: data are missing, or the folder holds a run of another design.
    """
    _claim_folder(folder, config)
    layers = architecture(config.model)
    faces = load_training_faces(config.training, config.model.input_size, f"{config.file}: training")
    weights = import_float_weights(shared_file(config.training.float_weights), layers)
    teacher = Student(layers, weights)

    weights, start = _calibrated_start(config, folder, weights, faces)
    student = Student(layers, weights, start.formats)
    held_out_targets = embed(teacher, faces.held_out)
    if config.training.steps:
        targets = teacher_embeddings(teacher, faces.train, folder / "teacher.npy")
        _run(config, folder, student, faces, targets, held_out_targets)

    auc, cosine = held_out_scores(student, faces, held_out_targets)
    origin = {**start.origin, **_training_origin(config), "held_out_auc": auc, "held_out_cosine": cosine}
    checkpoint = quantise(config.model, student.parameters(), start.widths, start.exponents, origin)
    save_checkpoint(checkpoint, checkpoint_path)
    return checkpoint


def _training_origin(config: DesignConfig) -> dict:
    settings = config.training
    if not settings.steps:
        return {"steps": 0}
    return {"distilled_on": list(settings.faces), "steps": settings.steps, "seed": settings.seed}


def _claim_folder(folder: Path, config: DesignConfig) -> None:
    """Remember what the folder's run is about; refuse to resume another one."""
    claim = folder / "run.json"
    about = json.dumps(config.model_dump(include={"model", "quantisation", "training"}), indent=1, default=list)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if claim.exists() and claim.read_bytes() != about.encode():
            raise UserError(f"{folder}: holds the training run of other settings; delete it or choose another folder.")
        claim.write_text(about)
    except OSError as error:
        raise UserError(f"{folder}: can't keep the training run ({error.strerror}).") from None


def _calibrated_start(
    config: DesignConfig, folder: Path, weights: Parameters, faces: TrainingFaces
) -> tuple[Parameters, Checkpoint]:
    """Equalised weights and the calibrated network.

    A resumed run needs the same exponents, so they are kept in the folder; its weights come from the saved state.
    """
    path = folder / "start.npz"
    if _state_exists(folder):
        return weights, load_checkpoint(path)
    chosen = np.linspace(0, len(faces.train) - 1, min(config.training.calibration_images, len(faces.train)), dtype=int)
    origin = {"initialised_from": config.training.float_weights, "calibrated_on": list(config.training.faces)}
    parameters, start = calibrated_start(config, weights, normalise(faces.train[chosen]), origin)
    save_checkpoint(start, path)
    return parameters, start


def _state_exists(folder: Path) -> bool:
    return tf.train.latest_checkpoint(str(folder / "state")) is not None


def _run(
    config: DesignConfig, folder: Path, student: Student, faces: TrainingFaces, targets, held_out_targets
) -> None:
    settings = config.training
    variables = student.trainable_variables
    optimiser = keras.optimizers.Adam(settings.learning_rate)
    optimiser.build(variables)
    step_number = tf.Variable(0, dtype=tf.int64)
    state = tf.train.Checkpoint(student=student, optimiser=optimiser, step=step_number)
    manager = tf.train.CheckpointManager(state, str(folder / "state"), max_to_keep=2)
    if manager.latest_checkpoint:
        state.restore(manager.latest_checkpoint).assert_consumed()
    else:
        manager.save()

    @tf.function
    def update(images: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(cosine_distance(student.embeddings(images), wanted))
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    done = int(step_number)
    log = [row for row in read_log(folder / "log.csv") if row["step"] <= done]
    started, losses = time.monotonic() - (log[-1]["seconds"] if log else 0), []
    progress = tqdm(desc=f"training {config.name}", total=settings.steps, initial=done, unit="step", disable=None)
    for step in range(done, settings.steps):
        batch = batch_of_step(step, len(faces.train), settings.batch_size, settings.seed)
        images = normalise(faces.train[batch.indices])
        images[batch.mirrored] = images[batch.mirrored, :, ::-1]
        rate = learning_rate(step, settings.steps, settings.learning_rate)
        optimiser.learning_rate.assign(rate)
        losses.append(float(update(images, targets[batch.indices, batch.mirrored.astype(int)])))
        progress.update()
        progress.set_postfix(loss=f"{np.mean(losses[-50:]):.5f}")
        step_number.assign(step + 1)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == settings.steps:
            auc, cosine = held_out_scores(student, faces, held_out_targets)
            seconds = time.monotonic() - started
            values = (step + 1, np.mean(losses[-SAVE_EVERY:]), rate, auc, cosine, seconds)
            log.append(dict(zip(LOG_FIELDS, values, strict=True)))
            _write_log(folder, log)
            manager.save()
    progress.close()


def cosine_distance(embeddings: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """1 - cosine, (N,), of embeddings (N, D) and unit-length targets (N, D)."""
    return 1 - tf.reduce_sum(tf.math.l2_normalize(embeddings, axis=1) * wanted, axis=1)


def _write_log(folder: Path, rows: list[dict]) -> None:
    """All rows anew: a resumed run replaces those of steps that it does again."""
    with open(folder / "log.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, LOG_FIELDS)
        writer.writeheader()
        for row in rows:
            writer.writerow({name: value if name == "step" else f"{value:.6g}" for name, value in row.items()})
    draw_curves(rows, folder / "curves.png")


def held_out_scores(student: Student, faces: TrainingFaces, wanted: np.ndarray) -> tuple[float, float]:
    """Verification AUC over all pairs of held-out faces, and mean cosine to the float network's embeddings."""
    embeddings = embed(student, faces.held_out)
    first, second = np.triu_indices(len(embeddings), k=1)
    same = faces.held_out_people[first] == faces.held_out_people[second]
    scores = np.sum(embeddings[first] * embeddings[second], axis=1)
    return float(roc_auc_score(same, scores)), float(np.mean(np.sum(embeddings * wanted, axis=1)))
