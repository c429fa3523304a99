"""The images by which fine-tuning is stopped and compared: never those that are reported."""

from __future__ import annotations

from dataclasses import replace

from eyebright.data.manifest import Manifest
from eyebright.training.linear_probe.folds import assign_folds, groups_of, learnable
from eyebright.training.linear_probe.targets import strata_of, truth_of

_FOLDS = 7


def with_holdout(manifest: Manifest, seed: int) -> Manifest:
    """Return the manifest to fine-tune on: training images, and the holdout images as validation split.

    Where there is a test part, which is what is reported, the validation part serves; else a seventh of the
    training part is held out, equal images together, each class in proportion. Of every class something stays
    to be learned from, even where all its images belong together.
    """
    samples = manifest.of("train")
    if manifest.of("test"):
        return replace(manifest, samples=(*samples, *manifest.of("val")))
    strata = strata_of(truth_of(samples, manifest))
    folds = assign_folds(strata, groups_of(samples), _FOLDS, seed)
    held_out = (folds == 0) & learnable(strata, folds)
    parts = (replace(s, split="val") if out else s for s, out in zip(samples, held_out, strict=True))
    return replace(manifest, samples=tuple(parts))
