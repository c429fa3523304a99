"""The beginning of every training: options, data and backbone are checked before anything is learned."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.auditing.duplicates.near_duplicates import alike_within, near_duplicates
from eyebright.data.fixes import Fixes, read_fixes
from eyebright.data.manifest import FOLDS, Manifest
from eyebright.data.source import scan
from eyebright.data.splits.drawing import Drawing
from eyebright.data.splits.facts import SplitFacts
from eyebright.data.splits.name_groups import propose_groups
from eyebright.data.table.chosen import Columns
from eyebright.runs.images import manifest_of, require_validation_images, with_run_splits
from eyebright.runs.messages import say_found
from eyebright.runs.operating_points import check_wanted
from eyebright.runtime.context import say, timed
from eyebright.sealed.model import SealedModel
from eyebright.tracking.trackers import Trackers, trackers
from eyebright.types import Skipped
from eyebright.verbs.train.cross_validation import folds_of
from eyebright.verbs.train.finetune.finetune import network_to_finetune
from eyebright.verbs.train.launch import is_main
from eyebright.verbs.train.options import TrainConfig, check_splits, require_single_label
from eyebright.verbs.train.resume import begin, refuse_other_images

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network

# Below, the images held out are too few to tell models apart: 60 of 300.
_FEW_IMAGES = 300


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
    """

    config: TrainConfig
    manifest: Manifest
    fixes: Fixes | None
    directory: Path
    network: Network | None
    tracker: Trackers
    began: float


def prepare(config: TrainConfig, directory: Path) -> TrainingPlan:
    """Read the data, and check that it, the options and the backbone fit together.

    Args:
        config: the options.
        directory: of the run; fine-tuning writes its manifest and options there.

    Raises:
        EyebrightError: they do not; nothing of an earlier run was changed.
    """
    began = time.monotonic()
    check_splits(config)
    with timed("scan"):
        fixes = None if config.fixes is None else read_fixes(config.fixes)
        manifest = _images(config, fixes)
        if config.folds is not None:
            manifest = _with_folds(manifest, config.folds, config.seed)
        manifest = _proposing_groups(manifest)
    say_found(manifest)
    _say_folds(config, manifest)
    if config.teacher is not None:
        require_single_label(manifest.task, "--teacher")
    check_wanted(config, manifest)
    refuse_other_images(config, manifest, directory)
    network = None
    if config.finetune == "off":
        _say_ignored(config)
    else:
        network = network_to_finetune(config, manifest.task)
        if is_main():
            begin(config, manifest, directory)
    tracker = trackers(config.track if network is not None and is_main() else [], directory)
    tracker.start(directory.name, config.model_dump(mode="json"))
    return TrainingPlan(
        config=config,
        manifest=manifest,
        fixes=fixes,
        directory=directory,
        network=network,
        tracker=tracker,
        began=began,
    )


def _images(config: TrainConfig, fixes: Fixes | None) -> Manifest:
    """Return the samples; a teacher's training images must not be in its student's evaluated split."""
    teacher = None if config.teacher is None else SealedModel(config.teacher)
    if teacher is not None and config.data is None:
        known = manifest_of(teacher, None, config.seed)
        return known if fixes is None else fixes.applied(known)
    columns = Columns(config.path, config.label, config.group, config.split)
    found = scan(
        config.data or Path(),
        val=config.val,
        test=config.test,
        seed=config.seed,
        fixes=fixes,
        columns=columns,
        drawing=Drawing(
            near_duplicates, config.split_by if config.folds is None else "folds", config.group_from
        ),
    )
    if teacher is None:
        return found
    found = with_run_splits(found, teacher)
    require_validation_images(found)
    return found


def _with_folds(manifest: Manifest, folds: int, seed: int) -> Manifest:
    """Return the manifest with how many folds there are; refuse images that cannot be cross-validated."""
    count = int(folds_of(manifest, folds, seed).max()) + 1
    facts = manifest.facts or SplitFacts(FOLDS)
    return replace(manifest, facts=replace(facts, folds=count))


def _proposing_groups(manifest: Manifest) -> Manifest:
    """Return the manifest with a warning where file names seem to tell groups, which were not used."""
    drawn = manifest.facts is not None and manifest.facts.by != "data"
    if not drawn or any(s.group for s in manifest.samples):
        return manifest
    found = propose_groups(manifest.samples)
    if found is None:
        return manifest
    within, across = alike_within(manifest.samples, found.members)
    reason = (
        "File names seem to tell {count:group|groups} of images, such as {examples}. Two images of one group "
        "are alike to {within}, of two groups to {across} (1: equal). If a group shows one subject (patient, "
        "product, burst), the metrics are too optimistic: keep it in one split with --group-from '{pattern}'."
    )
    values: dict[str, object] = {
        "count": found.count,
        "examples": "; ".join(", ".join(names) for names in found.examples),
        "within": f"{within:.2f}",
        "across": f"{across:.2f}",
        "pattern": found.pattern,
    }
    return replace(manifest, warnings=(*manifest.warnings, Skipped(".", reason, values)))


def _say_folds(config: TrainConfig, manifest: Manifest) -> None:
    """Say where there are fewer folds than requested, and where folds would be the honest way."""
    facts = manifest.facts
    if facts is None:
        return
    if config.folds is not None and facts.folds < config.folds:
        say(
            "{count:fold|folds} in place of {folds}: an ordinary class has no more images, or groups of "
            "images that belong together.",
            count=facts.folds,
            folds=config.folds,
        )
    few = len(manifest.samples) < _FEW_IMAGES
    if few and facts.by == "chance" and config.folds is None and config.finetune == "off":
        say(
            "{count:image is|images are} few to hold some out: the metrics will hang on which ones. With "
            "--folds 5, every image is evaluated, by a model that did not see it.",
            count=len(manifest.samples),
        )


def _say_ignored(config: TrainConfig) -> None:
    if idle := config.idle():
        names = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        say("Ignored because the backbone is frozen (--finetune off): {names}.", names=names)
