"""`--pretrain`: a backbone adapted to unlabelled images is kept only if held-out folds say it is better.

Both backbones get a head, each by its own choice of size and layers, and both heads predict every training
image in folds that they did not learn it from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.stored import load_stored
from eyebright.data.manifest import Manifest
from eyebright.errors import TrainingError
from eyebright.evaluation.paired import Difference, differences
from eyebright.report.content import PretrainOutcome
from eyebright.report.summary.findings import pretraining_sentence
from eyebright.runs.overwrite import remove_earlier
from eyebright.runtime.context import progress, say, timed
from eyebright.task.task import task_of
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.types import Interval
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.pretrain.pretrain import pretrain
from eyebright.verbs.train.frozen.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.frozen.texts import reading_of
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import TrainedModel

#: The folder of the pretrained backbone in a run.
PRETRAINED = "pretrained"


def with_pretraining(
    config: TrainConfig, unlabelled: Path, manifest: Manifest, original: Backbone, directory: Path
) -> TrainedModel:
    """Pretrain a backbone, solve a head on it and on the original, and return the better.

    Args:
        config: the options.
        unlabelled: the folder, archive or table to pretrain on.
        manifest: all samples; its evaluated splits are not looked at, nor learned from without labels.
        original: the backbone as it is.
        directory: of the run.

    Raises:
        EyebrightError: the images or the disk do not allow it, or the features collapsed.
    """
    remove_earlier(directory)
    before = frozen_model(config, manifest, original)
    evaluated = [*manifest.of("val"), *manifest.of("test")]
    options: dict[str, Any] = {
        "data": unlabelled,
        "path": config.path,
        "out": directory / PRETRAINED,
        "overwrite": True,
        "backbone": config.backbone,
        "weights": config.weights,
        # As large as the head saw its images: what was adapted at another size serves it less.
        "size": "auto" if original.card.fixed_size else before.extractor.preprocessing.size,
        "budget": config.pretrain_budget,
        "device": config.device,
        "seed": config.seed,
        "lang": config.lang,
    }
    with timed("pretraining"):
        try:
            adapted = pretrain(
                PretrainConfig.build(**options),
                excluded={key for s in evaluated for key in (s.sha, s.identity)},
            )
        except TrainingError as error:  # the labels alone still make a model
            progress().say(error.text())
            return _without(as_trained(before, reading=reading_of(config, manifest)), before, error.text())
    say("Comparing the backbone as it was with the pretrained one, on held-out folds.")
    after = frozen_model(config, manifest, load_stored(adapted.directory))
    found = _compared(before, after, manifest)
    # Shown, not only seen: of sixty images one in six would be kept by chance at one standard error.
    kept = found.log_loss.high < 0 and found.accuracy.value >= 0
    outcome = PretrainOutcome(
        epochs=adapted.epoch,
        images=len(before.truth),
        gain=found.accuracy,
        log_loss=found.log_loss,
        kept=kept,
    )
    sentence = pretraining_sentence(outcome)
    progress().say(sentence)
    trained = as_trained(after if kept else before, reading=reading_of(config, manifest))
    return replace(trained, pretraining=outcome, reasons=(*trained.reasons, sentence))


def _without(trained: TrainedModel, before: FrozenModel, problem: str) -> TrainedModel:
    """Return the head on the backbone as it was, which pretraining gave no other."""
    none = Interval(0.0, 0.0, 0.0)
    outcome = PretrainOutcome(epochs=0, images=len(before.truth), gain=none, log_loss=none, kept=False)
    return replace(trained, pretraining=outcome, reasons=(*trained.reasons, problem))


def _compared(before: FrozenModel, after: FrozenModel, manifest: Manifest) -> Difference:
    """Return how predictions of the same held-out images differ."""
    truth, task = before.truth, task_of(before.truth)
    rows = [model.fit.held_out for model in (before, after)]
    skipped = {s.path for s in (*before.skipped, *after.skipped)}
    samples = [s for s in manifest.of("train") if s.path not in skipped]
    right = np.stack([task.correct(logits, truth) for logits in rows])
    losses = np.stack([task.losses(logits, truth) for logits in rows]).astype(np.float64)
    return differences(right, losses, groups_of(samples))[0]
