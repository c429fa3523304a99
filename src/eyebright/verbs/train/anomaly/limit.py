"""The limit from which on an image is an anomaly, from the rate of false alarms that the user names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.data.splits.good_names import ANOMALY
from eyebright.errors import ConfigError, DataError
from eyebright.evaluation.decisions.targets import (
    OperatingTarget,
    choose_threshold,
    parse_target,
)
from eyebright.evaluation.decisions.verdicts import images_needed
from eyebright.evaluation.intervals import Float64Array
from eyebright.runtime.context import say
from eyebright.types import FloatArray

#: The rate of false alarms where no target is given.
DEFAULT = f"false_positive_rate({ANOMALY}) <= 0.05"
# What keeps differences of scores apart when they are squeezed between 0 and 1.
_SQUEEZE = 4.0


@dataclass(frozen=True)
class Limit:
    """A limit, and what it rests on.

    Attributes:
        value: in spreads, as :meth:`~eyebright.training.anomaly.scores.ScoreRule.unusual` gives them.
        good: number of good images that it was set on.
        anomalies: number of labelled anomalies that it was set on.
        alarms: good images above it.
        rate: of false alarms that was asked for; None where only another target was.
        assured: whether the conformal rank assures that rate: there are enough good images for it.
        least: how many good images it takes to set a limit for that rate.
        needed: how many good images without a false alarm it takes to show that rate.
    """

    value: float
    good: int
    anomalies: int
    alarms: int
    rate: float | None
    assured: bool
    least: int | None
    needed: int | None


def anomaly_targets(texts: Sequence[str]) -> list[OperatingTarget]:
    """Return the targets, or the default one.

    Raises:
        ConfigError: one cannot be read, or is not of anomalies.
    """
    targets = [parse_target(text) for text in texts or [DEFAULT]]
    for target in targets:
        if target.label != ANOMALY:
            raise ConfigError(
                "A target of anomaly detection must be one of anomalies. Got {target}. Write it as "
                "{figure}(anomaly); the rate of false alarms is false_positive_rate(anomaly).",
                target=str(target),
                figure=target.figure,
            )
    return targets


def choose_limit(targets: Sequence[OperatingTarget], good: FloatArray, anomalies: FloatArray) -> Limit:
    """Choose the limit on images that detectors did not learn from.

    A rate of false alarms is kept by the conformal rank: of n good images and one more, each is equally
    likely to be the k-th most unusual, so a further one exceeds a limit above the k-th of n at most that
    often. Where anomalies are known, the limit then rises as far as none of those above it is lost. Other
    targets, such as a recall, need known anomalies.

    Args:
        targets: at least one, the first counting most.
        good: (n,) how unusual good images are.
        anomalies: (m,) how unusual labelled anomalies are; perhaps of none.

    Raises:
        DataError: a target needs anomalies, and none is known.
    """
    ordered = np.sort(good.astype(np.float64))
    rate = _rate(targets)
    if rate is None or any(_rate([target]) is None for target in targets):
        value = _by_anomalies(targets, good, anomalies)
    else:
        value = _raised(_conformal(ordered, rate), ordered, anomalies)
    alarms = int((ordered > value).sum())
    least = None if not rate else math.ceil(1 / rate) - 1
    return Limit(
        value=float(np.float32(value)),
        good=len(good),
        anomalies=len(anomalies),
        alarms=alarms,
        rate=rate,
        assured=least is not None and len(good) >= least,
        least=least,
        needed=None if rate is None else images_needed(1 - rate),
    )


def require_anomalies(targets: Sequence[OperatingTarget], known: int) -> None:
    """Refuse targets that need labelled anomalies where none is known.

    Raises:
        DataError: naming the target.
    """
    wanting = [target for target in targets if _rate([target]) is None]
    if wanting and not known:
        raise DataError(
            "{target} needs labelled anomalies to set the limit on. The validation split has none. Add some "
            "in val/, or ask for a rate of false alarms with {default}.",
            target=str(wanting[0]),
            default=DEFAULT,
        )


def say_limit(limit: Limit) -> None:
    """Say what the limit rests on, and what it would take to show the rate."""
    if limit.rate is None:
        return
    rate = f"{100 * limit.rate:g}"
    if limit.least is not None and not limit.assured:
        say(
            "To set a limit for at most {rate} % false alarms takes {least} good images that were held out. "
            "There are {count}, so the limit lies above all of them; add good images.",
            rate=rate,
            least=limit.least,
            count=limit.good,
        )
    if limit.needed is not None:
        say(
            "To show at most {rate} % false alarms takes {needed} good images without a false alarm.",
            rate=rate,
            needed=limit.needed,
        )


def _rate(targets: Sequence[OperatingTarget]) -> float | None:
    """Return the least rate of false alarms that targets ask for; None where none does."""
    rates = [t.bound for t in targets if t.figure == "false_positive_rate"]
    rates += [1 - t.bound for t in targets if t.figure == "specificity"]
    return min(rates, default=None)


def _conformal(ordered: Float64Array, rate: float) -> float:
    """Return a limit between the k-th and the next of n good images, or above all of them."""
    count = len(ordered)
    rank = math.ceil((count + 1) * (1 - rate) - 1e-9)
    if rank < count:
        place = max(rank, 1)
        return float(ordered[place - 1] + ordered[place]) / 2
    # Above all of them by as much as they differ at their upper end: where the next one may lie.
    near = ordered[-1] - ordered[max(0, count - 1 - max(1, count // 20))]
    further = near if rank > count else near / 2
    return float(ordered[-1] + max(further, 0.05))


def _raised(limit: float, ordered: Float64Array, anomalies: FloatArray) -> float:
    """Return the limit raised to the middle of the gap below the least unusual anomaly that is above it."""
    found = anomalies[anomalies > limit]
    if not len(found):
        return limit
    below = ordered[ordered < found.min()]
    return max(limit, float(below.max() + found.min()) / 2) if len(below) else limit


def _by_anomalies(targets: Sequence[OperatingTarget], good: FloatArray, anomalies: FloatArray) -> float:
    require_anomalies(targets, len(anomalies))
    unusual = np.concatenate([good, anomalies]).astype(np.float64)
    squeezed = (1 / (1 + np.exp(-unusual / _SQUEEZE))).astype(np.float32)
    positive = np.arange(len(unusual)) >= len(good)
    chosen = choose_threshold(targets, squeezed, positive)
    return float(-_SQUEEZE * np.log(1 / min(max(chosen, 1e-6), 1 - 1e-6) - 1))
