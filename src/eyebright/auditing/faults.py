"""Faults of single images: blurred, dark, bright or pale ones, by comparison with planted ones.

The user's own images are mostly as they should be; how they look, and how they look with a planted fault, are
two distributions. The share of images with the fault is the one under which the looks of all are most likely;
Bayes' rule then gives each image's probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import norm, t

from eyebright.auditing.findings import PlantedResult
from eyebright.auditing.records import Records
from eyebright.evaluation.intervals import Float64Array, share_of

#: From this probability on an image is said to have a fault.
CALLED_FAULTY = 0.8
_FREEDOM = 4.0  # of Student's t: the user's own images vary more widely than a normal distribution has it
_NARROWEST = 0.05
_ROUNDS = 30
_TINY = 1e-3
#: Which of an image's looks tells a fault, and whether a low value does.
_TOLD_BY: Mapping[str, tuple[int, bool]] = {
    "blur": (2, True),
    "dark": (0, True),
    "bright": (0, False),
    "low_contrast": (1, True),
}


@dataclass(frozen=True)
class Faults:
    """The probability (N,) of one fault of each image, the values (N,) it is told by, and what was found."""

    probability: Float64Array
    values: Float64Array
    found: PlantedResult


def find_faults(kind: str, records: Records, planted: Records) -> Faults:
    """Return how likely images have a fault of the given kind.

    Args:
        kind: one of :data:`eyebright.auditing.planting.FAULTS`.
        records: (N,) of the images.
        planted: (M,) of images with that fault.
    """
    column, low = _TOLD_BY[kind]
    own, faulty = (_score(kind, some["looks"][:, column], low) for some in (records, planted))
    spread = max(_NARROWEST, float(norm.ppf(0.75) ** -1 * np.median(np.abs(own - np.median(own)))))
    usual = t(_FREEDOM, np.median(own), spread)
    wide = max(spread, float(faulty.std()), _NARROWEST)
    fault = norm(np.median(faulty), wide)

    def odds(values: Float64Array) -> Float64Array:
        # Beyond the middle of the planted ones a look is as telling as there: nothing is too dark to be dark.
        capped = np.minimum(values, np.median(faulty))
        return np.asarray(fault.logpdf(capped) - usual.logpdf(capped))

    at, share = odds(own), 0.02
    for _ in range(_ROUNDS):
        share = float(np.clip(expit(at + np.log(share / (1 - share))).mean(), 1 / (2 * len(own)), 0.5))
    prior = np.log(share / (1 - share))
    probability = expit(at + prior)
    called = probability >= CALLED_FAULTY
    hits = int((expit(odds(faulty) + prior) >= CALLED_FAULTY).sum())
    count = int(called.sum())
    precision = share_of(round(float(probability[called].sum())), count) if count else None
    found = PlantedResult(share_of(hits, len(faulty)), precision, len(faulty))
    return Faults(np.asarray(probability), records["looks"][:, column].astype(np.float64), found)


def _score(kind: str, values: np.ndarray, low: bool) -> Float64Array:  # type: ignore[type-arg]
    """Return looks on a scale on which a fault is high: logarithms, for factors are what the eye sees."""
    looks = values.astype(np.float64)
    return np.asarray(-np.log(looks + _TINY) if low else -np.log(1 - looks + _TINY))
