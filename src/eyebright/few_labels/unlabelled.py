"""Learning from unlabelled images, kept only where labelled ones that were held out speak for it.

In each fold a head of the labels alone and one that also saw the unlabelled images answer for the same
images, which neither learned from; the folds are drawn several times, so that an image's answers hang less on
what it was left out with. So few labels hardly ever show a gain significantly, so two witnesses are asked:
how many more images are right, and by how much the Brier score falls, each by how sure it is. The second head
is kept where they speak for it on balance. Where unlabelled images are of other classes than the labelled
ones, a lucky image or two made more of them right, but the Brier score told. Whether the gain is significant
is told beside it, by the Brier score: it says more than right and wrong, and does not hang on the one image
that it was most wrong about.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from eyebright.evaluation.intervals import Float64Array, hull, student
from eyebright.evaluation.paired import SIGNIFICANT, paired_t
from eyebright.few_labels.foreign import foreign
from eyebright.few_labels.soft_labels import ImageSpace, soft_head
from eyebright.runtime.progress import Task
from eyebright.task.task import MultiClass
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.folds import assign_folds, learnable
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.ood import energy, fit_and_hold_out, fit_unknown
from eyebright.types import BoolArray, FloatArray, IntArray, Interval, JsonObject

#: With fewer unlabelled images than this, hardly anything is known of how images scatter.
FEWEST = 20
#: More are not used: neighbours are looked for among all pairs.
MOST = 10_000
_FOLDS, _DRAWS = 5, 3
#: The heads that are solved at most: one a fold of each draw, and one of all images.
HEADS = _FOLDS * _DRAWS + 1
# Of the head that saw the unlabelled images; the rest is that of the labels alone.
_SHARE = np.float32(0.75)
_REJECTED = 0.05  # share of the labelled images that the unknown score may reject


@dataclass(frozen=True, kw_only=True)
class UnlabelledOutcome:
    """What unlabelled images brought, on labelled training images that were held out.

    Attributes:
        images: unlabelled images that can be read, each picture once.
        used: those that were learned from.
        kept: whether the model learned from them.
        shown: whether the gain is significant: the Brier score by Student's paired t, at 5 %.
        gain: of the accuracy, a fraction; None where too few images were left to compare.
        brier_change: of the same images; below 0 it is better.
        brier_p: of Student's paired t.
        compared: labelled images on which both were compared.
        accuracy, accuracy_before: with the unlabelled images, and of the labels alone.
        unlike: left out because the model of the labels finds them unlike its own.
        evaluated: of the images that the run is evaluated on: left out, or learned from where that was asked.
        labelled: left out because they are among the labelled ones.
        transductive: whether evaluated images were learned from.
    """

    images: int
    used: int
    kept: bool
    shown: bool = False
    gain: Interval | None = None
    brier_change: Interval | None = None
    brier_p: float | None = None
    compared: int = 0
    accuracy: float | None = None
    accuracy_before: float | None = None
    unlike: int = 0
    evaluated: int = 0
    labelled: int = 0
    transductive: bool = False

    def to_json(self) -> JsonObject:
        """Return the outcome as `metrics.json` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class HeldOutGain:
    """A head that also saw unlabelled images compared with that of the labels alone.

    Attributes:
        compared: labelled images that were held out.
        accuracy, accuracy_before: of both, each a mean over the draws of the folds.
        gain: the difference, with the 95 % interval of Student's paired t.
        brier_change: of the Brier score, likewise.
        brier_p: its two-sided p.
    """

    compared: int
    accuracy: float
    accuracy_before: float
    gain: Interval
    brier_change: Interval
    brier_p: float

    @property
    def better(self) -> bool:
        """Return whether accuracy and Brier score together speak for the unlabelled images."""
        return _strength(self.gain) > _strength(self.brier_change)

    @property
    def shown(self) -> bool:
        """Return whether they do so significantly, and the accuracy is no lower."""
        helped = self.better and self.gain.value >= 0
        return helped and self.brier_change.value < 0 and self.brier_p < SIGNIFICANT


@dataclass(frozen=True)
class UnlabelledFit:
    """A head that learned from unlabelled images too, beside what it is compared with.

    Attributes:
        head: on raw features.
        held_out: logits (n, K) of the labelled images, each by a head that had not learned from it.
        found: how it compares with that of the labels alone; None where nothing could be held out.
        unlike: (U,) which unlabelled images were not learned from.
    """

    head: LinearHead
    held_out: FloatArray
    found: HeldOutGain | None
    unlike: BoolArray

    @property
    def better(self) -> bool:
        """Return whether held-out images speak for the unlabelled ones."""
        return self.found is not None and self.found.better


def fit_with_unlabelled(
    labelled: Rows,
    truth: IntArray,
    groups: IntArray,
    unlabelled: Rows,
    unlike: BoolArray,
    alone: HeadFit,
    seed: int,
    task: Task,
) -> UnlabelledFit:
    """Fit a head on labelled and unlabelled images, and compare it with that of the labels alone.

    Args:
        labelled: (n, D) features.
        truth: (n,) classes.
        groups: (n,) numbers that images which belong together share; they lie in one fold.
        unlabelled: (U, D) features.
        unlike: (U,) which of these are not to be learned from; see :func:`unlike_labelled`.
        alone: the head of the labels.
        seed: of the folds.
        task: advances with each head, of which there are at most :data:`HEADS`.
    """
    kind = MultiClass()
    temperature = kind.fit_temperature(alone.held_out, truth)
    features = np.concatenate([labelled, unlabelled[~unlike]])
    space = ImageSpace.fit(features, seed)
    count, classes = len(truth), alone.head.weights.shape[1]
    others = np.arange(count, len(features))
    before, after = (np.zeros((_DRAWS, count, classes), np.float32) for _ in range(2))
    scored = np.zeros((_DRAWS, count), bool)
    for draw in range(_DRAWS):
        folds = assign_folds(truth, groups, _FOLDS, seed + draw)
        scored[draw] = learnable(truth, folds)
        for fold in range(int(folds.max()) + 1):
            known, hidden = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            fit = fit_head(
                labelled[known],
                truth[known],
                classes,
                groups=groups[known],
                seed=seed,
                strengths=(alone.l2,),
                shares=(alone.discriminant_share,),
            )
            logits = fit.head.logits(features) / np.float32(temperature)
            among = np.concatenate([known, others])
            soft = soft_head(space, among, kind.probabilities(logits), np.arange(len(known)), truth[known])
            before[draw, hidden] = logits[hidden]
            after[draw, hidden] = _mixed(logits[hidden], space.rows[hidden] @ soft[:-1] + soft[-1])
            task.advance()
    logits = alone.head.logits(features) / np.float32(temperature)
    soft = soft_head(space, np.arange(len(features)), kind.probabilities(logits), np.arange(count), truth)
    task.advance()
    found = _compared(before, after, truth, groups, scored)
    return UnlabelledFit(_joint(alone.head, temperature, space.head(soft)), after[0], found, unlike)


def unlike_labelled(
    labelled: Rows, truth: IntArray, groups: IntArray, unlabelled: Rows, alone: HeadFit, seed: int
) -> BoolArray:
    """Return (U,) which unlabelled images are foreign, by the unknown score or by their own company.

    Args:
        labelled: (n, D) features.
        truth: (n,) classes.
        groups: (n,) numbers that images which belong together share.
        unlabelled: (U, D) features.
        alone: the head of the labels.
        seed: of the folds.
    """
    space = ImageSpace.fit(np.concatenate([labelled, unlabelled]), seed)
    rejected = foreign(space, len(labelled), seed)
    folds = assign_folds(truth, groups, _FOLDS, seed)
    residual, lengths = fit_and_hold_out(labelled, folds, range(int(folds.max()) + 1))
    if not len(lengths):
        return rejected
    temperature = np.float32(MultiClass().fit_temperature(alone.held_out, truth))
    score = fit_unknown(residual, lengths, energy(alone.held_out / temperature), _REJECTED)
    return rejected | (score.scores(unlabelled, alone.head.logits(unlabelled) / temperature) > 1)


def _strength(change: Interval) -> float:
    """Return a change over the width of its interval; a width of 0 stands for a very small one."""
    return change.value / max(change.high - change.low, 1e-9)


def _mixed(alone: FloatArray, soft: FloatArray) -> FloatArray:
    return (1 - _SHARE) * alone + _SHARE * soft


def _joint(alone: LinearHead, temperature: float, soft: LinearHead) -> LinearHead:
    """Return the head whose logits are the mixture of both heads'."""
    over = np.float32(temperature)
    return LinearHead(_mixed(alone.weights / over, soft.weights), _mixed(alone.bias / over, soft.bias))


def _compared(
    before: FloatArray, after: FloatArray, truth: IntArray, groups: IntArray, scored: BoolArray
) -> HeldOutGain | None:
    """Return how held-out logits (T, n, K) of T draws compare; None where none could be held out.

    Args:
        before: of the labels alone.
        after: with the unlabelled images.
        truth: (n,).
        groups: (n,).
        scored: (T, n) whether an image's class was also learned from others.
    """
    kept = scored.all(axis=0)
    if np.count_nonzero(kept) < 2:
        return None
    right, brier = [], []
    for logits in (before[:, kept], after[:, kept]):
        some = [_scores(flat, truth[kept]) for flat in logits]
        right.append(np.mean([hit for hit, _ in some], axis=0))
        brier.append(np.mean([score for _, score in some], axis=0))
    more, worse = right[1] - right[0], brier[1] - brier[0]
    among = groups[kept]
    return HeldOutGain(
        int(kept.sum()),
        float(right[1].mean()),
        float(right[0].mean()),
        hull(float(more.mean()), student(more, among), bottom=-1.0),
        hull(float(worse.mean()), student(worse, among), bottom=-2.0, top=2.0),
        paired_t(worse, among),
    )


def _scores(logits: FloatArray, truth: IntArray) -> tuple[Float64Array, Float64Array]:
    """Return (n,) whether logits (n, K) at their best temperature are right, and their Brier scores."""
    kind = MultiClass()
    probabilities = kind.probabilities(logits, kind.fit_temperature(logits, truth)).astype(np.float64)
    targets = kind.targets(truth, logits.shape[1])
    return (logits.argmax(axis=1) == truth).astype(np.float64), np.square(probabilities - targets).sum(axis=1)
