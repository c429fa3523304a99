"""Cross-validation: every image is predicted once, by a model that saw neither it nor what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import FOLDS, Manifest, Sample
from eyebright.errors import DataError
from eyebright.evaluation.uncertainty.conformal import BothOutcomes, SetOutcomes
from eyebright.runs.modalities import AloneAnswers, answer_alone, joined_answers
from eyebright.runs.operating_points import decided, predicted_with
from eyebright.runs.rules import FoldAnswers, TrainedRules
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.runtime.context import progress_task, showing, timed
from eyebright.runtime.progress import SILENT, Task
from eyebright.text.format import listed
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.folds import assign_folds, groups_of
from eyebright.training.linear_probe.probe import EarlierSelection
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import BoolArray, FloatArray, IntArray
from eyebright.verbs.train.few_labels.unlabelled import with_unlabelled
from eyebright.verbs.train.frozen.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.frozen.texts import reading_of
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.provenance import provenance_of
from eyebright.verbs.train.seal import seal


@dataclass(frozen=True)
class CrossValidation:
    """Predictions for all images, each by a model that did not learn from it.

    Attributes:
        predictions: for N images, whose split is "folds".
        answers: what the models did by their own rules.
        alone: what they answer to images alone and to texts alone; None where there are no texts.
    """

    predictions: Predictions
    answers: FoldAnswers
    alone: AloneAnswers | None


@dataclass(frozen=True)
class _Fold:
    """What the model without one fold does with that fold's images."""

    predictions: Predictions
    predicted: tuple[IntArray, IntArray]
    outcomes: BothOutcomes | None
    alone: AloneAnswers | None


def folds_of(manifest: Manifest, folds: int, seed: int) -> IntArray:
    """Return the fold (N,) of each training image, in the order of the manifest's training split.

    What belongs together lies in one fold. There are fewer folds than requested where the ordinary class has
    fewer images, or fewer groups of images that belong together.

    Raises:
        DataError: all images of a class belong together, so that no other would be left to learn it from.
    """
    samples = manifest.of("train")
    truth = truth_of(samples, manifest)
    found = assign_folds(manifest.task.strata(truth), groups_of(samples), folds, seed)
    numbers = range(int(found.max()) + 1)
    task, classes = manifest.task, len(manifest.labels)
    left = np.min([task.counts(truth[found != number], classes) for number in numbers], axis=0)
    if alone := [label for label, count in zip(manifest.labels, left, strict=True) if not count]:
        raise DataError(
            "With --folds, every class needs images that may lie in different folds, to learn from the ones "
            "and judge the others. All images belong together (copies, near duplicates or one group) in: "
            "{classes}. Add images of these classes, or leave them out.",
            classes=listed(alone),
        )
    return found


def cross_validate(
    config: TrainConfig,
    folds: int,
    manifest: Manifest,
    backbone: Backbone,
    earlier: EarlierSelection | None = None,
) -> CrossValidation:
    """Train a model without each fold, from the choice of input size to its thresholds, and predict the fold.

    Args:
        config: of the training.
        folds: how many, at most.
        manifest: all of whose images can be read and lie in the training split.
        backbone: whose features are used.
        earlier: what an earlier training selected on its images, and no fold selects again.
    """
    samples = manifest.of("train")
    fold = folds_of(manifest, folds, config.seed)
    with timed("folds"), progress_task("Cross-validation", total=len(samples)) as task, showing(SILENT):
        parts = [
            _fold(config, manifest, backbone, earlier, fold == number, task)
            for number in range(int(fold.max()) + 1)
        ]
    first = parts[0].predictions
    everything = Predictions(
        samples=[replace(s, split=FOLDS) for part in parts for s in part.predictions.samples],
        labels=first.labels,
        probabilities=np.concatenate([part.predictions.probabilities for part in parts]),
        skipped=[entry for part in parts for entry in part.predictions.skipped],
        decisions=first.decisions,
        scores=_joined([part.predictions.scores for part in parts]),
        answered=np.concatenate([part.predictions.predicted for part in parts]),
    )
    given, without = (np.concatenate([part.predicted[i] for part in parts]) for i in range(2))
    sets = [part.outcomes for part in parts if part.outcomes is not None]
    outcomes = None
    if len(sets) == len(parts):
        outcomes = (
            SetOutcomes.joined([some[0] for some in sets]),
            SetOutcomes.joined([some[1] for some in sets]),
        )
    alone = [part.alone for part in parts if part.alone is not None]
    return CrossValidation(
        everything,
        FoldAnswers((given, without), outcomes),
        joined_answers(alone) if len(alone) == len(parts) else None,
    )


def _fold(
    config: TrainConfig,
    manifest: Manifest,
    backbone: Backbone,
    earlier: EarlierSelection | None,
    judged: BoolArray,
    task: Task,
) -> _Fold:
    """Train on what is not judged (N,), and predict the rest."""
    samples = manifest.of("train")
    ours = tuple(
        replace(s, split=FOLDS) if out else s for s, out in zip(samples, judged.tolist(), strict=True)
    )
    learned = replace(manifest, samples=tuple(s for s in ours if s.split == "train"))
    without_curve = config.model_copy(update={"curve": False})
    alone = frozen_model(without_curve, learned, backbone, earlier)
    model, _ = with_unlabelled(without_curve, learned, alone)
    trained = as_trained(model, reading=reading_of(config, learned))
    sealed = seal(
        trained,
        learned,
        Path("model.onnx"),  # is never written
        provenance_of(trained, learned),
        config.false_rejection,
        config.seed,
    )
    held_out: Sequence[Sample] = [s for s in ours if s.split == FOLDS]
    predictions = predict_samples(
        sealed.model, manifest.root, held_out, default_folder(), task=nullcontext(task)
    )
    rules = TrainedRules(decisions=config, promises=config, holdout=trained.holdout, scored=sealed.scored)
    points = rules.operating_points(predictions, FOLDS, config.seed)
    predictions = decided(predictions, points)
    chosen = [curve.point.threshold for curve in points.curves]
    probabilities = predictions.probabilities
    sets = rules.uncertainty(predictions, FOLDS).sets
    return _Fold(
        predictions,
        predicted_with(chosen, predictions.labels, probabilities, predictions.task.multilabel),
        None if sets is None else sets.outcomes(probabilities, predictions.truth),
        answer_alone(predictions, sealed.model, manifest.root) if sealed.model.has_text else None,
    )


def _joined(scores: Sequence[FloatArray | None]) -> FloatArray | None:
    found = [some for some in scores if some is not None]
    return np.concatenate(found) if len(found) == len(scores) else None
