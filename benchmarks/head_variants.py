"""Ways to a better head on the same features, each beside the head as it is, by the same folds.

    python benchmarks/head_variants.py DATA [--size 224] [--layers all]

DATA has train/ and val/. Tried are: a Nyström approximation of an RBF kernel beside the features (400
landmarks in the leading principal directions), class means that are shrunk by the classes' sizes, and the
mean of the folds' heads in place of one that is solved on all images. Everything is chosen and compared by
cross-validation inside train/, with the standard error of the paired differences; val/ is shown beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.data.source import scan
from eyebright.runtime.progress import SILENT
from eyebright.task.task import task_of
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.training.linear_probe.folds import assign_folds, class_weights, fold_weights
from eyebright.training.linear_probe.lda import discriminant, log_loss, mix
from eyebright.training.linear_probe.logistic import LogisticProblems
from eyebright.training.linear_probe.pca import principal_directions, standardise
from eyebright.training.linear_probe.regularisation_path import STRENGTHS, follow_path, solve_all
from eyebright.types import BoolArray, FloatArray, IntArray

LANDMARKS, JITTER = 400, 1e-3
Discriminant: TypeAlias = Callable[[FloatArray, IntArray, FloatArray, int], FloatArray]


@dataclass(frozen=True)
class Rows:
    """Features (N, D) of a part in principal directions, the leading ones first, and the classes (N,)."""

    values: FloatArray
    truth: IntArray


@dataclass(frozen=True)
class Outcome:
    """Held-out losses (N,) and hits (N,) of the training rows."""

    losses: FloatArray
    correct: BoolArray


def features(data: Path, size: int, layers: str) -> tuple[Rows, Rows]:
    """Return the rows of train/ and val/, which only train/ standardises and turns."""
    backbone, manifest = EmbeddedBackbone(), scan(data)
    taps, how = feature_layer_sets(backbone.card)[layers], training_preprocessing(backbone.card, size)
    extractor = FeatureExtractor(default_folder(), backbone, how, taps, "openvino float32", 1)
    samples = [*manifest.of("train"), *manifest.of("val")]
    with SILENT.task("", total=len(samples)) as task:
        extractor.compute(manifest.root, samples, task)
    raw = [np.asarray(extractor.read(manifest.of(part), taps), np.float32) for part in ("train", "val")]
    truth = [np.array([manifest.labels.index(s.label) for s in manifest.of(p)]) for p in ("train", "val")]
    rows, mean, scale = standardise(raw[0])
    rows, basis = principal_directions(rows, None, 0)
    order = np.argsort(-np.square(rows).sum(axis=0))
    others = ((raw[1] - mean) * scale @ basis.basis).astype(np.float32)
    return Rows(rows[:, order], truth[0]), Rows(others[:, order], truth[1])


def with_kernel(train: Rows, val: Rows, directions: int, width: float) -> tuple[Rows, Rows]:
    """Return the rows with LANDMARKS features of a kernel exp(-width d^2 / median d^2) beside them."""
    own, other = train.values[:, :directions], val.values[:, :directions]
    count = min(LANDMARKS, len(own))
    marks = own[np.random.default_rng(0).permutation(len(own))[:count]]
    gamma = width / np.median(squared_distances(marks, marks)[np.triu_indices(count, 1)])
    values, vectors = np.linalg.eigh(
        np.exp(-gamma * squared_distances(marks, marks)) + JITTER * np.eye(count)
    )
    root = (vectors / np.sqrt(values)) @ vectors.T
    found = [np.exp(-gamma * squared_distances(part, marks)) @ root for part in (own, other)]
    mean = found[0].mean(axis=0)
    scale = 1 / np.sqrt(np.square(found[0] - mean).sum(axis=1).mean())
    joined = [
        np.hstack([rows.values, (part - mean) * scale]).astype(np.float32)
        for rows, part in zip((train, val), found, strict=True)
    ]
    return Rows(joined[0], train.truth), Rows(joined[1], val.truth)


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    distances: FloatArray = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return np.maximum(distances, 0)


def shrunk_by_size(strength: float) -> Discriminant:
    """Return a discriminant whose class means lie n / (n + strength) of the way from the mean of all."""

    def solve(rows: FloatArray, truth: IntArray, weights: FloatArray, classes: int) -> FloatArray:
        middle = np.average(rows, axis=0, weights=weights)
        sizes = np.bincount(truth[weights > 0], minlength=classes)
        means = np.stack(
            [np.average(rows[truth == k], axis=0, weights=weights[truth == k]) for k in range(classes)]
        )
        moved = (sizes / (sizes + strength) - 1)[:, None] * (means - middle)
        return discriminant(rows + moved[truth].astype(np.float32), truth, weights, classes)

    return solve


def judged(name: str, train: Rows, val: Rows, second: Discriminant, base: Outcome | None) -> Outcome:
    """Solve the head as a training does, and print it beside ``base``."""
    rows, truth = train.values, train.truth
    classes, weights = int(truth.max()) + 1, class_weights(truth, 0.5)
    fold = assign_folds(truth, None, 5, 0)
    problems = LogisticProblems(rows, truth, fold_weights(truth, weights, fold))

    def score(logits: FloatArray) -> tuple[float, float]:
        return log_loss(logits, truth, weights), float((logits.argmax(axis=1) == truth).mean())

    path, best, held_out = follow_path(problems, classes, fold, score, STRENGTHS, None)
    seconds = [second(rows, truth, w, classes) for w in problems.weights.T]
    other = np.empty_like(held_out)
    for f, coefficients in enumerate(seconds):
        other[fold == f] = rows[fold == f] @ coefficients[:-1] + coefficients[-1]
    mixture = mix(held_out, other, truth, weights)
    logits, task = mixture.of(held_out, other), task_of(truth)
    temperature = np.float32(task.fit_temperature(logits, truth))
    outcome = Outcome(task.losses(logits / temperature, truth), task.correct(logits, truth))
    l2 = min(path, key=lambda point: point.log_loss).l2
    whole = mixture.of(
        solve_all(problems, weights, l2, best), second(rows, truth, weights / weights.sum(), classes)
    )
    ensemble = mixture.of(best.mean(axis=1), np.mean(seconds, axis=0))
    line = f"{name:22} {100 * outcome.correct.mean():.2f} %, log loss {outcome.losses.mean():.4f}"
    if base is not None:
        gain = base.losses - outcome.losses
        line += f", gain {gain.mean():+.4f} ± {gain.std() / np.sqrt(len(gain)):.4f}"
    for what, coefficients in (("val", whole), ("folds' mean", ensemble)):
        found = (val.values @ coefficients[:-1] + coefficients[-1]) / temperature
        right = 100 * task.correct(found, val.truth).mean()
        line += f"; {what} {right:.2f} %, {task.losses(found, val.truth).mean():.4f}"
    print(line, flush=True)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--layers", default="all")
    options = parser.parse_args()
    train, val = features(options.data, options.size, options.layers)
    base = judged("as it is", train, val, discriminant, None)
    for directions in (64, 256):
        for width in (0.5, 2.0):
            wider = with_kernel(train, val, directions, width)
            judged(f"kernel, {directions} d, {width:g}", *wider, discriminant, base)
    for strength in (5.0, 20.0):
        judged(f"means shrunk by {strength:g}", train, val, shrunk_by_size(strength), base)


if __name__ == "__main__":
    main()
