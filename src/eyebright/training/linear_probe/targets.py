"""Truth as a linear probe takes it, and the head that fits a task.

Truth is class numbers (N,) of a multi-class task, a table (N, K) of 0 and 1 of a multi-label one; see
:mod:`eyebright.task.task`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from eyebright.data.manifest import Manifest, Sample
from eyebright.task.task import task_of
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.multilabel import fit_labels
from eyebright.types import BoolArray, FloatArray, IntArray


def truth_of(samples: Sequence[Sample], manifest: Manifest) -> IntArray:
    """Return the truth of samples of a manifest: (N,), or (N, K) of a multi-label one."""
    return manifest.task.encode(samples, manifest.labels)


def fit(
    features: npt.NDArray[np.floating],
    truth: IntArray,
    classes: int,
    *,
    groups: IntArray,
    scored: BoolArray,
    weights: FloatArray | None,
    seed: int,
    on_strength: Callable[[], None] | None = None,
    prior: LinearHead | None = None,
) -> HeadFit:
    """Fit the head of truth's task to features (N, D); see :func:`fit_head` and :func:`fit_labels`.

    Only a multi-class task can have a ``prior``.
    """
    task = task_of(truth)
    if task.multilabel:
        return fit_labels(
            features,
            truth,
            task.strata(truth),
            groups=groups,
            scored=scored,
            weights=weights,
            seed=seed,
            on_strength=on_strength,
        )
    return fit_head(
        features,
        truth,
        classes,
        groups=groups,
        scored=scored,
        weights=weights,
        seed=seed,
        on_strength=on_strength,
        prior=prior,
    )
