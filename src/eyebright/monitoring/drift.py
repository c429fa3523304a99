"""What changed since the reference: every test of a log, and the budget of false alarms that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.monitoring.log import Log
from eyebright.monitoring.martingale import log_martingale
from eyebright.monitoring.neighbours import doubts_of, log_evidence
from eyebright.monitoring.projected_shift import Whitening, log_shift
from eyebright.monitoring.reference_file import Reference
from eyebright.monitoring.signals import LOOKS, SIGNALS, Signal, histogram, median, uncertainty
from eyebright.monitoring.sketch import most_rows
from eyebright.types import FloatArray, IntArray

#: The chance that a stream that never changes raises an alarm, ever: 1 in 100.
FALSE_ALARMS = 0.01
# Shares of that chance, the most for what is hardest to see: a class that was never shown. Looks change so
# plainly where they do that little is enough. Classes share theirs equally.
_SIGNALS: Mapping[Signal, float] = {
    "uncertainty": 0.1,
    "unknown_score": 0.05,
    "confidence": 0.03,
    **dict.fromkeys(LOOKS, 0.03),
}
_NEIGHBOURS, _FEATURES, _CLASSES = 0.4, 0.24, 0.06

# These rise where images are not those that the model was made for.
_UPWARDS = ("uncertainty", "unknown_score")

Kind = Literal["signal", "neighbours", "features", "class"]


@dataclass(frozen=True)
class Drift:
    """One test's result.

    Attributes:
        kind: what is tested: a signal, whether unsure images are alike, the features, or how often a class
            is answered.
        name: the signal's or the class's; empty of the others.
        p: the chance that evidence as strong ever comes up without a change, counted for all tests together.
        since: the first window after which it was an alarm; None of none.
        before, now: the signal's median, or the share of the class, in the reference and since the alarm, or
            in the whole log where there is none; None of the others.
    """

    kind: Kind
    name: str
    p: float
    since: int | None
    before: float | None = None
    now: float | None = None

    @property
    def test(self) -> str:
        """Return a word for programs that tells the tests apart."""
        return f"class {self.name}" if self.kind == "class" else self.name or self.kind

    @property
    def alarm(self) -> bool:
        """Return whether something changed."""
        return self.since is not None


def find_drift(log: Log, reference: Reference, predicted: IntArray, seed: int) -> list[Drift]:
    """Return the result of every test, the strongest evidence first.

    Args:
        log: of the same model, with at least one window.
        reference: of the model's run.
        predicted: (M, K) of 0 and 1, what the model answers for the reference's clean images.
        seed: of the order of images within a window.
    """
    found = [*_signals(log, reference.clean, seed), *_classes(log, predicted, seed)]
    found += [*_neighbours(log, reference.clean, seed), *_features(log, reference.clean)]
    return sorted(found, key=lambda drift: drift.p)


def _signals(log: Log, reference: Reference, seed: int) -> Iterator[Drift]:
    known = [s for s in SIGNALS if _is_known(log, s) and np.isfinite(values_of(reference, s)).all()]
    for signal in known:
        row = SIGNALS.index(signal)
        before = histogram(signal, values_of(reference, signal))
        windows = [window.bins[row] for window in log.windows]
        evidence = log_martingale(before, windows, [seed, row], tail=signal in _UPWARDS)
        p, since = _significance(evidence, _SIGNALS[signal])
        now = np.sum(windows[since or 0 :], axis=0)
        yield Drift("signal", signal, p, since, median(signal, before), median(signal, now))


def _classes(log: Log, predicted: IntArray, seed: int) -> Iterator[Drift]:
    for k, label in enumerate(log.labels):
        before = _with_and_without(int(predicted[:, k].sum()), len(predicted))
        windows = [_with_and_without(int(w.predicted[k]), w.images) for w in log.windows]
        evidence = log_martingale(before, windows, [seed, len(SIGNALS) + k])
        p, since = _significance(evidence, _CLASSES / len(log.labels))
        now = np.sum(windows[since or 0 :], axis=0)
        yield Drift("class", label, p, since, float(before[1] / before.sum()), float(now[1] / now.sum()))


def _neighbours(log: Log, reference: Reference, seed: int) -> Iterator[Drift]:
    own = doubts_of(reference.probabilities, reference.scores, reference.projections)
    rows = [window.rows for window in log.windows]
    evidence = log_evidence(own, rows, most_rows(len(log.labels)), seed)
    if evidence is not None:
        yield Drift("neighbours", "", *_significance(evidence, _NEIGHBOURS))


def _features(log: Log, reference: Reference) -> Iterator[Drift]:
    whitening = Whitening.fit(reference.projections)
    windows = [(i, w) for i, w in enumerate(log.windows) if w.projected]
    if whitening is None or not windows:
        return
    evidence = log_shift(whitening, reference.projections, [w for _, w in windows])
    p, since = _significance(evidence, _FEATURES)
    yield Drift("features", "", p, None if since is None else windows[since][0])


def _significance(evidence: Float64Array, share: float) -> tuple[float, int | None]:
    """Return the chance of such evidence, and the first window after which it is an alarm.

    Args:
        evidence: (W,) the logarithm of a martingale.
        share: of the budget of false alarms.
    """
    weighted = evidence + np.log(share)
    beyond = np.flatnonzero(weighted >= -np.log(FALSE_ALARMS))
    p = float(np.exp(-max(float(weighted.max()), 0.0)))
    return p, int(beyond[0]) if len(beyond) else None


def values_of(reference: Reference, signal: Signal) -> FloatArray:
    """Return a signal's values (M,) in the reference."""
    if signal == "uncertainty":
        known = bool(np.isfinite(reference.scores).all())
        return uncertainty(reference.probabilities, reference.scores if known else None)
    if signal == "unknown_score":
        return reference.scores
    if signal == "confidence":
        return np.asarray(reference.probabilities.max(axis=1))
    return reference.looks[:, LOOKS.index(signal)]


def _is_known(log: Log, signal: Signal) -> bool:
    row = SIGNALS.index(signal)
    return any(window.bins[row].any() for window in log.windows)


def _with_and_without(count: int, images: int) -> IntArray:
    return np.array([images - count, count], np.int64)
