"""Holdout images, by which fine-tuning is stopped and compared: never those of the evaluated split."""

from __future__ import annotations

from dataclasses import replace

from eyebright.data.manifest import Manifest
from eyebright.training.linear_probe.folds import assign_folds, groups_of, learnable
from eyebright.training.linear_probe.targets import truth_of

_FOLDS = 7


def with_holdout(manifest: Manifest, seed: int) -> Manifest:
    """Return the manifest to fine-tune on: training images, and the holdout images as validation split.

    Where there is a test split, which is then evaluated, the validation split serves; else a seventh of the
    training split is held out, copies together, each class in proportion. Of every class some images stay in
    the training split, even where all its images belong together.
    """
    samples = manifest.of("train")
    if manifest.of("test"):
        return replace(manifest, samples=(*samples, *manifest.of("val")))
    strata = manifest.task.strata(truth_of(samples, manifest))
    folds = assign_folds(strata, groups_of(samples), _FOLDS, seed)
    holdout = (folds == 0) & learnable(strata, folds)
    parts = (replace(s, split="val") if out else s for s, out in zip(samples, holdout, strict=True))
    return replace(manifest, samples=tuple(parts))
