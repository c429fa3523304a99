"""The head of very many images: one pass over the cached features, and no table of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.runtime.compact.rows import picked
from eyebright.runtime.machine import release_memory
from eyebright.runtime.progress import Task
from eyebright.training.linear_probe.closed_form import choose_shrinkage, solve
from eyebright.training.linear_probe.feature_sums import sums_of_folds
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.folds import assign_folds, learnable, row_weights
from eyebright.training.linear_probe.head import HeadFit
from eyebright.types import IntArray

_FOLDS = 3
_CHUNK_ROWS = 2048
_HELD_OUT_ROWS = 20_000


def fit_large(
    extractor: FeatureExtractor,
    samples: Sequence[Sample],
    truth: IntArray,
    groups: IntArray,
    task: Task,
) -> tuple[HeadFit, IntArray]:
    """Fit the closed-form head to cached features.

    Args:
        extractor: has computed the features of ``samples``.
        samples: N images.
        truth: (N,) their classes.
        groups: (N,) numbers that equal images share; a group lies in one fold.
        task: advances by N.

    Returns:
        The head with held-out logits of part of the images, and these images' classes.
    """
    taps, weights = extractor.taps, row_weights(samples)
    folds = assign_folds(truth, groups, _FOLDS, seed=0)
    del groups  # of millions of images, memory is needed now
    # A class that stands in one fold alone, as copies of one image do, must not be the one that is scored.
    folds = np.where(learnable(truth, folds), folds, 1)
    parts = sums_of_folds(extractor, samples, truth, weights, folds, task)
    release_memory()
    shrinkage = choose_shrinkage(parts)
    held_out = np.flatnonzero(folds == 0)[:_HELD_OUT_ROWS]
    without_first = solve(reduce(add, parts[1:]), shrinkage)
    logits = np.concatenate(
        [
            without_first.logits(extractor.read(picked(samples, held_out[start : start + _CHUNK_ROWS]), taps))
            for start in range(0, len(held_out), _CHUNK_ROWS)
        ]
    )
    head = solve(reduce(add, parts), shrinkage)
    return HeadFit(head=head, l2=shrinkage, path=(), held_out=logits, discriminant_share=1.0), truth[held_out]
