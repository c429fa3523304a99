"""Faults of single images: blurred, dark, bright or pale ones, by comparison with planted ones.

The user's own images are mostly as they should be; how they look, and how they look with a planted fault, are
two distributions. The share of images with the fault is the one under which the looks of all are most likely;
Bayes' rule then gives each image's probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from eyebright.auditing.findings import PlantedResult
from eyebright.auditing.records import Records
from eyebright.evaluation.intervals import Float64Array, share_of

#: From this probability on an image is said to have a fault.
CALLED_FAULTY = 0.8
_NARROWEST = 0.05
_LEAST_SHARE = 0.005
_TINY = 0.02
_ROUNDS = 30


@dataclass(frozen=True)
class Faults:
    """The probability (N,) of one fault of each image, the scores (N,) it is told by, and what was found."""

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
    own, faulty = _score(kind, records), _score(kind, planted)
    spread = max(_NARROWEST, float(np.median(np.abs(own - np.median(own))) / norm.ppf(0.75)))
    usual = norm(np.median(own), spread)
    wide = max(spread, float(faulty.std()))
    fault = norm(np.median(faulty), wide)

    def odds(values: Float64Array) -> Float64Array:
        # Beyond the middle of the planted ones a look is as telling as there: nothing is too dark to be dark.
        capped = np.minimum(values, np.median(faulty))
        return np.asarray(fault.logpdf(capped) - usual.logpdf(capped))

    at, share = odds(own), 0.02
    for _ in range(_ROUNDS):
        share = float(np.clip(expit(at + np.log(share / (1 - share))).mean(), _LEAST_SHARE, 0.5))
    prior = np.log(share / (1 - share))
    probability = expit(at + prior)
    called = probability >= CALLED_FAULTY
    hits = int((expit(odds(faulty) + prior) >= CALLED_FAULTY).sum())
    count = int(called.sum())
    precision = share_of(round(float(probability[called].sum())), count) if count else None
    found = PlantedResult(share_of(hits, len(faulty)), precision, len(faulty))
    return Faults(np.asarray(probability), own, found)


def _score(kind: str, records: Records) -> Float64Array:
    """Return (N,) what tells a fault, high where an image has it.

    Of a dark image even the brightest parts are dark, of a bright one even the darkest are bright.
    """
    low, high = records["levels"].astype(np.float64).T
    match kind:
        case "blur":
            return np.asarray(records["reblur"], np.float64)
        case "dark":
            light = high
        case "bright":
            light = 1 - low
        case _:
            light = high - low
    return np.asarray(-np.log(light + _TINY))  # factors are what the eye sees
