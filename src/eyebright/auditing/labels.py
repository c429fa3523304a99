"""Label errors: out-of-fold probabilities, the share of wrong labels, and how likely each one is wrong.

A label is drawn from the classifier's probabilities, or else, in a share e of cases, it is wrong and any
other. Temperature and e are those under which the labels at hand are most likely; then Bayes' rule gives each
label's probability of being wrong. Wrong labels that are planted, and learned from like the others, say how
many are found and how far the probabilities are off. They do not correct these: a set with twice as many
wrong labels is learned less well, and what it teaches made probabilities too bold.

Labels are the classes of N images, or of several labels an image N * K questions that are answered yes or no.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from eyebright.auditing.findings import PlantedResult
from eyebright.evaluation.calibration import expected_calibration_error
from eyebright.evaluation.intervals import Float64Array, share_of
from eyebright.task.logits import sigmoid, softmax
from eyebright.task.task import MultiLabel
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.lda import SHARES
from eyebright.training.linear_probe.multilabel import fit_labels
from eyebright.types import BoolArray, FloatArray, IntArray, Interval

#: From this probability on a label is called wrong: it is then more likely wrong than right.
CALLED_WRONG = 0.5
_PLANTED_SHARE = 0.05
_STRENGTHS = (1e-3, 1e-4, 3e-5, 1e-5)
_PRIOR_ERRORS = 1.0  # as if so many labels had been seen to be wrong: the share is never 0
_LEAST = 1e-7
_MOST_WRONG = 0.4  # beyond, "any other class" would explain what a poor classifier cannot
_BINS = 10

_Fit = Callable[[IntArray], FloatArray]


@dataclass(frozen=True)
class LabelErrors:
    """How likely each label is wrong.

    Attributes:
        wrong: (N,) probabilities; (N, K) where images may have several labels.
        suggested: (N,) the most likely other class, or (N, K) the other answers.
        logits: (N, K) out-of-fold, over their temperature.
        found: of the planted wrong labels.
        calibration_error: of the probabilities, on the planted wrong labels and all others.
    """

    wrong: Float64Array
    suggested: IntArray
    logits: FloatArray
    found: PlantedResult
    calibration_error: float


def find_label_errors(
    rows: FloatArray, truth: IntArray, classes: int, groups: IntArray, seed: int
) -> LabelErrors:
    """Return how likely labels are wrong.

    Args:
        rows: (N, R) features.
        truth: (N,) class numbers, or (N, K) answers.
        classes: K, at least 2 classes or 1 label.
        groups: (N,) numbers; copies and images of one group share one, so that none is judged by its like.
        seed: of the folds and of what is planted.
    """
    fit = _fits(rows, classes, groups, seed, multilabel=truth.ndim == 2)
    logits = fit(truth)
    model = _noise(logits, truth)
    wrong = model.wrong(logits, truth)
    flipped = _planted(truth, classes, seed)
    changed = (flipped != truth).reshape(-1)
    other = fit(flipped)
    judged = _noise(other, flipped).wrong(other, flipped)
    return LabelErrors(
        wrong=wrong.reshape(truth.shape),
        suggested=_suggested(logits, truth),
        logits=logits / np.float32(model.temperature),
        found=_found(judged, changed, wrong),
        calibration_error=expected_calibration_error(judged, _targets(changed, wrong), _BINS),
    )


def _fits(rows: FloatArray, classes: int, groups: IntArray, seed: int, *, multilabel: bool) -> _Fit:
    """Return what gives out-of-fold logits for labels; the strength of classes is chosen the first time."""
    known: list[HeadFit] = []

    def of_classes(truth: IntArray) -> FloatArray:
        strengths: tuple[float, ...] = _STRENGTHS
        shares: tuple[float, ...] = SHARES
        if known:  # the second time the strength is known
            strengths, shares = (known[0].l2,), (known[0].discriminant_share,)
        known.append(
            fit_head(
                rows,
                truth,
                classes,
                groups=groups,
                seed=seed,
                strengths=strengths,
                shares=shares,
                standardised=True,
            )
        )
        return known[-1].held_out

    def of_labels(truth: IntArray) -> FloatArray:
        strata = MultiLabel().strata(truth)
        return fit_labels(rows, truth, strata, groups=groups, seed=seed, standardised=True).held_out

    return of_labels if multilabel else of_classes


@dataclass(frozen=True)
class _Noise:
    """The temperature of logits, and the share of wrong labels."""

    temperature: float
    rate: float

    def wrong(self, logits: FloatArray, truth: IntArray) -> Float64Array:
        """Return the probability that each label is wrong, flat."""
        right, others = _given(logits, truth, self.temperature)
        return np.asarray(self.rate * others / ((1 - self.rate) * right + self.rate * others))


def _given(logits: FloatArray, truth: IntArray, temperature: float) -> tuple[Float64Array, Float64Array]:
    """Return, flat, the probability of each given label, and that with which a wrong one would be given."""
    if truth.ndim == 2:
        right = sigmoid(np.asarray(np.where(truth > 0, logits, -logits) / temperature, np.float32)).reshape(
            -1
        )
        others = 1.0
    else:
        right = softmax(logits, temperature)[np.arange(len(truth)), truth]
        others = 1 / (logits.shape[1] - 1)
    clipped = np.clip(right.astype(np.float64), _LEAST, 1 - _LEAST)
    return clipped, (1 - clipped) * others


def _noise(logits: FloatArray, truth: IntArray) -> _Noise:
    """Return the temperature and share of wrong labels under which the labels are most likely."""

    def loss(values: Float64Array) -> float:
        rate = _MOST_WRONG * float(expit(values[1]))
        right, others = _given(logits, truth, float(np.exp(values[0])))
        likely = np.log((1 - rate) * right + rate * others).sum()
        return float(-(likely + _PRIOR_ERRORS * np.log(rate)) / right.size)

    # A tenth of all that a training imports, and most never come here.
    from scipy.optimize import minimize

    found = minimize(
        loss, np.array([0.0, logit(0.02 / _MOST_WRONG)]), method="Nelder-Mead", options={"xatol": 1e-3}
    ).x
    return _Noise(float(np.exp(found[0])), _MOST_WRONG * float(expit(found[1])))


def _planted(truth: IntArray, classes: int, seed: int) -> IntArray:
    """Return labels of which some are changed to another, drawn evenly."""
    random = np.random.default_rng(seed)
    flat = truth.reshape(-1).copy()
    drawn = random.permutation(flat.size)[: max(1, round(_PLANTED_SHARE * flat.size))]
    kinds = 2 if truth.ndim == 2 else classes
    flat[drawn] = (flat[drawn] + random.integers(1, kinds, drawn.size)) % kinds
    return flat.reshape(truth.shape)


def _targets(changed: BoolArray, wrong: Float64Array) -> Float64Array:
    """Return how likely labels are wrong, some of which were changed; the others may be wrong as well."""
    return np.where(changed, 1.0, wrong)


def _suggested(logits: FloatArray, truth: IntArray) -> IntArray:
    if truth.ndim == 2:
        return np.asarray(1 - truth, np.int64)
    others = logits.copy()
    others[np.arange(len(truth)), truth] = -np.inf
    return np.asarray(others.argmax(axis=1), np.int64)


def _found(judged: Float64Array, changed: BoolArray, wrong: Float64Array) -> PlantedResult:
    """Return the recall of the planted wrong labels, and the share of wrong ones among those called so."""
    called = judged >= CALLED_WRONG
    count = int(called.sum())
    expected = float(_targets(changed, wrong)[called].sum())
    precision = share_of(round(expected), count) if count else None
    hits, planted = int(called[changed].sum()), int(changed.sum())
    return PlantedResult(recall=share_of(hits, planted), precision=precision, planted=planted)


def budget(wrong: Float64Array, looks: tuple[int, ...] = (10, 20, 40, 80, 160, 320)) -> dict[int, Interval]:
    """Return how many wrong labels are expected among the likeliest ones, with 95 % limits.

    Args:
        wrong: (M,) probabilities.
        looks: how many labels are looked at.
    """
    order = np.sort(wrong)[::-1]
    found = {}
    for count in looks:
        if count > len(order):
            break
        expected = float(order[:count].sum())
        share = share_of(round(expected), count)
        found[count] = Interval(expected, min(expected, share.low * count), max(expected, share.high * count))
    return found
