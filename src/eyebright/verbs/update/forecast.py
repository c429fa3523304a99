"""What is known before the head is solved: which class a new one looks like, which new images are foreign.

The earlier model predicts the new images, and every image is assigned to the nearest class mean, in
standardised features and without the image itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    """Look at the features of new images.

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
    if not fresh or split is None:
        return UpdateForecast()
    rows = extractor.read(fresh, extractor.taps).astype(np.float32)
    texts = [s.text for s in fresh] if model.has_text else None
    probabilities, scores = split.predict(rows, texts)
    now = [edits.renamed(label) or label for label in model.labels]
    task = model.decisions.task
    predicted = task.names(model.decisions.predict(probabilities), now)
    truth = [s.labels if task.multilabel else (s.label,) for s in fresh]
    known = [
        set(names) == set(labels)
        for names, labels in zip(predicted, truth, strict=True)
        if set(labels) <= set(now)
    ]
    foreign = (0, 0)
    if scores is not None and model.unknown_rule is not None:
        unknown = model.decisions.unknown(scores)
        foreign = int(unknown.sum()), len(unknown)
    new = sorted({label for labels in truth for label in labels} - set(now))
    if not new:
        return UpdateForecast((), (len(known), sum(known)), foreign)
    # Of several labels those count that an image does not have.
    counts = {
        label: dict(
            Counter(
                name
                for names, labels in zip(predicted, truth, strict=True)
                if label in labels
                for name in names
                if not task.multilabel or name not in labels
            )
        )
        for label in new
    }
    classes: list[ClassForecast]
    if task.multilabel:
        classes = forecast_labels(counts, manifest, extractor, samples)
    else:
        means = _by_means(manifest, extractor, samples)
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


def forecast_labels(
    predicted: Mapping[str, Mapping[str, int]],
    manifest: Manifest,
    extractor: FeatureExtractor,
    samples: Sequence[Sample],
) -> list[ClassForecast]:
    """Return, for each new label, the label that it is most likely to be confused with.

    Two labels are compared on the images that have one of them alone.

    Args:
        predicted: of each new label, what the earlier model wrongly predicts for its images, by how many.
        manifest: with the names of all labels.
        extractor: with the features of ``samples``.
        samples: of the training split; of each label at most 100 are looked at.
    """
    truth, labels = truth_of(samples, manifest), manifest.labels
    places = np.unique(np.concatenate([np.flatnonzero(column)[:_MOST_IMAGES] for column in truth.T]))
    truth = truth[places]
    rows, *_ = standardise(extractor.read([samples[i] for i in places], extractor.taps))
    return [
        _label_forecast(labels.index(label), labels, predicted[label], rows, truth) for label in predicted
    ]


def _label_forecast(
    own: int, labels: Sequence[str], predicted: Mapping[str, int], rows: FloatArray, truth: IntArray
) -> ClassForecast:
    """Return what a new label is most likely to be confused with, by rows (n, D) and labels (n, K)."""
    images = max(int(truth[:, own].sum()), 1)
    best, most = (
        ClassForecast(
            label=labels[own],
            images=images,
            nearest=None,
            confused=0,
            lost=0,
            compared=0,
            predicted=predicted,
        ),
        0.0,
    )
    for other in range(len(labels)):
        single = np.flatnonzero(truth[:, own] != truth[:, other])
        is_other = truth[single, other]
        with_other = int(is_other.sum())
        with_own = len(single) - with_other
        if not with_own or not with_other:  # they always come together, or it is the label itself
            continue
        seen_as_other = _nearest(rows[single], is_other, 2) == 1
        confused, lost = (
            int((seen_as_other & (is_other == 0)).sum()),
            int((~seen_as_other & (is_other == 1)).sum()),
        )
        score = predicted.get(labels[other], 0) / images + confused / with_own + lost / with_other
        if score > most:
            most = score
            best = replace(
                best,
                images=with_own,
                nearest=labels[other],
                confused=confused,
                lost=lost,
                compared=with_other,
            )
    return best


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
