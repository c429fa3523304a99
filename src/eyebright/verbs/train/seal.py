"""Sealing: a trained classifier becomes one graph, raw pixels to probabilities and OOD score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eyebright.data.manifest import Manifest, Sample
from eyebright.runtime.compact.rows import chained, kept, picked, values
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import UnwrittenModel, set_metadata
from eyebright.sealed.ood_output import with_unknown
from eyebright.sealed.text_input import with_text
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.folds import assign_folds, groups_of
from eyebright.training.linear_probe.targets import truth_of
from eyebright.training.ood import MOST_ROWS, fit_and_hold_out, fit_unknown
from eyebright.types import FloatArray, IntArray
from eyebright.verbs.train.holdout import with_holdout
from eyebright.verbs.train.provenance import Provenance
from eyebright.verbs.train.trained_model import TrainedModel

_FOLDS = 5


@dataclass(frozen=True)
class SealedClassifier:
    """A sealed model that is in memory, with what it knows of OOD images.

    Attributes:
        model: with the output `unknown_score`, unless its features cannot be reached.
        scored: number of holdout images that scaled the OOD score; 0 without a score.
    """

    model: UnwrittenModel
    scored: int


def seal(
    trained: TrainedModel,
    manifest: Manifest,
    path: Path,
    provenance: Provenance,
    false_rejection: float,
    seed: int,
) -> SealedClassifier:
    """Seal a classifier in memory, with an OOD score where its features can be reached.

    Args:
        trained: the classifier.
        manifest: whose training split it was trained on.
        path: where the model will be written.
        provenance: for its metadata.
        false_rejection: share of the model's own images that may be predicted as unknown.
        seed: of the draw of training images, and of the folds.
    """
    graph = sealed_graph(
        trained.backbone.model(trained.preprocessing.size),
        trained.preprocessing,
        trained.taps,
        trained.head,
        trained.temperature,
        trained.task.multilabel,
    )
    if trained.text is not None:
        graph = with_text(graph, trained.text.fit.head)
    set_metadata(graph, {"labels": list(manifest.labels), **provenance.metadata()})
    model = UnwrittenModel(path, graph, threads=1)
    samples, rows = _rows(trained, model, manifest, seed)
    if not samples:
        return SealedClassifier(model, 0)
    residual, lengths = fit_and_hold_out(rows, *_folds(trained, samples, manifest, seed))
    if not len(lengths):
        return SealedClassifier(model, 0)
    score = fit_unknown(residual, lengths, trained.holdout_energy, false_rejection)
    return SealedClassifier(UnwrittenModel(path, with_unknown(graph, score), threads=1), len(lengths))


def _rows(
    trained: TrainedModel, model: UnwrittenModel, manifest: Manifest, seed: int
) -> tuple[Sequence[Sample], npt.NDArray[np.floating]]:
    """Return some images with their features (n, D): from the cache, or else from the sealed model.

    They are of the training split; where fine-tuning was stopped by the validation split, of that one too.
    """
    skipped = {s.path for s in trained.skipped}
    samples = manifest.of("train")
    samples = kept(samples, (path not in skipped for path in values(samples, "path")))
    if trained.rows is None and manifest.of("test"):
        samples = chained([samples, manifest.of("val")])
    drawn = np.sort(np.random.default_rng(seed).permutation(len(samples))[:MOST_ROWS])
    samples = picked(samples, drawn)
    if trained.rows is not None:
        return samples, trained.rows(samples)
    found: list[Sample] = []
    rows: list[FloatArray] = []
    for block in predict_blocks(model, manifest.root, samples, default_folder()):
        if block.features is not None:
            found += block.samples
            rows.append(block.features)
    return found, np.concatenate(rows) if rows else np.empty((0, 0), np.float32)


def _folds(
    trained: TrainedModel, samples: Sequence[Sample], manifest: Manifest, seed: int
) -> tuple[IntArray, range]:
    """Return fold numbers (n,), and those that are scored: all, or fine-tuning's holdout, which is fold 0."""
    if trained.rows is not None:
        strata = manifest.task.strata(truth_of(samples, manifest))
        folds = assign_folds(strata, groups_of(samples), _FOLDS, seed)
        return folds, range(int(folds.max()) + 1)
    holdout = {s.sha for s in with_holdout(manifest, seed).of("val")}
    return np.array([0 if s.sha in holdout else 1 for s in samples], np.int64), range(1)
