"""Whether a target is met: what the evaluated images show, and how many such a claim takes.

A target is one-sided, so its verdict follows from the one-sided 95 % limit (Clopper and Pearson's exact one;
of grouped images see :func:`eyebright.evaluation.proportions.least`). The target is

* *met* where the limit keeps to it,
* *not shown* where only the measured value does: as many images may come out so by chance,
* *missed* where the measured value does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.evaluation.decisions.targets import AT_MOST, OperatingTarget
from eyebright.evaluation.proportions import exact_least, independent, least
from eyebright.types import BoolArray, IntArray, JsonObject

VerdictName = Literal["met", "not shown", "missed"]

# What would take more images than this cannot be shown.
_MOST_IMAGES = 10_000_000


@dataclass(frozen=True)
class TargetVerdict:
    """What the evaluated images say of a target.

    Attributes:
        name: of the verdict.
        limit: what the metric keeps to with 95 % confidence: at least this, or at most this of a metric that
            the target bounds from above.
        counted: how many independent images the metric was measured on; those of one group count as one.
        grouped: whether images were grouped.
        errors: of all images that the metric counts.
        needed: how many independent images it takes to show the target at the measured rate of errors or,
            where that misses it, without an error; None where no number does.
        flawless: whether ``needed`` is meant without an error.
    """

    name: VerdictName
    limit: float
    counted: int
    grouped: bool
    errors: int
    needed: int | None
    flawless: bool

    def to_json(self) -> JsonObject:
        """Return the verdict as `metrics.json` holds it."""
        return {
            "verdict": self.name,
            "limit": self.limit,
            "counted": self.counted,
            "grouped": self.grouped,
            "errors": self.errors,
            "needed": self.needed,
            "needed_without_error": self.flawless,
        }


def judge(
    target: OperatingTarget, hit: BoolArray, groups: IntArray | None = None, *, seed: int = 0
) -> TargetVerdict:
    """Judge a target by the images that its metric counts.

    Args:
        target: to judge.
        hit: (n,) whether each counts for the metric; perhaps of no image.
        groups: (n,) numbers that images which are not independent share; None where all are independent.
        seed: of the bootstrap over groups.
    """
    at_most = target.figure in AT_MOST
    right = ~hit if at_most else hit
    wanted = 1 - target.bound if at_most else target.bound
    count = independent(len(hit), groups)
    grouped, errors = count < len(hit), int((~right).sum())
    reached = float(right.mean()) if len(right) else 0.0
    kept = least(right, groups, seed=seed) if len(right) else 0.0
    limit = 1 - kept if at_most else kept
    # A share such as 19 of 20 must meet 0.95 whatever its last bit is.
    met, fine = (bool(target.met_by(np.array([x]))[0]) for x in (limit, 1 - reached if at_most else reached))
    name: VerdictName = "met" if met else "not shown" if fine or not len(hit) else "missed"
    flawless = errors == 0 or images_needed(wanted, reached) is None
    needed = images_needed(wanted, 1.0 if flawless else reached)
    return TargetVerdict(name, limit, count, grouped, errors, needed, flawless)


def images_needed(wanted: float, reached: float = 1.0) -> int | None:
    """Return how many independent images show a share of ``wanted`` if ``reached`` of them are right.

    Without an error, n images show (1 - 0.05 ** (1 / n)) or fewer errors: the rule of three. None where no
    number of images shows it.
    """

    def shown(count: int) -> bool:
        return exact_least(reached * count, count) >= wanted

    if wanted <= 0:
        return 1
    if wanted >= 1 or reached <= wanted or not shown(_MOST_IMAGES):
        return None
    low, high = 0, _MOST_IMAGES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
