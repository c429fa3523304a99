"""Uncertainty results: OOD scores of in-distribution and OOD images, and prediction sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.uncertainty.conformal import BothOutcomes, SetFigures, SetRule, measure_sets
from eyebright.evaluation.uncertainty.ood import Separation, UnknownRule, above
from eyebright.types import FloatArray, Interval, JsonObject


@dataclass(frozen=True)
class AcceptedImage:
    """An OOD image that was not predicted as unknown: its path, predicted class, confidence and OOD score."""

    path: str
    label: str
    confidence: float
    score: float


@dataclass(frozen=True)
class OodImages:
    """How a model predicts out-of-distribution (OOD) images.

    Attributes:
        folder: where they lie.
        scores: (M,) OOD scores.
        by_score: how well the OOD score separates them from the model's own images.
        by_softmax: the same of the maximum softmax probability, at the same share of own images rejected.
        accepted: those that were not predicted as unknown, lowest score first.
    """

    folder: str
    scores: FloatArray
    by_score: Separation
    by_softmax: Separation
    accepted: tuple[AcceptedImage, ...]

    def to_json(self) -> JsonObject:
        """Return what `metrics.json` holds of them."""
        return {
            "auroc": asdict(self.by_score.auroc),
            "accepted": asdict(self.by_score.accepted),
            "ood": {"folder": self.folder, "images": len(self.scores)},
            "max_softmax": self.by_softmax.to_json(),
        }


@dataclass(frozen=True)
class Uncertainty:
    """OOD scores and prediction sets on the evaluated split.

    Attributes:
        labels: the K classes.
        split: the evaluated one.
        rule: when an image is predicted as unknown; None of a model without OOD score.
        own: (N,) OOD scores of the evaluated images; None likewise.
        rejected: the share of them that is predicted as unknown.
        sets: how prediction sets are made; None of a model without.
        marginal: measured with one threshold for all classes.
        by_class: measured with a threshold for each class.
        ood: OOD images, where some were given.
    """

    labels: tuple[str, ...]
    split: str
    rule: UnknownRule | None = None
    own: FloatArray | None = None
    rejected: Interval | None = None
    sets: SetRule | None = None
    marginal: SetFigures | None = None
    by_class: SetFigures | None = None
    ood: OodImages | None = None

    @property
    def rejection_kept(self) -> bool:
        """Return whether the images allow that as few are rejected as was promised."""
        return self.rule is None or self.rejected is None or self.rejected.low <= self.rule.false_rejection

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Return the classes for which the images exclude the coverage that was promised to each."""
        if self.sets is None or self.by_class is None or not self.sets.per_class:
            return ()
        shares = zip(self.labels, self.by_class.classes, strict=True)
        return tuple(label for label, share in shares if share and share.high < self.sets.coverage)

    @property
    def coverage_kept(self) -> bool:
        """Return whether the images allow the coverage that was promised."""
        if self.sets is None or self.marginal is None or self.by_class is None:
            return True
        promised = self.by_class if self.sets.per_class else self.marginal
        return promised.measured.high >= self.sets.coverage and not self.uncovered

    def metadata(self) -> JsonObject:
        """Return the rules as the sealed model carries them."""
        found = {"unknown": self.rule, "conformal": self.sets}
        return {name: rule.to_json() for name, rule in found.items() if rule is not None}

    def to_json(self) -> JsonObject:
        """Return the entries `unknown` and `conformal` of `metrics.json`, as far as the model has them."""
        found: JsonObject = {}
        if self.rule is not None and self.rejected is not None:
            found["unknown"] = {
                **self.rule.to_json(),
                "split": self.split,
                "rejected": asdict(self.rejected),
                "kept": self.rejection_kept,
                **({} if self.ood is None else self.ood.to_json()),
            }
        selected, other = self.marginal, self.by_class
        if self.sets is not None and selected is not None and other is not None:
            if self.sets.per_class:
                selected, other = other, selected
            found["conformal"] = {
                **self.sets.to_json(),
                "split": self.split,
                "kept": self.coverage_kept,
                "broken_for": list(self.uncovered),
                **self._sets(selected),
                "marginal" if self.sets.per_class else "class_conditional": self._sets(other),
            }
        return found

    def _sets(self, figures: SetFigures) -> JsonObject:
        return {
            "measured": asdict(figures.measured),
            "mean_set_size": figures.mean_size,
            "classes": {
                label: {
                    "images": images,
                    "measured": None if share is None else asdict(share),
                    "mean_set_size": size,
                }
                for label, images, share, size in zip(
                    self.labels, figures.images, figures.classes, figures.class_sizes, strict=True
                )
            },
        }


def measure_uncertainty(
    labels: Sequence[str],
    evaluated: Labelled,
    scores: FloatArray | None,
    rule: UnknownRule | None,
    sets: SetRule | None,
    outcomes: BothOutcomes | None = None,
) -> Uncertainty:
    """Measure on the evaluated images how the rules for unknown images and for prediction sets turn out.

    Args:
        labels: the K classes.
        evaluated: the predictions for these images, at least one.
        scores: (N,) their OOD scores; None of a model without.
        rule: chosen on other images.
        sets: calibrated on other images.
        outcomes: of the sets; None for what follows from ``sets``.
    """
    truth, groups = evaluated.truth, evaluated.groups
    if outcomes is None and sets is not None:
        outcomes = sets.outcomes(evaluated.probabilities, truth)
    figures = [measure_sets(one, truth, len(labels), groups) for one in outcomes or ()]
    return Uncertainty(
        tuple(labels),
        evaluated.split,
        rule,
        scores,
        None if scores is None or rule is None else above(scores, rule.threshold, groups),
        sets,
        *(figures or (None, None)),
    )
