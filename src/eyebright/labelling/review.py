"""What a person should look at first: images that a model or the labels themselves cast doubt on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from eyebright.auditing.labels import CALLED_WRONG, find_label_errors
from eyebright.auditing.subject import FEWEST_IMAGES
from eyebright.data.manifest import joined
from eyebright.labelling.features import Features
from eyebright.runs.scoring import Predictions

#: Why an image is in the queue, in its order.
Reason: TypeAlias = Literal["disputed", "label_error", "unknown", "drifted", "listed", "unlike", "doubtful"]

# A class with fewer images says nothing about its labels.
_FEWEST_OF_CLASS = 5
# Unlike the training images: a score above all but so many of the labelled images'.
_USUAL = 0.95
_DOUBTFUL = 0.7


@dataclass(frozen=True)
class ReviewItem:
    """An image to look at.

    Attributes:
        sha: of the image.
        reason: why.
        value: how much a look is worth, from 0 to 1; the queue is in this order within a reason.
        predicted: the class that the model or the other labels speak for; empty where none does.
        confidence: of that class.
        note: what a list says of it, in its own words.
    """

    sha: str
    reason: Reason
    value: float
    predicted: str = ""
    confidence: float = 0.0
    note: str = ""


def label_errors(features: Features, labels: Mapping[str, str]) -> list[ReviewItem]:
    """Return images whose label is more likely wrong than right; none where there are too few to say.

    Args:
        features: of the project's images.
        labels: that are known, by hash.
    """
    counts = Counter(labels.get(sha) for sha in features.shas)
    classes = sorted(label for label, count in counts.items() if label and count >= _FEWEST_OF_CLASS)
    places = np.array([i for i, sha in enumerate(features.shas) if labels.get(sha) in classes], np.int64)
    if len(places) < FEWEST_IMAGES or len(classes) < 2:
        return []
    truth = np.array([classes.index(labels[features.shas[place]]) for place in places], np.int64)
    errors = find_label_errors(features.rows[places], truth, len(classes), np.arange(len(places)), 0)
    return [
        ReviewItem(features.shas[place], "label_error", float(wrong), classes[other], float(wrong))
        for place, wrong, other in zip(places, errors.wrong, errors.suggested, strict=True)
        if wrong >= CALLED_WRONG
    ]


def doubts(predictions: Predictions, labels: Mapping[str, str]) -> list[ReviewItem]:
    """Return images without a label that the model calls unknown, finds unlike its own, or doubts."""
    probabilities, several = predictions.probabilities, predictions.decisions.multilabel
    # Of several labels, the one that is least certain either way counts.
    sure = np.maximum(probabilities, 1 - probabilities).min(axis=1) if several else probabilities.max(axis=1)
    best = probabilities.argmax(axis=1)
    scores = predictions.scores
    known = np.array([sample.sha in labels for sample in predictions.samples], bool)
    limit = predictions.decisions.limit
    usual = float(np.quantile(scores[known], _USUAL)) if scores is not None and known.any() else np.inf
    found = []
    for place in np.flatnonzero(~known).tolist():
        score = 0.0 if scores is None else float(scores[place])
        reason: Reason
        if limit is not None and score > limit:
            reason, value = "unknown", score
        elif score > usual:
            reason, value = "unlike", score
        elif sure[place] < _DOUBTFUL:
            reason, value = "doubtful", 1 - float(sure[place])
        else:
            continue
        sha, name = predictions.samples[place].sha, predictions.labels[best[place]]
        if several:
            limits = predictions.decisions.thresholds
            name = joined(np.array(predictions.labels)[probabilities[place] >= limits].tolist())
        found.append(ReviewItem(sha, reason, value, name, float(sure[place])))
    return found


def queue(items: Sequence[ReviewItem]) -> list[ReviewItem]:
    """Return what to look at, one entry an image: by the kind of doubt, then by how strong it is."""
    order = get_args(Reason)
    found: dict[str, ReviewItem] = {}
    for item in sorted(items, key=lambda one: (order.index(one.reason), -one.value)):
        found.setdefault(item.sha, item)
    return list(found.values())
