"""Where operating points and uncertainty rules come from: chosen by a training, or carried by the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from eyebright.data.manifest import Manifest
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.uncertainty.conformal import BothOutcomes
from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.options.decisions import DecisionConfig
from eyebright.options.uncertainty import UncertaintyConfig
from eyebright.runs.operating_points import (
    OperatingPoints,
    Wanted,
    carried,
    measure_points,
    thresholds,
    wanted,
)
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.runs.uncertainty import apply_rules, training_rules
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.types import IntArray, Split


class Rules(Protocol):
    """How the rules of a model are found, none of them on the evaluated split."""

    def operating_points(self, predictions: Predictions, split: Split, seed: int) -> OperatingPoints:
        """Find thresholds and costs, and measure them on the evaluated split."""

    def uncertainty(self, predictions: Predictions, split: Split) -> Uncertainty:
        """Find when an image is unknown and how prediction sets are made, and measure both."""


@dataclass(frozen=True)
class FoldAnswers:
    """What models did with N images that none of them learned from, each by rules of its own.

    Attributes:
        predicted: (N,) classes, or (N, K) labels, with targets and without.
        outcomes: of prediction sets; None without such sets.
    """

    predicted: tuple[IntArray, IntArray]
    outcomes: BothOutcomes | None


@dataclass(frozen=True, kw_only=True)
class TrainedRules:
    """Rules that a training chooses: on the validation split beside a test split, else on holdout images.

    Attributes:
        decisions: targets and costs.
        promises: coverage and false rejection.
        holdout: predictions for training images that the model did not learn from.
        scored: number of such images that scaled the OOD score; 0 without a score.
        folds: what models of folds did by rules of their own, which they chose as this training does; None
            where the model itself is measured.
    """

    decisions: DecisionConfig
    promises: UncertaintyConfig
    holdout: Labelled | None
    scored: int
    folds: FoldAnswers | None = None

    def operating_points(self, predictions: Predictions, split: Split, seed: int) -> OperatingPoints:
        """Choose a threshold for each target, and measure them with the costs."""
        requested = wanted(self.decisions, predictions.labels)
        chosen_on = self._chosen_on(predictions, split)
        chosen = thresholds(requested.targets, predictions.labels, chosen_on) if chosen_on else []
        predicted = None if self.folds is None else self.folds.predicted
        evaluated = predictions.labelled(split)
        return measure_points(chosen, requested.costs, predictions.labels, evaluated, seed, predicted)

    def uncertainty(self, predictions: Predictions, split: Split) -> Uncertainty:
        """Choose the OOD threshold, calibrate prediction sets, and measure both."""
        chosen_on = self._chosen_on(predictions, split)
        rules = training_rules(self.promises, chosen_on, self.scored, predictions, split)
        outcomes = None if self.folds is None else self.folds.outcomes
        return apply_rules(predictions, split, *rules, outcomes)

    def _chosen_on(self, predictions: Predictions, split: Split) -> Labelled | None:
        return predictions.labelled("val") if split == "test" else self.holdout


@dataclass(frozen=True)
class CarriedRules:
    """Rules in the metadata of a model, or others that are asked of it.

    Attributes:
        model: the sealed model.
        requested: targets and costs in place of those that it carries.
        choosing: images on which thresholds are chosen that the model lacks; None where it lacks none.
    """

    model: SealedModel
    requested: Wanted = field(default=Wanted((), None))
    choosing: Manifest | None = None

    def operating_points(self, predictions: Predictions, split: Split, seed: int) -> OperatingPoints:
        """Take the thresholds and costs that are asked for, or else those that the model carries."""
        model, known, costs = self.model, carried(self.model), self.requested.costs
        chosen = [known[target] for target in self.requested.targets if target in known]
        if self.choosing is not None:
            missing = [target for target in self.requested.targets if target not in known]
            images = self.choosing
            others = predict_samples(model, images.root, images.samples, default_folder())
            chosen += thresholds(missing, model.labels, others.labelled("val"))
        elif not self.requested.targets and costs is None:
            chosen = list(known.values())
            costs = model.facts.decisions.costs
        return measure_points(chosen, costs, model.labels, predictions.labelled(split), seed)

    def uncertainty(self, predictions: Predictions, split: Split) -> Uncertainty:
        """Measure the model's own rules."""
        return apply_rules(predictions, split, self.model.unknown_rule, self.model.set_rule)
