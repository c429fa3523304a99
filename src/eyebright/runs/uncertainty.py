"""OOD scores and prediction sets: rules come from images outside the evaluated split, measured on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.data.folder import scan_ood
from eyebright.data.manifest import joined
from eyebright.errors import ModelError
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.uncertainty.conformal import BothOutcomes, SetRule, calibrate
from eyebright.evaluation.uncertainty.ood import (
    UnknownRule,
    choose_unknown,
    separation,
    softmax_separation,
)
from eyebright.evaluation.uncertainty.results import (
    AcceptedImage,
    OodImages,
    Uncertainty,
    measure_uncertainty,
)
from eyebright.options.uncertainty import UncertaintyConfig
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.runtime.context import progress_task
from eyebright.sealed.model import SealedModel
from eyebright.task.task import task_of
from eyebright.training.cache.store import default_folder
from eyebright.types import FloatArray, Split


def training_rules(
    options: UncertaintyConfig,
    chosen_on: Labelled | None,
    scored: int,
    predictions: Predictions,
    split: Split,
) -> tuple[UnknownRule | None, SetRule | None]:
    """Return the rules that a training chooses: on the validation split where a test split is evaluated.

    Args:
        options: coverage and false rejection.
        chosen_on: predictions for the images that rules are chosen on; None without such images.
        scored: number of holdout images that scaled the OOD score, whose limit is 1; 0 without a score.
        predictions: for the validation and test splits.
        split: the evaluated one.
    """
    part = "val" if split == "test" else "train"
    rule = UnknownRule(1.0, options.false_rejection, "train", scored) if scored else None
    if split == "test":
        scores = predictions.scores_of("val")
        rule = choose_unknown(scores, options.false_rejection, part) if len(scores) else rule
    sets = None
    if chosen_on is not None and len(chosen_on.truth) and not task_of(chosen_on.truth).multilabel:
        sets = calibrate(
            chosen_on.probabilities, chosen_on.truth, options.coverage, options.coverage_per_class, part
        )
    return rule, sets


def apply_rules(
    predictions: Predictions,
    split: Split,
    rule: UnknownRule | None,
    sets: SetRule | None,
    outcomes: BothOutcomes | None = None,
) -> Uncertainty:
    """Measure rules on the evaluated split; ``outcomes`` are those of sets that other rules made."""
    scores = None if predictions.scores is None else predictions.scores_of(split)
    return measure_uncertainty(predictions.labels, predictions.labelled(split), scores, rule, sets, outcomes)


def promised(model: SealedModel) -> UncertaintyConfig:
    """Return the options with which a training promises what the model promises."""
    found = UncertaintyConfig()
    if model.unknown_rule is not None:
        found = found.model_copy(update={"false_rejection": model.unknown_rule.false_rejection})
    if model.set_rule is not None:
        rule = model.set_rule
        found = found.model_copy(update={"coverage": rule.coverage, "coverage_per_class": rule.per_class})
    return found


def require_score(model: SealedModel) -> None:
    """Refuse a model without OOD score, where OOD images are given.

    Raises:
        ModelError: it has none.
    """
    if model.unknown_rule is None:
        raise ModelError(
            "To score OOD images, the model must have the output unknown_score. {path} does not: it "
            "was made by an earlier version, or for another runtime. Train again, or remove --ood.",
            path=model.path,
        )


def with_ood(uncertainty: Uncertainty, model: SealedModel, evaluated: Labelled, folder: Path) -> Uncertainty:
    """Add how a model predicts OOD images.

    Args:
        uncertainty: of the evaluated images.
        model: see :func:`require_score`.
        evaluated: the predictions for the evaluated images.
        folder: of the OOD images; the names of its folders do not matter.

    Raises:
        NotFoundError: there is no such folder.
        DataError: no image in it can be read.
    """
    manifest = scan_ood(folder)
    task = progress_task("Running the model on OOD images", total=len(manifest.samples))
    found = predict_samples(model, manifest.root, manifest.samples, default_folder(), task=task)
    rule, scores, rejected = uncertainty.rule, found.scores, uncertainty.rejected
    if rule is None or uncertainty.own is None or scores is None or rejected is None:
        return uncertainty
    by_score = separation(uncertainty.own, scores, rule.threshold, evaluated.groups)
    by_softmax = softmax_separation(
        evaluated.probabilities, found.probabilities, rejected.value, evaluated.groups
    )
    accepted = tuple(_accepted(found, manifest.root, scores, rule))
    return replace(uncertainty, ood=OodImages(str(folder), scores, by_score, by_softmax, accepted))


def _accepted(found: Predictions, root: Path, scores: FloatArray, rule: UnknownRule) -> list[AcceptedImage]:
    """Return the OOD images that are not predicted as unknown, lowest score first."""
    predicted = found.task.predicted(found.probabilities)
    names = found.task.names(predicted, found.labels)
    confidence = found.task.confidence(found.probabilities, predicted)
    return [
        AcceptedImage(
            str(root / found.samples[i].path), joined(names[i]), float(confidence[i]), float(scores[i])
        )
        for i in np.argsort(scores, kind="stable")
        if scores[i] <= rule.threshold
    ]
