"""The beginning of every training: options, data and backbone are checked before anything is learned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.data.fixes import Fixes, read_fixes
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan
from eyebright.data.table.chosen import named_columns
from eyebright.data.texts import require_texts
from eyebright.runs.images import columns_for, manifest_of, require_validation_images, with_run_splits
from eyebright.runs.messages import say_found
from eyebright.runs.operating_points import check_wanted
from eyebright.runs.text_models import require_images_only
from eyebright.runtime.context import say, timed
from eyebright.runtime.processes import is_main
from eyebright.sealed.model import SealedModel
from eyebright.tracking.trackers import Trackers, trackers
from eyebright.training.text.encoder import load_encoder
from eyebright.verbs.train.few_labels.unlabelled import check_unlabelled
from eyebright.verbs.train.finetune.finetune import network_to_finetune
from eyebright.verbs.train.frozen.backbone_choice import check_backbone_choice
from eyebright.verbs.train.frozen.names import check_names
from eyebright.verbs.train.options import (
    TrainConfig,
    check_pretrain,
    check_splits,
    check_texts,
    require_single_label,
)
from eyebright.verbs.train.own_code import OwnCode
from eyebright.verbs.train.resume import begin, refuse_other_images
from eyebright.verbs.train.splits import drawing_of, proposing_groups, say_folds, with_folds

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A training after all checks: options, images, network, directory.

    Attributes:
        config: the options.
        manifest: all samples, fixed.
        fixes: those that were applied.
        directory: of the run.
        network: the backbone to fine-tune; None of a linear probe.
        tracker: where epochs are logged besides.
        began: when the time of a budget began, on the monotonic clock.
        own: code of the user's own.
    """

    config: TrainConfig
    manifest: Manifest
    fixes: Fixes | None
    directory: Path
    network: Network | None
    tracker: Trackers
    began: float
    own: OwnCode


def prepare(config: TrainConfig, directory: Path, own: OwnCode) -> TrainingPlan:
    """Read the data, and check that it, the options and the backbone fit together.

    Args:
        config: the options.
        directory: of the run; fine-tuning writes its manifest and options there.
        own: code of the user's own.

    Raises:
        EyebrightError: they do not; nothing of an earlier run was changed.
    """
    began = time.monotonic()
    check_splits(config)
    check_pretrain(config)
    check_backbone_choice(config)
    check_texts(config)
    if config.text_encoder is not None:
        load_encoder(config.text_encoder)  # what cannot be used is told now, not after minutes
    with timed("scan"):
        fixes = None if config.fixes is None else read_fixes(config.fixes)
        manifest = images_of(config, fixes)
        if config.text:
            manifest = require_texts(manifest, ", ".join(config.text))
        if config.folds is not None:
            manifest = with_folds(manifest, config.folds, config.seed)
        manifest = proposing_groups(manifest)
    say_found(manifest)
    say_folds(config, manifest)
    if config.teacher is not None:
        require_single_label(manifest.task, "--teacher")
    check_names(config, manifest)
    check_unlabelled(config, manifest.task)
    check_wanted(config, manifest)
    refuse_other_images(config, manifest, directory)
    network = None
    if config.finetune == "off":
        _say_ignored(config)
    else:
        network = network_to_finetune(config, manifest, own)
        if is_main():
            begin(config, manifest, directory)
    tracker = trackers(config.track if is_main() else [], directory)
    if network is not None:  # a frozen training has no epochs, and is logged once it is whole
        tracker.start(directory.name, config.model_dump(mode="json"))
    return TrainingPlan(
        config=config,
        manifest=manifest,
        fixes=fixes,
        directory=directory,
        network=network,
        tracker=tracker,
        began=began,
        own=own,
    )


def images_of(config: TrainConfig, fixes: Fixes | None) -> Manifest:
    """Return the samples; a teacher's training images must not be in its student's evaluated split.

    Args:
        config: the options.
        fixes: to apply.

    Raises:
        EyebrightError: there is nothing, or nothing sensible, to train on.
    """
    teacher = None if config.teacher is None else SealedModel(config.teacher)
    if teacher is not None:
        require_images_only(teacher, "--teacher")
    if teacher is not None and config.data is None:
        known = manifest_of(teacher, None, config.seed)
        return known if fixes is None else fixes.applied(known)
    columns = named_columns(config) if teacher is None else columns_for(config, teacher)
    found = scan(
        config.data or Path(),
        val=config.val,
        test=config.test,
        seed=config.seed,
        fixes=fixes,
        columns=columns,
        drawing=drawing_of(config),
    )
    if teacher is None:
        return found
    found = with_run_splits(found, teacher)
    require_validation_images(found)
    return found


def _say_ignored(config: TrainConfig) -> None:
    if idle := config.idle():
        names = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        say("Ignored because the backbone is frozen (--finetune off): {names}.", names=names)
