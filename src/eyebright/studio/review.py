"""What a person should look at first: images that a model or the labels themselves cast doubt on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from eyebright.runs.scoring import Predictions
from eyebright.studio.suggestions import Suggestions

Reason: TypeAlias = Literal["disputed", "label_error", "unknown", "unlike", "doubtful"]

# A label that a head which did not see it gives less than this is suspected.
_SUSPECT = 0.2
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
    """

    sha: str
    reason: Reason
    value: float
    predicted: str = ""
    confidence: float = 0.0


def label_errors(
    suggestions: Suggestions | None, shas: Sequence[str], labels: Mapping[str, str]
) -> list[ReviewItem]:
    """Return labelled images whose label a head that did not see them finds unlikely.

    Args:
        suggestions: of the project's images.
        shas: (N,) their hashes.
        labels: that are known.
    """
    if suggestions is None:
        return []
    found = []
    for place in np.flatnonzero(suggestions.held_out < _SUSPECT):
        label = labels.get(shas[place])
        row = suggestions.probabilities[place].copy()
        if label not in suggestions.classes:
            continue
        row[suggestions.classes.index(label)] = 0
        best = int(row.argmax())
        value = 1 - float(suggestions.held_out[place])
        found.append(ReviewItem(shas[place], "label_error", value, suggestions.classes[best], value))
    return found


def doubts(predictions: Predictions, labels: Mapping[str, str]) -> list[ReviewItem]:
    """Return images without a label that the model calls unknown, finds unlike its own, or is unsure about."""
    sure = predictions.probabilities.max(axis=1)
    best = predictions.probabilities.argmax(axis=1)
    scores = predictions.scores
    known = np.array([sample.sha in labels for sample in predictions.samples], bool)
    limit = predictions.decisions.limit
    usual = float(np.quantile(scores[known], _USUAL)) if scores is not None and known.any() else np.inf
    found = []
    for place in np.flatnonzero(~known):
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
        found.append(ReviewItem(sha, reason, value, name, float(sure[place])))
    return found


def queue(items: Sequence[ReviewItem]) -> list[ReviewItem]:
    """Return what to look at, one entry an image: by the kind of doubt, then by how strong it is."""
    order: tuple[Reason, ...] = ("disputed", "label_error", "unknown", "unlike", "doubtful")
    found: dict[str, ReviewItem] = {}
    for item in sorted(items, key=lambda one: (order.index(one.reason), -one.value)):
        found.setdefault(item.sha, item)
    return list(found.values())
