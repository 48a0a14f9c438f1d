"""Quantisation-aware distillation: the quantised network learns to do what the float network does.

The student starts from the teacher's weights, equalised, rounded with the data in view (`reconstruction`), and sees
every weight and activation quantised (straight-through gradients). It learns the teacher's embedding and its residual
stream, on augmented faces; no label is needed. The state is saved as it goes: a killed run resumes with the same
command and gives the same checkpoint up to the order of float32 sums.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score
from tensorflow import keras
from tqdm import tqdm

from qmfn.design import DesignConfig
from qmfn.errors import UserError
from qmfn.model.initial import calibrated_start
from qmfn.network.checkpoint import Checkpoint, load_checkpoint, quantise, save_checkpoint
from qmfn.network.mobilefacenet import LayerSpec, architecture, normalise
from qmfn.network.parameters import Parameters, import_float_weights, load_parameters, save_parameters
from qmfn.shared import shared_file
from qmfn.training.augment import augment
from qmfn.training.curves import LOG_FIELDS, draw_curves, read_log
from qmfn.training.data import TrainingFaces, load_training_faces
from qmfn.training.reconstruction import reconstruct
from qmfn.training.student import Student, embed

SAVE_EVERY = 250
"""Steps between two saved states."""


def faces_of_step(step: int, faces: int, batch_size: int, seed: int) -> np.ndarray:
    """Indices of the faces of one step: a pure function, so that a resumed run continues with the same ones."""
    per_epoch = faces // batch_size
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng((seed, epoch)).permutation(faces)
    return order[position * batch_size : (position + 1) * batch_size]


def images_of_step(step: int, faces: np.ndarray, batch_size: int, seed: int) -> np.ndarray:
    """What the networks see in one step: augmented faces, float32 (batch_size, size, size, 3) from `normalise`."""
    chosen = faces[faces_of_step(step, len(faces), batch_size, seed)]
    return normalise(augment(chosen, np.random.default_rng((seed, step, 1))))


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over 5 % of the steps, then half a cosine, squared, down to zero.

    Squared, because weights near a rounding threshold jump to and fro until the rate is small for long (Nagel et al.
    2022, arXiv 2203.11086): much of what a run gains it gains at its end.
    """
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (0.5 * (1 + np.cos(np.pi * (step - warm_up) / max(1, steps - warm_up)))) ** 2


def train(config: DesignConfig, folder: Path, checkpoint_path: Path) -> Checkpoint:
    """Calibrate, distil, and write the checkpoint.

    Args:
        config: the design; its `training` group says what to train on and for how long.
        folder: keeps the state of the run and `log.csv`; the same folder resumes.
        checkpoint_path: where the finished checkpoint goes.

    Raises:
        UserError: data are missing, or the folder holds a run of another design.
    """
    _claim_folder(folder, config)
    layers = architecture(config.model)
    faces = load_training_faces(config.training, config.model.input_size, f"{config.file}: training")
    weights, start = _calibrated_start(config, folder, faces)
    teacher, student = Student(layers, weights), Student(layers, start.parameters(), start.formats)
    held_out_targets = embed(teacher, faces.held_out)
    if config.training.steps:
        _run(config, folder, teacher, student, faces, held_out_targets)

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


def _calibrated_start(config: DesignConfig, folder: Path, faces: TrainingFaces) -> tuple[Parameters, Checkpoint]:
    """Equalised float weights and the network fitted to them; kept in the folder: a resumed run needs the same."""
    weights_path, start_path = folder / "float_weights.npz", folder / "start.npz"
    if _state_exists(folder):
        return load_parameters(weights_path), load_checkpoint(start_path)
    weights = import_float_weights(shared_file(config.training.float_weights), architecture(config.model))
    origin = {"initialised_from": config.training.float_weights, "calibrated_on": list(config.training.faces)}
    weights, start = calibrated_start(config, weights, _spread(faces.train, config.training.calibration_images), origin)
    if config.training.fitting_images:
        images = _spread(faces.train, config.training.fitting_images)
        fitted, exponents = reconstruct(start.layers, weights, start.widths, start.exponents, images)
        start = quantise(config.model, fitted, start.widths, exponents, start.origin)
    save_parameters(weights, weights_path)
    save_checkpoint(start, start_path)
    return weights, start


def _spread(faces: np.ndarray, count: int) -> np.ndarray:
    """`count` faces, or all if there are fewer, evenly from all sources, as the network takes them."""
    return normalise(faces[np.linspace(0, len(faces) - 1, min(count, len(faces)), dtype=int)])


def _state_exists(folder: Path) -> bool:
    return tf.train.latest_checkpoint(str(folder / "state")) is not None


def _run(
    config: DesignConfig, folder: Path, teacher: Student, student: Student, faces: TrainingFaces, held_out_targets
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

    stream, embedding = residual_stream(student.layers), student.layers[-1].name

    @tf.function
    def update(images: tf.Tensor) -> tf.Tensor:
        wanted = teacher(images)
        with tf.GradientTape() as tape:
            found = student(images)
            distance = tf.reduce_mean(cosine_distance(found[embedding], wanted[embedding]))
            features = tf.add_n([relative_error(found[name], wanted[name]) for name in stream]) / len(stream)
            loss = distance + settings.feature_weight * features
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return distance

    done = int(step_number)
    log = [row for row in read_log(folder / "log.csv") if row["step"] <= done]
    started, losses = time.monotonic() - (log[-1]["seconds"] if log else 0), []
    progress = tqdm(desc=f"training {config.name}", total=settings.steps, initial=done, unit="step", disable=None)
    for step in range(done, settings.steps):
        images = images_of_step(step, faces.train, settings.batch_size, settings.seed)
        rate = learning_rate(step, settings.steps, settings.learning_rate)
        optimiser.learning_rate.assign(rate)
        losses.append(float(update(images)))
        progress.update()
        progress.set_postfix(loss=f"{np.mean(losses[-50:]):.5f}")
        step_number.assign(step + 1)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == settings.steps:
            auc, cosine = held_out_scores(student, faces, held_out_targets)
            seconds = time.monotonic() - started
            values = (step + 1, float(np.mean(losses[-SAVE_EVERY:])), rate, auc, cosine, seconds)
            log.append(dict(zip(LOG_FIELDS, values, strict=True)))
            _write_log(folder, log)
            manager.save()
    progress.close()


def residual_stream(layers: Sequence[LayerSpec]) -> list[str]:
    """The linear layers before the embedding: what one bottleneck hands to the next, and the pooled features."""
    added = {layer.source for layer in layers if layer.kind == "add"}
    return [layer.name for layer in layers[:-1] if not layer.prelu and layer.name not in added]


def cosine_distance(embeddings: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """1 - cosine along the last axis of embeddings (N, 1, 1, D)."""
    return 1 - tf.reduce_sum(tf.math.l2_normalize(embeddings, axis=-1) * tf.math.l2_normalize(wanted, axis=-1), axis=-1)


def relative_error(found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Squared error of a tensor over the squares of what was wanted."""
    return tf.reduce_sum(tf.math.squared_difference(found, wanted)) / tf.reduce_sum(tf.square(wanted))


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
