"""Additive statistics and the head solved from them, against NumPy and scikit-learn on the real digits."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from eyebright.errors import DataError
from eyebright.training.linear_probe import class_statistics as module
from eyebright.training.linear_probe.class_statistics import FeatureStatistics
from eyebright.training.linear_probe.closed_form import SHRINKAGES, choose_shrinkage, solve
from eyebright.types import FloatArray, IntArray

CLASSES = 10


@pytest.fixture(scope="module")
def digits() -> tuple[FloatArray, IntArray]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order].astype(np.float32), y[order].astype(np.int64)


def of(x: np.ndarray, y: IntArray, classes: int = CLASSES) -> FeatureStatistics:
    statistics = FeatureStatistics.empty(x.shape[1], classes)
    statistics.add(x, y)
    return statistics


def parts(x: np.ndarray, y: IntArray, count: int) -> list[FeatureStatistics]:
    return [of(x[i::count], y[i::count]) for i in range(count)]


def assert_same(a: FeatureStatistics, b: FeatureStatistics) -> None:
    np.testing.assert_array_equal(a.class_counts, b.class_counts)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(a.class_sums, b.class_sums, atol=1e-5 * np.abs(b.class_sums).max())
    np.testing.assert_allclose(a.scatter, b.scatter, atol=1e-5 * np.abs(b.scatter).max())


def test_statistics_are_those_of_the_rows(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    statistics = of(x, y)
    exact = x.astype(np.float64)
    assert statistics.count == len(y)
    np.testing.assert_allclose(statistics.gram, exact.T @ exact, rtol=1e-5, atol=1)
    sums = np.stack([exact[y == k].sum(axis=0) for k in range(CLASSES)])
    np.testing.assert_allclose(statistics.class_sums, sums, atol=1e-5 * sums.max())
    np.testing.assert_array_equal(statistics.class_counts, np.bincount(y))


def test_parts_add_up_to_the_whole(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    pieces = parts(x, y, 7)
    before = pieces[0].scatter.copy()
    assert_same(reduce(add, pieces), of(x, y))
    np.testing.assert_array_equal(pieces[0].scatter, before)
    assert_same(FeatureStatistics.empty(64, CLASSES) + pieces[1], pieces[1])


def test_chunks_and_blocks_change_nothing(
    digits: tuple[FloatArray, IntArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = digits
    chunked = FeatureStatistics.empty(64, CLASSES)
    monkeypatch.setattr(module, "_BLOCK_ROWS", 100)
    for start in range(0, len(y), 333):
        chunked.add(x[start : start + 333], y[start : start + 333])
    chunked.add(x[:0], y[:0])
    monkeypatch.undo()
    assert_same(chunked, of(x, y))


def test_float16_rows_are_taken_as_they_are(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits  # grey values 0 to 16 are exact in float16
    assert_same(of(x.astype(np.float16), y), of(x, y))


def test_features_far_from_zero_keep_their_scatter(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    near, far = of(x / 16, y), of(x / 16 + 1000, y)
    np.testing.assert_allclose(far.scatter, near.scatter, atol=1e-4 * near.scatter.max())


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((2, 3), np.float32), np.array([0, 1])),
        (np.zeros((2, 4), np.float32), np.array([0])),
        (np.zeros(4, np.float32), np.array([0])),
        (np.zeros((2, 4), np.float32), np.array([0, 2])),
        (np.zeros((2, 4), np.float32), np.array([-1, 0])),
        (np.full((2, 4), np.nan, np.float32), np.array([0, 1])),
        (np.full((2, 4), np.inf, np.float16), np.array([0, 1])),
    ],
)
def test_rows_that_cannot_be_are_refused_and_change_nothing(x: np.ndarray, y: IntArray) -> None:
    statistics = FeatureStatistics.empty(4, 2)
    with pytest.raises(DataError):
        statistics.add(x, y)
    assert statistics.count == 0
    assert not statistics.scatter.any()


def test_statistics_of_other_labels_do_not_add() -> None:
    with pytest.raises(DataError, match="classes and features match"):
        FeatureStatistics.empty(4, 2) + FeatureStatistics.empty(4, 3)


def test_head_without_shrinkage_is_that_of_scikit_learn(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    x = x[:, x.std(axis=0) > 1]  # columns whose covariance can be inverted
    head = solve(of(x, y), 1e-9)
    ours = x @ head.weights + head.bias
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    # They divide the scatter by N, we by N - K.
    scores = theirs.decision_function(x)
    margin = scores - scores.mean(axis=1, keepdims=True)
    n = len(y)
    ours -= ours.mean(axis=1, keepdims=True)
    assert np.mean(ours.argmax(axis=1) == scores.argmax(axis=1)) > 0.999
    np.testing.assert_allclose(ours * n / (n - CLASSES), margin, atol=2e-2)


def test_shrunken_head_is_the_textbook_formula(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    x = x[:, x.std(axis=0) > 1]
    shrinkage, n = 0.3, len(y)
    means = np.stack([x[y == k].mean(axis=0, dtype=np.float64) for k in range(CLASSES)])
    within = EmpiricalCovariance(assume_centered=True).fit(x - means[y]).covariance_ * n / (n - CLASSES)
    shrunken = (1 - shrinkage) * within + shrinkage * np.diag(np.diag(within))
    weights = np.linalg.solve(shrunken, means.T)
    expected = x @ weights - 0.5 * (means.T * weights).sum(axis=0) + np.log(np.bincount(y) / n)
    head = solve(of(x, y), shrinkage)
    ours = x @ head.weights + head.bias
    # Class by class the scores may differ by what all classes share.
    np.testing.assert_allclose(
        ours - ours.mean(axis=1, keepdims=True), expected - expected.mean(axis=1, keepdims=True), atol=1e-2
    )


def test_chosen_shrinkage_is_the_likeliest_on_the_held_out_rows(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    x, y = x[:300, x[:300].std(axis=0) > 1], y[:300]
    losses = np.zeros(len(SHRINKAGES))
    for fold in range(3):
        held = np.arange(len(y)) % 3 == fold
        means = np.stack([x[~held & (y == k)].mean(axis=0, dtype=np.float64) for k in range(CLASSES)])
        rest = x[~held] - means[y[~held]]
        within = rest.T @ rest / (len(rest) - CLASSES)
        spread = x[held] - means[y[held]]
        for i, s in enumerate(SHRINKAGES):
            shrunken = (1 - s) * within + s * np.diag(np.diag(within))
            losses[i] += len(spread) * np.linalg.slogdet(shrunken)[1]
            losses[i] += np.sum(spread.T * np.linalg.solve(shrunken, spread.T))
    assert choose_shrinkage(parts(x, y, 3)) == SHRINKAGES[int(losses.argmin())]


def test_few_images_want_more_shrinkage_than_many(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    assert choose_shrinkage(parts(x[:60], y[:60], 3)) > choose_shrinkage(parts(x, y, 3))


def test_head_recognises_digits_that_it_never_saw(digits: tuple[FloatArray, IntArray]) -> None:
    x, y = digits
    folds = parts(x[:1300], y[:1300], 5)
    head = solve(reduce(add, folds), choose_shrinkage(folds))
    assert head.weights.dtype == head.bias.dtype == np.float32
    accuracy = np.mean((x[1300:] @ head.weights + head.bias).argmax(axis=1) == y[1300:])
    assert accuracy > 0.93


def test_constant_features_get_no_weight_and_do_not_sway_the_choice(
    digits: tuple[FloatArray, IntArray],
) -> None:
    x, y = digits
    moving = x[:, x.std(axis=0) > 1]
    padded = np.concatenate([moving, np.full((len(y), 200), 3.3, np.float32)], axis=1)
    head = solve(of(padded, y), 0.2)
    assert not head.weights[moving.shape[1] :].any()
    np.testing.assert_allclose(head.weights[: moving.shape[1]], solve(of(moving, y), 0.2).weights, atol=1e-5)
    assert choose_shrinkage(parts(padded[:300], y[:300], 3)) == choose_shrinkage(
        parts(moving[:300], y[:300], 3)
    )


def test_fewer_images_than_features_and_a_class_in_one_fold_only() -> None:
    x, y = load_digits(return_X_y=True)
    x, y = x[:30].astype(np.float32), y[:30].astype(np.int64)
    y = np.where(np.arange(30) == 0, 0, np.where(y == 0, 1, y))  # class 0 is one image
    folds = parts(x, y, 3)
    head = solve(reduce(add, folds), choose_shrinkage(folds))
    assert np.isfinite(head.weights).all()
    assert np.isfinite(head.bias).all()
    assert np.mean((x @ head.weights + head.bias).argmax(axis=1) == y) > 0.9


def test_class_without_images_is_an_error(digits: tuple[FloatArray, IntArray]) -> None:
    with pytest.raises(DataError, match="Class 10 has none"):
        solve(of(*digits, classes=11), 0.1)


def test_a_weight_of_2_is_a_row_twice(digits):
    x, y = digits[0][:400], digits[1][:400]
    twice = np.arange(400) % 3 == 0
    weighted = FeatureStatistics.empty(x.shape[1], CLASSES)
    weighted.add(x, y, np.where(twice, 2, 1).astype(np.float32))
    assert_same(weighted, of(np.concatenate([x, x[twice]]), np.concatenate([y, y[twice]])))
