"""What a model does not know, for the stages: rules from images that are not reported, checked on those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.data.folder import scan_ood
from eyebright.data.manifest import Sample
from eyebright.errors import ModelError
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.uncertainty.conformal import SetRule, calibrate
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
from eyebright.runs.scoring import Answers, ask
from eyebright.runtime.context import progress_task
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.types import FloatArray, Split
from eyebright.verbs.train.options import TrainConfig


def know_trained(
    config: TrainConfig, held_out: Labelled | None, scored: int, answers: Answers, split: Split
) -> Uncertainty:
    """What a training finds: rules come from the validation part where a test part is reported.

    Args:
        config: coverage and false rejection.
        held_out: answers for training images that the model did not learn from.
        scored: by how many such images the score's own scale was made, on which 1 is the limit; 0 if none.
        answers: for the validation and test parts.
        split: the part that is reported.
    """
    part, chosen_on = "train", held_out
    rule = UnknownRule(1.0, config.false_rejection, part, scored) if scored else None
    if split == "test":
        part, chosen_on = "val", answers.labelled("val")
        scores = answers.scores_of("val")
        rule = choose_unknown(scores, config.false_rejection, part) if len(scores) else rule
    sets = None
    if chosen_on is not None and len(chosen_on.truth) and chosen_on.truth.ndim == 1:
        sets = calibrate(
            chosen_on.probabilities, chosen_on.truth, config.coverage, config.coverage_per_class, part
        )
    return _found(answers, split, rule, sets)


def know_evaluated(model: SealedModel, answers: Answers, split: Split) -> Uncertainty:
    """How the rules that a model carries turn out on the images that are evaluated."""
    return _found(answers, split, model.unknown_rule, model.set_rule)


def promises(model: SealedModel) -> dict[str, Any]:
    """Options of a training that is to promise what the model promises."""
    found: dict[str, Any] = {}
    if model.unknown_rule is not None:
        found["false_rejection"] = model.unknown_rule.false_rejection
    if model.set_rule is not None:
        found |= {"coverage": model.set_rule.coverage, "coverage_per_class": model.set_rule.per_class}
    return found


def _found(answers: Answers, split: Split, rule: UnknownRule | None, sets: SetRule | None) -> Uncertainty:
    scores = None if answers.scores is None else answers.scores_of(split)
    return measure_uncertainty(answers.labels, answers.labelled(split), scores, rule, sets)


def require_score(model: SealedModel) -> None:
    """Refuses a model that cannot tell what is strange to it, where foreign images are given.

    Raises:
        ModelError: it cannot.
    """
    if model.unknown_rule is None:
        raise ModelError(
            "To score OOD images, the model must have the output unknown_score. {path} does not: it "
            "was made by an earlier version, or for another runtime. Train again, or remove --ood.",
            path=model.path,
        )


def with_ood(knowing: Uncertainty, model: SealedModel, own: Labelled, folder: Path) -> Uncertainty:
    """Adds how a model answers images of something else.

    Args:
        knowing: of the reported images.
        model: see :func:`require_score`.
        own: the answers for the reported images.
        folder: of the foreign images; its folders' names do not matter.

    Raises:
        NotFoundError: there is no such folder.
        DataError: no image in it can be read.
    """
    manifest = scan_ood(folder)
    with progress_task("Running the model on OOD images", total=len(manifest.samples)) as task:
        found = ask(model, manifest.root, manifest.samples, task, default_folder())
    rule, scores = knowing.rule, found.scores
    if rule is None or knowing.own is None or scores is None or knowing.rejected is None:
        return knowing
    by_score = separation(knowing.own, scores, rule.threshold)
    by_softmax = softmax_separation(own.probabilities, found.probabilities, knowing.rejected.value)
    accepted = _accepted(found.samples, manifest.root, found, scores, rule)
    return replace(knowing, ood=OodImages(str(folder), scores, by_score, by_softmax, tuple(accepted)))


def _accepted(
    samples: Sequence[Sample], root: Path, found: Answers, scores: FloatArray, rule: UnknownRule
) -> list[AcceptedImage]:
    """The foreign images that do not count as unknown, the least strange first."""
    best = found.probabilities.argmax(axis=1)
    return [
        AcceptedImage(
            str(root / samples[i].path),
            found.labels[best[i]],
            float(found.probabilities[i, best[i]]),
            float(scores[i]),
        )
        for i in np.argsort(scores, kind="stable")
        if scores[i] <= rule.threshold
    ]
