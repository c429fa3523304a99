"""The accuracy on images without labels, estimated from probabilities and OOD scores.

Confidence-based estimation (CBPE): where probabilities are calibrated, their mean is the accuracy. Two
things break that. Other class frequencies do, so probabilities are first corrected for those (label_shift).
Corrupted images do: a model is too sure of them. So how confidence and OOD score go with being right is
learned from the validation images with corrupted copies of them, as Deng and Zheng (2021) do for whole sets.

It assumes that an image of a class is still labelled as that class: without labels, no one sees that change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.proportions import proportion
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.monitoring.label_shift import class_frequencies, reweighted
from eyebright.monitoring.projected_shift import Whitening
from eyebright.monitoring.reference_file import Reference
from eyebright.monitoring.sketch import SampledRows
from eyebright.types import BoolArray, FloatArray, Interval

_Z = 1.959963984540054
# The logit of a confidence is taken as it is unless the reference speaks against it: with so much weight, the
# most for the constant, since the calibration rests on far more images than the validation part has.
_PRIOR = np.array([0.0, 1.0, 0.0, 0.0])
_RIDGE = np.array([100.0, 1.0, 1.0, 1.0])
_STEPS = 25
_SURE = 1e-6
_HIGHEST_SCORE = 6.0


@dataclass(frozen=True)
class EstimatedAccuracy:
    """The accuracy before and now.

    Attributes:
        reference: on the validation images, with their labels.
        now: estimated, with an interval for what labels would show.
        chances: (R,) the estimated chance that each row's answer is right.
        frequencies: (K,) of the classes now; None of a multi-label model.
    """

    reference: Interval
    now: Interval
    chances: Float64Array
    frequencies: Float64Array | None

    @property
    def loss(self) -> float:
        """Return how much accuracy was lost."""
        return self.reference.value - self.now.value


def _fitted(design: Float64Array, correct: BoolArray) -> Float64Array:
    """Return the weights (4,) of a logistic regression of being right (N,) on the design (N, 4)."""
    weights = _PRIOR
    for _ in range(_STEPS):
        chance = expit(design @ weights)
        slope = design.T @ (correct - chance) - _RIDGE * (weights - _PRIOR)
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + np.diag(_RIDGE)
        step = np.linalg.solve(curvature, slope)
        # Newton's steps leap where nearly all chances are 0 or 1.
        weights = weights + step / max(1.0, float(np.abs(step).max()))
    return weights


class AccuracyEstimator:
    """Estimate the accuracy on images by what the reference shows.

    Args:
        reference: of the model's run.
        decisions: how the model decides.
    """

    def __init__(self, reference: Reference, decisions: Decisions) -> None:
        self._decisions = decisions
        clean = reference.clean
        self._clean = clean
        self._before = clean.probabilities.mean(axis=0, dtype=np.float64)
        self._whitening = Whitening.fit(clean.projections)
        design = self._design(reference.probabilities, reference.scores)
        self._weights = _fitted(design, reference.correct)
        self._inaccuracy = _inaccuracy(design, reference)

    def estimate(self, rows: SampledRows, images: int) -> EstimatedAccuracy:
        """Estimate the accuracy.

        Args:
            rows: a random sample of the images.
            images: how many they were sampled from.
        """
        frequencies = None
        if not self._decisions.multilabel:
            frequencies = self._frequencies(rows)
        design = self._design(rows.probabilities, rows.scores, frequencies)
        chances = expit(design @ self._weights)
        value = float(chances.mean())
        half = _Z * float(np.sqrt(self._variance(rows, chances, images)))
        now = Interval(value, max(0.0, value - half), min(1.0, value + half))
        return EstimatedAccuracy(proportion(self._clean.correct), now, np.asarray(chances), frequencies)

    def _variance(self, rows: SampledRows, chances: Float64Array, images: int) -> float:
        """Return the variance of what labels would show around the estimate.

        It is that of the labels themselves, of the sample, of the validation images by which each class's
        answers can be trusted, and of how far the estimate is off under an unknown corruption.
        """
        clean = self._clean
        luck = float(np.mean(chances * (1 - chances))) / images
        drawn = float(chances.var()) * (1 / len(chances) - 1 / images)
        before, now = (
            self._chosen(probabilities) for probabilities in (clean.probabilities, rows.probabilities)
        )
        trials = before.sum(axis=0) + 2
        precision = (clean.correct @ before + 1) / trials
        trust = float(np.sum(np.square(now.mean(axis=0)) * precision * (1 - precision) / trials))
        known = expit(self._design(clean.probabilities, clean.scores) @ self._weights).mean()
        return luck + drawn + trust + (self._inaccuracy * (float(known) - float(chances.mean()))) ** 2

    def _chosen(self, probabilities: FloatArray) -> Float64Array:
        """Return (N, K) which classes are answered, of several labels each by its share of them."""
        predicted = self._decisions.predict(probabilities)
        if predicted.ndim == 1:
            return np.equal.outer(predicted, np.arange(probabilities.shape[1])).astype(np.float64)
        return np.asarray(predicted / np.maximum(predicted.sum(axis=1, keepdims=True), 1))

    def _frequencies(self, rows: SampledRows) -> Float64Array:
        """Return the frequencies (K,) of the classes, as far as they are what changed."""
        now = class_frequencies(rows.probabilities, self._before)
        return np.asarray(self._before + self._explained(rows, now) * (now - self._before))

    def _explained(self, rows: SampledRows, now: Float64Array) -> float:
        """Return which share of the features' shift goes away where the reference gets the new frequencies.

        0 where the features are not known: then a corruption cannot be told from other frequencies.
        """
        whitening = self._whitening
        if whitening is None or not np.isfinite(rows.projections).all():
            return 0.0
        here = whitening.rows(rows.projections).mean(axis=0)
        there = whitening.rows(self._clean.projections)
        weights = self._clean.probabilities @ (now / np.maximum(self._before, _SURE))
        weights = weights / weights.sum()
        noise = len(here) * (1 / len(rows) + float(np.square(weights).sum()))
        apart, left = (float(np.square(here - mean).sum()) for mean in (there.mean(axis=0), weights @ there))
        return float(np.clip((apart - left) / max(apart - noise, _SURE), 0, 1))

    def _design(
        self, probabilities: FloatArray, scores: FloatArray, frequencies: Float64Array | None = None
    ) -> Float64Array:
        """Return 1, the logit of the answer's probability, how unusual images are, and their product, (N, 4).

        An OOD score below 0 is as usual as 0, and one of 6 is hardly worse than one of 3. Where images are
        unusual, a confident answer says less.
        """
        wide = probabilities.astype(np.float64)
        predicted = self._decisions.predict(probabilities)
        if frequencies is not None:
            wide = reweighted(wide, self._before, frequencies)
        confidence = self._decisions.task.confidence(wide.astype(np.float32), predicted)
        sure = logit(np.clip(confidence, _SURE, 1 - _SURE))
        unusual = np.log1p(np.clip(np.nan_to_num(scores.astype(np.float64)), 0, _HIGHEST_SCORE))
        return np.stack([np.ones(len(wide)), sure, unusual, sure * unusual], axis=1)


def _inaccuracy(design: Float64Array, reference: Reference) -> float:
    """Return by which share of itself a loss of accuracy is off where a corruption was not fitted."""
    kinds = np.array(reference.corruptions)
    clean = reference.correct[kinds == ""].mean()
    errors, losses = [], []
    for kind in sorted(set(reference.corruptions) - {""}):
        held = kinds == kind
        chances = expit(design[held] @ _fitted(design[~held], reference.correct[~held]))
        errors.append(float(chances.mean() - reference.correct[held].mean()))
        losses.append(float(clean - reference.correct[held].mean()))
    if not losses:
        return 1.0
    return float(np.sqrt(np.square(errors).sum() / max(np.square(losses).sum(), 1e-4)))
