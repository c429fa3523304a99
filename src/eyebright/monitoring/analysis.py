"""Everything that a log says beside its reference: what changed, what it costs, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.errors import DataError
from eyebright.evaluation.intervals import share_of
from eyebright.evaluation.proportions import proportion
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.monitoring.accuracy import AccuracyEstimator, EstimatedAccuracy
from eyebright.monitoring.drift import Drift, find_drift
from eyebright.monitoring.log import Log
from eyebright.monitoring.reference_file import Reference
from eyebright.monitoring.review import ReviewImage, images_to_review
from eyebright.monitoring.sketch import SampledRows
from eyebright.types import BoolArray, IntArray, Interval

#: Of fewer images nothing is estimated, and a change must be drastic to be found.
FEWEST = 50
#: A smaller loss of accuracy is no harm: the estimate is not better than that.
HARMLESS = 0.02
_EXAMPLES = 12

Verdict = Literal["too_few", "unchanged", "harmless", "harmful", "changed"]


@dataclass(frozen=True)
class ClassShare:
    """How often a class is answered, and how frequent it is.

    Attributes:
        label: the class.
        before, now: shares of the images for which it was answered.
        frequency: of the class now, estimated; None where nothing was.
        wrong: how many of the sampled images that were answered so are wrong, estimated.
    """

    label: str
    before: float
    now: float
    frequency: float | None
    wrong: float


@dataclass(frozen=True)
class Example:
    """An image whose label would say most: it is likely wrong, or unknown.

    Attributes:
        name: of the image, as it was logged.
        label: the likeliest class.
        chance: that it is right, estimated.
    """

    name: str
    label: str
    chance: float


@dataclass(frozen=True)
class Analysis:
    """A log beside its reference.

    Attributes:
        log, reference: what was compared.
        drifts: the result of every test, the strongest evidence first.
        accuracy: before and now; None of too few images.
        unknown_before, unknown_now: shares of unknown images; None of a model that knows none.
        classes: K shares.
        examples: images to label first; empty where no names were logged.
        review: all images that are worth a look; empty where no names were logged.
        since: the window from which on "now" counts, that of the first alarm.
    """

    log: Log
    reference: Reference
    drifts: Sequence[Drift]
    accuracy: EstimatedAccuracy | None
    unknown_before: Interval | None
    unknown_now: Interval | None
    classes: Sequence[ClassShare]
    examples: Sequence[Example]
    review: Sequence[ReviewImage]
    since: int

    @property
    def images(self) -> int:
        """Return how many images were logged."""
        return self.log.images

    @property
    def alarms(self) -> list[Drift]:
        """Return what changed."""
        return [drift for drift in self.drifts if drift.alarm]

    @property
    def changed(self) -> bool:
        """Return whether anything did."""
        return bool(self.alarms)

    @property
    def verdict(self) -> Verdict:
        """Return what it comes to."""
        if not self.changed:
            return "too_few" if self.images < FEWEST else "unchanged"
        if self.accuracy is None:
            return "changed"
        return "harmful" if self.accuracy.loss >= HARMLESS else "harmless"


def analyse(log: Log, reference: Reference, decisions: Decisions, seed: int) -> Analysis:
    """Compare a log with its reference.

    Args:
        log: of the model.
        reference: of its run.
        decisions: how it decides.
        seed: of the order of images within a window.

    Raises:
        DataError: the log is empty, or one of another model.
    """
    _check(log, reference)
    clean = reference.clean
    predicted, unknown = answers(decisions, clean)
    drifts = find_drift(log, reference, predicted, seed)
    since = min((drift.since for drift in drifts if drift.since is not None), default=0)
    recent = Log(log.model_sha256, log.labels, log.windows[since:])
    rows = recent.rows
    accuracy = None
    if recent.images >= FEWEST and len(rows):
        estimator = AccuracyEstimator(reference, decisions)
        accuracy = estimator.estimate(rows, recent.images)
    knows = decisions.unknown_above is not None
    return Analysis(
        log,
        reference,
        drifts,
        accuracy,
        proportion(unknown) if knows else None,
        share_of(sum(w.unknown for w in recent.windows), recent.images) if knows else None,
        _shares(recent, predicted, accuracy, decisions),
        _examples(rows, accuracy, log.labels),
        _review(rows, accuracy, decisions, changed=any(drift.alarm for drift in drifts)),
        since,
    )


def _check(log: Log, reference: Reference) -> None:
    if (log.model_sha256, log.labels) != (reference.model_sha256, reference.labels):
        raise DataError(
            "The log must be of the reference's model. It is of a model {one}, and the run has {other}. Give "
            "the run whose model answered.",
            one=log.model_sha256[:12],
            other=reference.model_sha256[:12],
        )
    if not log.images:
        raise DataError(
            "The log must hold images. It holds none. Let the model answer at least {count} images first.",
            count=FEWEST,
        )


def answers(decisions: Decisions, reference: Reference) -> tuple[IntArray, BoolArray]:
    """Return the classes answered (M, K) as 0 and 1, and which images (M,) are unknown."""
    predicted = decisions.predict(reference.probabilities)
    table = predicted
    if predicted.ndim == 1:
        table = np.equal.outer(predicted, np.arange(len(reference.labels))).astype(np.int64)
    unknown = decisions.unknown(reference.scores)
    return np.where(unknown[:, None], 0, table), unknown


def _shares(
    log: Log, predicted: IntArray, accuracy: EstimatedAccuracy | None, decisions: Decisions
) -> list[ClassShare]:
    before = predicted.mean(axis=0)
    now = np.sum([window.predicted for window in log.windows], axis=0) / log.images
    wrong = np.zeros(len(log.labels))
    if accuracy is not None:
        rows = decisions.predict(log.rows.probabilities)
        chosen = rows if rows.ndim == 2 else np.equal.outer(rows, np.arange(len(log.labels)))
        wrong = (1 - accuracy.chances) @ chosen
    frequencies = None if accuracy is None else accuracy.frequencies
    return [
        ClassShare(
            label,
            float(before[k]),
            float(now[k]),
            None if frequencies is None else float(frequencies[k]),
            float(wrong[k]),
        )
        for k, label in enumerate(log.labels)
    ]


def _examples(rows: SampledRows, accuracy: EstimatedAccuracy | None, labels: Sequence[str]) -> list[Example]:
    if accuracy is None:
        return []
    order = np.argsort(accuracy.chances, kind="stable")
    named = [i for i in order if rows.names[i]][:_EXAMPLES]
    best = rows.probabilities.argmax(axis=1)
    return [Example(rows.names[i], labels[best[i]], float(accuracy.chances[i])) for i in named]


def _review(
    rows: SampledRows, accuracy: EstimatedAccuracy | None, decisions: Decisions, *, changed: bool
) -> list[ReviewImage]:
    """Return what is worth a look; of too few images by the model's own probabilities."""
    if accuracy is None:
        predicted = decisions.predict(rows.probabilities)
        chances = decisions.task.confidence(rows.probabilities, predicted)
    else:
        chances = accuracy.chances
    return images_to_review(rows.names, chances, decisions.unknown(rows.scores), changed=changed)
