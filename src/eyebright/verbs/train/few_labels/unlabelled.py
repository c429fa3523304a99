"""`train --unlabelled`: what images without labels are added, and whether the head keeps what they taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.unlabelled import distinct, require_place, scan_unlabelled
from eyebright.errors import ConfigError, DataError
from eyebright.few_labels.unlabelled import (
    FEWEST,
    HEADS,
    MOST,
    UnlabelledFit,
    UnlabelledOutcome,
    fit_with_unlabelled,
    unlike_labelled,
)
from eyebright.options.conflicts import named
from eyebright.report.sections.unlabelled import outcome_sentence
from eyebright.runtime.context import progress, progress_task, say, timed
from eyebright.task.task import ClassificationTask
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.probe import IN_MEMORY_BYTES, FrozenModel
from eyebright.verbs.train.options import TrainConfig, require_single_label


@dataclass(frozen=True)
class UnlabelledPool:
    """Unlabelled images that may be learned from.

    Attributes:
        manifest: of all of them, each picture once.
        samples: those that are neither labelled nor, unless that was asked for, evaluated on.
        labelled: left out because they are among the labelled training images.
        evaluated: images that the run is evaluated on.
    """

    manifest: Manifest
    samples: Sequence[Sample]
    labelled: int
    evaluated: int


def check_unlabelled(config: TrainConfig, task: ClassificationTask) -> None:
    """Refuse options that do not go with unlabelled images, and a place that holds none.

    Raises:
        ConfigError: naming the options.
        NotFoundError: the place does not exist.
        DataError: it is no folder, archive or table.
    """
    if config.unlabelled is None:
        if config.transductive:
            raise ConfigError(
                "--transductive is about unlabelled images. None were given. Name them with --unlabelled, or "
                "do without --transductive."
            )
        return
    require_single_label(task, "--unlabelled")
    given = {
        f"--finetune {config.finetune}": config.finetune != "off",
        "--teacher": config.teacher is not None,
        "--pretrain": config.pretrain is not None,
        "--prompts": config.prompts is not None,
        f"--views {config.views}": config.augmented,
        "--text": bool(config.text),
    }
    if refused := named(given):
        raise ConfigError(
            "--unlabelled solves the head on frozen features of one view. It does not go together with "
            "{options}. Remove one of them.",
            options=refused,
        )
    require_place(config.unlabelled)


def with_unlabelled(
    config: TrainConfig, manifest: Manifest, model: FrozenModel
) -> tuple[FrozenModel, UnlabelledOutcome | None]:
    """Let the head learn from unlabelled images too, where held-out images speak for it.

    Args:
        config: the options, which name the images.
        manifest: all labelled samples.
        model: the head of the labels alone.

    Returns:
        The model that is kept, and what was found; None where no unlabelled images were named.

    Raises:
        NotFoundError: the images do not exist.
        DataError: there are too few, or all of them are labelled.
    """
    if config.unlabelled is None:
        return model, None
    with timed("unlabelled"):
        images = _images(config, config.unlabelled, manifest)
        extractor = model.extractor
        size, total = extractor.preprocessing.size, len(images.samples)
        with progress_task("Computing features at {size} px", total=total, size=size) as task:
            skipped = extractor.compute(images.manifest.root, images.samples, task)
        gone = {entry.path for entry in skipped}
        samples = [s for s in images.samples if s.path not in gone]
        _require_enough(config, samples)
        fit = _fit(config, manifest, model, samples)
        outcome = _outcome(config, images, samples, fit)
    progress().say(outcome_sentence(outcome))
    skipped = [*model.skipped, *(replace(s, path=f"{images.manifest.root}/{s.path}") for s in skipped)]
    if fit is None or not fit.better:
        return replace(model, skipped=skipped), outcome
    return replace(
        model, skipped=skipped, fit=replace(model.fit, head=fit.head, held_out=fit.held_out)
    ), outcome


def _images(config: TrainConfig, place: Path, manifest: Manifest) -> UnlabelledPool:
    """Return the unlabelled images without those that have a label, and without evaluated ones."""
    found = scan_unlabelled(place, config.path)
    if not found.samples:
        raise DataError(
            "There must be unlabelled images that can be read. None of the {count:file|files} in {path} can. "
            "Repair them, or give another folder.",
            count=len(found.skipped),
            path=place,
        )
    found, identities = distinct(found, manifest)
    learned = {identities[s.path] for s in manifest.samples if s.split == "train"}
    judged = {identities[s.path] for s in manifest.samples if s.split != "train"} - learned
    labelled = sum(s.identity in learned for s in found.samples)
    evaluated = sum(s.identity in judged for s in found.samples)
    left_out = learned if config.transductive else learned | judged
    kept = [s for s in found.samples if s.identity not in left_out]
    if evaluated and not config.transductive:
        say(
            "{count:unlabelled image is|unlabelled images are} among those that the run is evaluated on, and "
            "left out: what is measured on them would not hold for new images. To learn from them all the "
            "same, add --transductive.",
            count=evaluated,
        )
    elif evaluated:
        say(
            "Transductive: {count:unlabelled image is|unlabelled images are} among those that the run is "
            "evaluated on. What is measured on them need not hold for new images.",
            count=evaluated,
        )
    return UnlabelledPool(found, _affordable(config, kept), labelled, evaluated)


def _affordable(config: TrainConfig, samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return at most so many images as neighbours can be looked for among."""
    if len(samples) <= MOST:
        return samples
    say(
        "Of {total} unlabelled images {count} are drawn: more bring little and take long.",
        total=len(samples),
        count=MOST,
    )
    order = sorted(samples, key=lambda s: (s.identity, s.path))
    drawn = np.random.default_rng(config.seed).permutation(len(order))[:MOST]
    return [order[place] for place in np.sort(drawn)]


def _require_enough(config: TrainConfig, samples: Sequence[Sample]) -> None:
    if len(samples) < FEWEST:
        raise DataError(
            "There must be at least {least} unlabelled images that are neither labelled nor evaluated on. "
            "{path} has {count}. Add images, or train without --unlabelled.",
            least=FEWEST,
            path=config.unlabelled,
            count=len(samples),
        )


def _fit(
    config: TrainConfig, manifest: Manifest, model: FrozenModel, samples: Sequence[Sample]
) -> UnlabelledFit | None:
    """Return the fit on both; None where too few of the unlabelled images are like the labelled ones."""
    extractor = model.extractor
    lost = {entry.path for entry in model.skipped}
    labelled = [s for s in manifest.of("train") if s.path not in lost]
    rows = extractor.read(labelled, extractor.taps)
    if rows.size * 4 > IN_MEMORY_BYTES:
        raise ConfigError(
            "--unlabelled is for few labels: with these features at most {most} labelled images. Got "
            "{count}. Train without it.",
            most=IN_MEMORY_BYTES // (4 * rows.shape[1]),
            count=len(labelled),
        )
    groups = groups_of(labelled)
    others = extractor.read(samples, extractor.taps)
    unlike = unlike_labelled(rows, model.truth, groups, others, model.fit, config.seed)
    if len(others) - np.count_nonzero(unlike) < FEWEST:
        return None
    with progress_task("Solving heads with unlabelled images", total=HEADS) as task:
        return fit_with_unlabelled(rows, model.truth, groups, others, unlike, model.fit, config.seed, task)


def _outcome(
    config: TrainConfig, images: UnlabelledPool, samples: Sequence[Sample], fit: UnlabelledFit | None
) -> UnlabelledOutcome:
    unlike = len(samples) if fit is None else int(fit.unlike.sum())
    outcome = UnlabelledOutcome(
        images=len(images.manifest.samples),
        used=len(samples) - unlike,
        kept=False,
        unlike=unlike,
        evaluated=images.evaluated,
        labelled=images.labelled,
        transductive=config.transductive,
    )
    if fit is None or fit.found is None:
        return outcome
    found = fit.found
    return replace(
        outcome,
        kept=found.better,
        shown=found.shown,
        gain=found.gain,
        brier_change=found.brier_change,
        brier_p=found.brier_p,
        compared=found.compared,
        accuracy=found.accuracy,
        accuracy_before=found.accuracy_before,
    )
