"""Learning from unlabelled images, on handwritten digits: their 64 pixels are the features."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.few_labels.unlabelled import (
    HEADS,
    HeldOutGain,
    UnlabelledFit,
    fit_with_unlabelled,
    unlike_labelled,
)
from eyebright.runtime.progress import SILENT
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.types import BoolArray, IntArray, Interval

LABELS, CLASSES = 5, 10


class Digits:
    """Five labels a class, others without, and a test part."""

    def __init__(self, seed: int = 0) -> None:
        from sklearn.datasets import load_digits

        pixels, truth = load_digits(return_X_y=True)
        order = np.random.default_rng(seed).permutation(len(truth))
        pixels, truth = pixels[order].astype(np.float16), truth[order].astype(np.int64)
        self.test, self.test_truth = pixels[:400], truth[:400]
        pixels, truth = pixels[400:], truth[400:]
        taken = np.concatenate([np.flatnonzero(truth == k)[:LABELS] for k in range(CLASSES)])
        self.rows, self.truth = pixels[taken], truth[taken]
        others = np.setdiff1d(np.arange(len(truth)), taken)
        self.unlabelled, self.hidden = pixels[others], truth[others]
        self.groups = np.arange(len(taken))

    def alone(self) -> HeadFit:
        return fit_head(self.rows, self.truth, CLASSES, groups=self.groups)

    def accuracy(self, fit: HeadFit | UnlabelledFit, label: int | None = None) -> float:
        right = fit.head.logits(self.test).argmax(axis=1) == self.test_truth
        return float(right.mean() if label is None else right[self.test_truth == label].mean())


@pytest.fixture(scope="module")
def digits_data() -> Digits:
    return Digits()


def fitted(
    data: Digits, unlabelled: Rows, alone: HeadFit, unlike: BoolArray | None = None, seed: int = 0
) -> UnlabelledFit:
    gone = np.zeros(len(unlabelled), bool) if unlike is None else unlike
    with SILENT.task("", total=HEADS) as task:
        return fit_with_unlabelled(data.rows, data.truth, data.groups, unlabelled, gone, alone, seed, task)


@pytest.fixture(scope="module")
def alone(digits_data: Digits) -> HeadFit:
    return digits_data.alone()


@pytest.fixture(scope="module")
def helped(digits_data: Digits, alone: HeadFit) -> UnlabelledFit:
    return fitted(digits_data, digits_data.unlabelled[:600], alone)


def test_unlabelled_images_help(digits_data: Digits, alone: HeadFit, helped: UnlabelledFit) -> None:
    fit = helped
    assert digits_data.accuracy(fit) > digits_data.accuracy(alone) + 0.02
    assert fit.better
    assert fit.found is not None
    assert fit.found.compared == len(digits_data.truth)
    assert fit.found.gain.low <= fit.found.gain.value <= fit.found.gain.high
    assert fit.found.accuracy - fit.found.accuracy_before == pytest.approx(fit.found.gain.value)
    assert fit.held_out.shape == (len(digits_data.truth), CLASSES)


def test_it_is_the_same_twice(digits_data: Digits) -> None:
    some = digits_data.unlabelled[:60]
    first, second = (fitted(digits_data, some, digits_data.alone()) for _ in range(2))
    assert first.head.weights.tobytes() == second.head.weights.tobytes()
    assert first.found == second.found


def test_a_rare_class_is_not_erased(digits_data: Digits, alone: HeadFit) -> None:
    """Of 130 unlabelled images of a class 2 are left, and its images are found as before."""
    kept = np.concatenate(
        [np.flatnonzero(digits_data.hidden == 0)[:2], np.flatnonzero(digits_data.hidden != 0)]
    )
    fit = fitted(digits_data, digits_data.unlabelled[kept][:600], alone)
    assert digits_data.accuracy(fit, 0) >= digits_data.accuracy(alone, 0) - 0.05


def test_foreign_images_are_rejected(digits_data: Digits, alone: HeadFit, helped: UnlabelledFit) -> None:
    """Noise is no digit."""
    noise = np.random.default_rng(0).uniform(0, 16, (200, 64)).astype(np.float16)
    unlabelled = np.concatenate([digits_data.unlabelled[:600], noise])
    unlike = unlike_labelled(digits_data.rows, digits_data.truth, digits_data.groups, unlabelled, alone, 0)
    assert unlike[-200:].mean() > 0.9
    assert unlike[:-200].mean() < 0.2
    mixed = fitted(digits_data, unlabelled, alone, unlike)
    assert digits_data.accuracy(mixed) > digits_data.accuracy(helped) - 0.01


def test_what_is_left_out_has_no_say(digits_data: Digits, alone: HeadFit) -> None:
    some = digits_data.unlabelled[:80]
    unlike = np.arange(80) >= 50
    first = fitted(digits_data, some, alone, unlike)
    second = fitted(digits_data, np.concatenate([some[:50], 16 - some[50:]]), alone, unlike)
    assert first.head.weights.tobytes() == second.head.weights.tobytes()


def test_of_one_image_a_class_nothing_is_shown(digits_data: Digits) -> None:
    first = np.array([np.flatnonzero(digits_data.truth == k)[0] for k in range(CLASSES)])
    fewest = Digits()
    fewest.rows, fewest.truth, fewest.groups = digits_data.rows[first], digits_data.truth[first], first
    fit = fitted(fewest, digits_data.unlabelled[:100], fewest.alone())
    assert fit.found is None
    assert not fit.better


@pytest.mark.parametrize(
    ("gain", "brier", "p", "better", "shown"),
    [
        (0.1, -0.1, 0.01, True, True),
        (0.1, -0.1, 0.2, True, False),
        (0.1, 0.05, 0.2, True, False),
        (0.05, 0.1, 0.2, False, False),
        (0.0, -0.1, 0.01, True, True),
        (0.0, 0.1, 0.01, False, False),
        (0.0, 0.0, 1.0, False, False),
        (-0.05, -0.1, 0.01, True, False),
        (-0.1, -0.05, 0.2, False, False),
    ],
)
def test_it_is_kept_where_held_out_images_speak_for_it(
    gain: float, brier: float, p: float, better: bool, shown: bool
) -> None:
    around = Interval(gain, gain - 0.1, gain + 0.1)
    found = HeldOutGain(10, 0.5 + gain, 0.5, around, Interval(brier, brier - 0.1, brier + 0.1), p)
    assert (found.better, found.shown) == (better, shown)


def test_wrong_labels_of_one_class_are_no_gain(digits_data: Digits) -> None:
    """Labels that say nothing leave nothing to spread: held-out images show no significant gain."""
    shuffled: IntArray = np.random.default_rng(1).permutation(digits_data.truth)
    data = Digits()
    data.truth = shuffled
    fit = fitted(data, digits_data.unlabelled[:200], data.alone())
    assert fit.found is not None
    assert not fit.found.shown
