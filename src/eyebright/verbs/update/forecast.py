"""What is known before the head is solved: which class a new one looks like, which new images are foreign.

The earlier model predicts the new images, and every image is assigned to the nearest class mean, in
standardised features and without the image itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.data.manifest import Manifest, Sample
from eyebright.report.update_content import ClassForecast
from eyebright.sealed.model import SealedModel
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.pca import standardise
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import FloatArray, IntArray
from eyebright.verbs.update.class_edits import ClassEdits

_MOST_IMAGES = 100  # of a class


@dataclass(frozen=True)
class UpdateForecast:
    """What the features of new training images say.

    Attributes:
        classes: each new class.
        known: new images of classes that the earlier model knows, and how many it predicts correctly.
        foreign: new images that the earlier model finds unlike its own, of those with a score.
    """

    classes: Sequence[ClassForecast] = ()
    known: tuple[int, int] = (0, 0)
    foreign: tuple[int, int] = (0, 0)


def forecast(
    model: SealedModel,
    edits: ClassEdits,
    manifest: Manifest,
    added: frozenset[str],
    extractor: FeatureExtractor,
    samples: Sequence[Sample],
) -> UpdateForecast:
    """Look at the features of new images; of a multi-label model nothing is forecast.

    Args:
        model: of the earlier run.
        edits: how its classes are called now.
        manifest: with the new images.
        added: their hashes.
        extractor: with the features of ``samples``.
        samples: of the training split.
    """
    fresh = [s for s in samples if s.sha in added]
    split = model.split_model
    if not fresh or split is None or model.task.multilabel:
        return UpdateForecast()
    probabilities, scores = split.predict(extractor.read(fresh, extractor.taps).astype(np.float32))
    now = [edits.renamed(label) or label for label in model.labels]
    predicted = [now[number] for number in model.decisions.predict(probabilities)]
    known = [name == s.label for name, s in zip(predicted, fresh, strict=True) if s.label in now]
    foreign = (0, 0)
    if scores is not None and model.unknown_rule is not None:
        strange = model.decisions.unknown(scores)
        foreign = int(strange.sum()), len(strange)
    new = sorted({s.label for s in fresh} - set(now))
    if not new:
        return UpdateForecast((), (len(known), sum(known)), foreign)
    means = _by_means(manifest, extractor, samples)
    counts = {
        label: dict(Counter(p for p, s in zip(predicted, fresh, strict=True) if s.label == label))
        for label in new
    }
    classes = [_forecast(label, manifest.labels, counts[label], means) for label in new]
    return UpdateForecast(classes, (len(known), sum(known)), foreign)


def _forecast(
    label: str, labels: Sequence[str], predicted: Mapping[str, int], means: IntArray
) -> ClassForecast:
    """Return the class that a new one is most likely to be confused with.

    Three shares tell of it, and are added: what the earlier model predicts, which mean is nearest, and how
    many images of the other class are nearer to the new one's. Each alone misses more.

    Args:
        label: the new class.
        labels: all classes.
        predicted: number of its images by what the earlier model predicts for them.
        means: (K, K) images by class and by the class whose mean is nearest.
    """
    own, images = labels.index(label), means.sum(axis=1)
    total = sum(predicted.values())
    scores = [
        predicted.get(name, 0) / total + means[own, k] / images[own] + means[k, own] / max(images[k], 1)
        if k != own
        else 0.0
        for k, name in enumerate(labels)
    ]
    other = int(np.argmax(scores))
    return ClassForecast(
        label=label,
        images=int(images[own]),
        nearest=labels[other] if scores[other] else None,
        confused=int(means[own, other]),
        lost=int(means[other, own]),
        compared=int(images[other]),
        predicted=predicted,
    )


def _by_means(manifest: Manifest, extractor: FeatureExtractor, samples: Sequence[Sample]) -> IntArray:
    """Return (K, K) images, at most 100 of a class, by class and by the class whose mean is nearest."""
    truth, classes = truth_of(samples, manifest), len(manifest.labels)
    places = np.concatenate([np.flatnonzero(truth == k)[:_MOST_IMAGES] for k in range(classes)])
    truth = truth[places]
    rows, *_ = standardise(extractor.read([samples[i] for i in places], extractor.taps))
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, _nearest(rows, truth, classes)), 1)
    return table


def _nearest(rows: FloatArray, truth: IntArray, classes: int) -> IntArray:
    """Return (N,) the class with the nearest mean of rows (N, D), that of the own class without the row."""
    members = np.zeros((len(rows), classes), np.float32)
    members[np.arange(len(rows)), truth] = 1
    counts = members.sum(axis=0)
    means = (members.T @ rows) / np.maximum(counts, 1)[:, None]
    # Less the row's own length, which all of them share.
    distances = np.square(means).sum(axis=1) - 2 * rows @ means.T
    length = np.square(rows).sum(axis=1)
    own = np.arange(len(rows)), truth
    whole = distances[own] + length
    # Without the row, the mean of n lies n / (n - 1) times as far away, along the same line.
    share = counts[truth] / np.maximum(counts[truth] - 1, 1)
    distances[own] = np.where(counts[truth] > 1, share**2 * whole - length, np.inf)
    return np.asarray(distances.argmin(axis=1), np.int64)
