"""`update`: a finished run with new images, new classes or corrected labels becomes another run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.data.fixes import read_fixes
from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.storage.places import exists
from eyebright.evaluation.decisions.targets import parse_target
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.sections.update import change_sentences, forecast_sentences, foreign_sentence
from eyebright.report.update_content import UpdateOutcome
from eyebright.runs.integrity import require_other_directory
from eyebright.runs.messages import command, say_found
from eyebright.runs.operating_points import check_wanted
from eyebright.runs.run import Run, new_directory, write_options
from eyebright.runtime.context import progress, progress_task, say, stage, timed
from eyebright.tracking.trackers import trackers
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.linear_probe.targets import truth_of
from eyebright.verbs.train.few_labels.unlabelled import with_unlabelled
from eyebright.verbs.train.finish import EvaluatedTraining, seal_and_evaluate, write_run
from eyebright.verbs.train.frozen.cross_validation import CrossValidation, cross_validate
from eyebright.verbs.train.frozen.linear_probe import HeldOut, as_trained, frozen_model
from eyebright.verbs.train.frozen.texts import reading_of
from eyebright.verbs.train.holdout import with_holdout
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import OwnCode
from eyebright.verbs.train.prepare import TrainingPlan
from eyebright.verbs.train.trained_model import TrainedModel
from eyebright.verbs.update.class_edits import ClassEdits, class_edits
from eyebright.verbs.update.cost import class_changes
from eyebright.verbs.update.earlier_run import EarlierRun
from eyebright.verbs.update.forecast import UpdateForecast, forecast
from eyebright.verbs.update.images import UpdatedImages, updated_images
from eyebright.verbs.update.options import UpdateConfig

_OPTIONS = "update.toml"


@stage
def update(config: UpdateConfig) -> Run:
    """Solve the head of a run again on its images and new ones, seal it, evaluate it and check its parity.

    Args:
        config: which run, and what is new.

    Returns:
        A run like that of a training; `update` in its `metrics.json` and its report say what changed.

    Raises:
        NotFoundError: the run or the data does not exist.
        ConfigError: the run is not that of a training, or an option does not fit its classes.
        DataError: there is nothing to update, or the images or labels do not fit together.
        ModelError: the model of the run was modified, quantised or converted.
    """
    began = time.monotonic()
    earlier = EarlierRun.open(config.run)
    require_other_directory(config.out, earlier.run.directory)
    edits = class_edits(config.rename, config.merge, config.remove, earlier.model.labels)
    fixes = None if config.fixes is None else read_fixes(config.fixes)
    with timed("scan"):
        images = updated_images(earlier, config, edits, fixes)
    options = _options(earlier, config, edits)
    check_wanted(options, images.manifest)
    name = earlier.run.directory.resolve().name
    directory = new_directory(config.out, "runs", name, overwrite=config.overwrite)
    options = options.model_copy(update={"out": directory})
    _say_images(images)
    plan = TrainingPlan(
        config=options,
        manifest=images.manifest,
        fixes=fixes,
        directory=directory,
        network=None,
        own=OwnCode(),
        tracker=trackers([], directory),
        began=began,
    )
    trained, expected = _fit(plan, earlier, edits, images)
    done = seal_and_evaluate(plan, trained, _cross_validated(plan, trained, earlier), layout="PCA")
    outcome = _outcome(earlier, edits, images, expected, done)
    for sentence in change_sentences(outcome):
        progress().say(sentence)
    write_options(config, directory, _OPTIONS)
    return write_run(done, command("update", config, ("run", "data") if config.data else ("run",)), outcome)


def _options(earlier: EarlierRun, config: UpdateConfig, edits: ClassEdits) -> TrainConfig:
    """Return the run's own options, with what was selected and with the targets of classes that are left."""
    targets, cost = config.target, config.cost
    if not targets and cost is None:
        targets, cost = _targets(earlier.config.target, edits), earlier.config.cost
    kept = {
        "target": targets,
        "cost": cost,
        "size": earlier.model.size,
        "layers": earlier.model.card.layers,
        "lang": config.lang,
        "fixes": None,
        "teacher": None,
        "curve": False,
        "unlabelled": _unlabelled(earlier.config),
        "views": earlier.views,
    }
    return earlier.config.model_copy(update=kept)


def _unlabelled(config: TrainConfig) -> Path | None:
    """Return where the run's unlabelled images lie, if they are still there."""
    if config.unlabelled is not None and not exists(config.unlabelled):
        say(
            "The unlabelled images of the run are no longer in {path}. The head is solved on the labelled "
            "ones alone.",
            path=config.unlabelled,
        )
        return None
    return config.unlabelled


def _targets(texts: Sequence[str], edits: ClassEdits) -> list[str]:
    """Return the targets of a run by the names that its classes have now, less those of removed ones."""
    found: dict[str, None] = {}
    for target in map(parse_target, texts):
        label = edits.renamed(target.label)
        if label is None:
            say("The target {target} was dropped with its class.", target=str(target))
        else:
            found[str(replace(target, label=label))] = None
    return list(found)


def _say_images(images: UpdatedImages) -> None:
    say_found(images.manifest)
    say(
        "New: {added:image|images}. Corrected labels: {relabelled}.",
        added=len(images.added),
        relabelled=images.relabelled,
    )
    if images.gone:
        say(
            "Warning: {gone:image of the run is|images of the run are} no longer below {root}. Cached "
            "features are used; images without are left out and listed.",
            gone=images.gone,
            root=images.manifest.root,
        )


def _fit(
    plan: TrainingPlan, earlier: EarlierRun, edits: ClassEdits, images: UpdatedImages
) -> tuple[TrainedModel, UpdateForecast]:
    """Solve the head; what can be said of new classes is said before."""
    expected = UpdateForecast()

    def on_features(extractor: FeatureExtractor, samples: Sequence[Sample]) -> None:
        nonlocal expected
        with timed("forecast"):
            expected = forecast(earlier.model, edits, images.manifest, images.added, extractor, samples)
        _say_forecast(expected, images.manifest.task.multilabel, finetuned=earlier.finetuned)

    model = frozen_model(plan.config, images.manifest, earlier.backbone, earlier.selection, on_features)
    if not earlier.finetuned:
        model, unlabelled = with_unlabelled(plan.config, images.manifest, model)
        trained = as_trained(model, reading=reading_of(plan.config, plan.manifest))
        return replace(trained, earlier=earlier.run.model, unlabelled=unlabelled), expected
    trained = as_trained(model, _unlearned(model, plan.manifest, earlier))
    marked = {**trained.chosen, "finetune": earlier.model.card.content["finetune"]}
    return replace(trained, earlier=earlier.run.model, chosen=marked), expected


def _cross_validated(
    plan: TrainingPlan, trained: TrainedModel, earlier: EarlierRun
) -> CrossValidation | None:
    """Judge every image by models that did not see it, where the run did."""
    if plan.config.folds is None:
        return None
    readable = plan.manifest.without(trained.skipped)
    return cross_validate(plan.config, plan.config.folds, readable, trained.backbone, earlier.selection)


def _say_forecast(expected: UpdateForecast, multilabel: bool, *, finetuned: bool) -> None:
    total, correct = expected.known
    if total:
        say(
            "Of {count:new training image|new training images} of known classes, the model of the run "
            "predicts {correct} correctly.",
            count=total,
            correct=correct,
        )
    for sentence in forecast_sentences(expected.classes, multilabel):
        progress().say(sentence)
    for sentence in foreign_sentence(*expected.foreign, finetuned=finetuned):
        progress().say(sentence)


def _unlearned(model: FrozenModel, manifest: Manifest, earlier: EarlierRun) -> HeldOut:
    """Return logits of images that a fine-tuned backbone did not learn from.

    Its features of learned images are further apart than those of others: calibrated on these, it would be
    overconfident. Beside a test split they are the validation split, else the holdout images of the
    fine-tuning and the new training images, by cross-validation.
    """
    extractor, skipped = model.extractor, {s.path for s in model.skipped}
    if manifest.of("test"):
        with progress_task(
            "Computing features of the validation split", total=len(manifest.of("val"))
        ) as task:
            unread = {s.path for s in extractor.compute(manifest.root, manifest.of("val"), task)}
        samples = [s for s in manifest.of("val") if s.path not in unread]
        logits = model.fit.head.logits(extractor.read(samples, extractor.taps))
        return HeldOut(logits, truth_of(samples, manifest))
    learned = {s.sha for s in with_holdout(earlier.manifest, earlier.config.seed).of("train")}
    samples = [s for s in manifest.of("train") if s.path not in skipped]
    kept = np.array([s.sha not in learned for s in samples])
    if len(kept) != len(model.truth) or not kept.any():  # of very many images some were held out
        return HeldOut(model.fit.held_out, model.truth)
    return HeldOut(model.fit.held_out[kept], model.truth[kept])


def _outcome(
    earlier: EarlierRun,
    edits: ClassEdits,
    images: UpdatedImages,
    expected: UpdateForecast,
    done: EvaluatedTraining,
) -> UpdateOutcome:
    with timed("compare"):
        classes, everything = class_changes(earlier.model, edits, done.evaluation, earlier.cross_validated)
    manifest = done.evaluation.manifest
    known = edits.labels(earlier.model.labels)
    return UpdateOutcome(
        earlier=earlier.run.directory.resolve().name,
        earlier_sha256=sha256(earlier.run.model),
        added={part: sum(s.sha in images.added for s in manifest.of(part)) for part in SPLITS},
        relabelled=images.relabelled,
        edits=edits.texts,
        new_classes=[label for label in manifest.labels if label not in known],
        finetuned=earlier.finetuned,
        foreign=expected.foreign[0],
        scored=expected.foreign[1],
        expected=expected.classes,
        split=done.evaluation.split,
        classes=classes,
        everything=everything,
    )
