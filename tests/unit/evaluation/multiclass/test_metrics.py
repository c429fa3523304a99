"""Figures against scikit-learn on real predictions of the digits, and intervals against resampled reality."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from eyebright.errors import ModelError
from eyebright.evaluation.calibration import expected_calibration_error
from eyebright.evaluation.multiclass.metrics import measure
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.task.logits import softmax
from eyebright.task.task import MultiClass
from eyebright.task.temperature import fit_temperature
from eyebright.types import FloatArray, IntArray, Interval

LABELS = [str(k) for k in range(10)]
HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")


@pytest.fixture(scope="module")
def answers() -> tuple[IntArray, FloatArray]:
    """Truth and probabilities of 1,647 digits from a classifier that saw 150."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order].astype(np.int64)
    model = LogisticRegression(C=0.01, max_iter=500).fit(x[:150], y[:150])
    return y[150:], model.predict_proba(x[150:]).astype(np.float32)


def certain(predicted: list[int], classes: int, confidence: float = 0.9) -> FloatArray:
    probabilities = np.full((len(predicted), classes), (1 - confidence) / (classes - 1), np.float32)
    probabilities[np.arange(len(predicted)), predicted] = confidence
    return probabilities


def every_interval(metrics: Metrics) -> list[Interval]:
    own = [getattr(metrics, name) for name in HEADLINE]
    return own + [i for c in metrics.per_class for i in (c.precision, c.recall, c.f1)]


def test_values_are_those_of_scikit_learn(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers
    predicted = probabilities.argmax(axis=1)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    metrics = measure(truth, probabilities, LABELS, "test")
    assert metrics.split == "test"
    assert metrics.count == len(truth)
    assert metrics.accuracy.value == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert metrics.macro_f1.value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert metrics.log_loss.value == pytest.approx(log_loss(truth, exact), rel=1e-5)
    np.testing.assert_array_equal(metrics.confusion, confusion_matrix(truth, predicted))
    columns = zip(*precision_recall_fscore_support(truth, predicted), strict=True)
    for ours, (precision, recall, f1, support) in zip(metrics.per_class, columns, strict=True):
        assert ours.precision.value == pytest.approx(precision)
        assert ours.recall.value == pytest.approx(recall)
        assert ours.f1.value == pytest.approx(f1)
        assert ours.support == support


def test_same_seed_same_intervals(answers: tuple[IntArray, FloatArray]) -> None:
    first, second, other = (measure(*answers, LABELS, "val", seed=seed) for seed in (3, 3, 4))
    assert every_interval(first) == every_interval(second)
    assert first.log_loss != other.log_loss


def test_bootstrap_is_that_of_drawing_images_with_replacement(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers[0][:400], answers[1][:400]
    random = np.random.default_rng(9)
    losses = -np.log(probabilities[np.arange(400), truth].astype(np.float64))
    draws = [losses[random.integers(0, 400, 400)].mean() for _ in range(2000)]
    ours = measure(truth, probabilities, LABELS, "val", resamples=2000).log_loss
    low, high = np.quantile(draws, [0.025, 0.975])
    assert ours.low == pytest.approx(low, abs=0.01)
    assert ours.high == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize("count", [60, 200])
def test_intervals_hold_the_figure_of_the_whole_as_often_as_they_say(
    answers: tuple[IntArray, FloatArray], count: int
) -> None:
    truth, probabilities = answers
    whole = measure(truth, probabilities, LABELS, "test", resamples=2)
    held = dict.fromkeys(HEADLINE, 0)
    f1_held = f1_all = 0
    repeats = 300
    for repeat in range(repeats):
        rows = np.random.default_rng(repeat).integers(0, len(truth), count)
        part = measure(truth[rows], probabilities[rows], LABELS, "test", seed=repeat, resamples=200)
        for name in HEADLINE:
            interval = getattr(part, name)
            held[name] += interval.low <= getattr(whole, name).value <= interval.high
        for ours, true in zip(part.per_class, whole.per_class, strict=True):
            f1_all += ours.support > 0
            f1_held += ours.support > 0 and ours.f1.low <= true.f1.value <= ours.f1.high
    # Three standard errors of 300 repeats below 95 % are 91.2 %.
    assert {name: n / repeats for name, n in held.items() if n / repeats < 0.912} == {}
    assert f1_held / f1_all > 0.94


@pytest.mark.parametrize("count", [20, 200])
def test_calibration_error_allows_for_the_gaps_that_chance_makes(
    answers: tuple[IntArray, FloatArray], count: int
) -> None:
    truth, probabilities = answers
    logits = np.log(np.maximum(probabilities, 1e-9))
    calibrated = softmax(logits, fit_temperature(logits, truth))
    whole = expected_calibration_error(*MultiClass().scored(calibrated, truth))
    assert whole < 0.02
    held = 0
    for repeat in range(100):
        rows = np.random.default_rng(repeat).integers(0, len(truth), count)
        ece = measure(truth[rows], calibrated[rows], LABELS, "test", resamples=100).ece
        held += ece.low <= whole <= ece.high
    assert held >= 90


def test_intervals_are_no_wider_than_they_need_be(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers
    metrics = measure(truth, probabilities, LABELS, "test")
    p = metrics.accuracy.value
    plain = 2 * 1.96 * (p * (1 - p) / len(truth)) ** 0.5
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        interval = getattr(metrics, name)
        assert 0.9 * plain < interval.high - interval.low < 1.3 * plain


def test_every_figure_lies_inside_an_interval_that_is_no_point(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers
    for count in (1, 2, 3, 10, 50):
        metrics = measure(truth[:count], probabilities[:count], LABELS, "val")
        for interval in every_interval(metrics):
            assert interval.low <= interval.value <= interval.high
            assert interval.low < interval.high
        for name in HEADLINE:
            assert getattr(metrics, name).low >= 0
        json.dumps(metrics.to_json(), allow_nan=False)


@pytest.mark.parametrize("confidence", [0.9, 1.0])
def test_all_right_does_not_claim_certainty(confidence: float) -> None:
    truth = np.array([0, 1] * 10)
    metrics = measure(truth, certain(truth.tolist(), 2, confidence), ["a", "b"], "val")
    assert metrics.accuracy == Interval(1.0, pytest.approx(0.8389, abs=1e-4), 1.0)  # Wilson's of 20 of 20
    assert metrics.balanced_accuracy.low < 0.9
    assert metrics.macro_f1.low < 0.92
    assert metrics.per_class[0].f1.low < 0.9
    assert metrics.log_loss.high > metrics.log_loss.value + 0.1
    assert metrics.ece.high > 0.1 - 1e-6


def test_all_wrong_does_not_claim_it_either() -> None:
    truth = np.zeros(20, np.int64)
    metrics = measure(truth, certain([1] * 20, 2), ["a", "b"], "val")
    assert metrics.accuracy == Interval(0.0, 0.0, pytest.approx(0.1611, abs=1e-4))
    assert metrics.macro_f1.value == 0
    assert metrics.macro_f1.high > 0.1
    assert metrics.log_loss.value == pytest.approx(-np.log(0.1), rel=1e-5)
    assert metrics.log_loss.low < 0.9 * metrics.log_loss.value
    assert metrics.ece.value == pytest.approx(0.9, abs=1e-6)


def test_one_image() -> None:
    metrics = measure(np.array([1]), certain([1], 3, 0.8), ["a", "b", "c"], "val")
    assert metrics.accuracy == Interval(1.0, pytest.approx(0.2065, abs=1e-4), 1.0)
    assert metrics.balanced_accuracy.value == metrics.macro_f1.value == 1
    assert metrics.ece.value == pytest.approx(0.2, abs=1e-6)
    assert metrics.log_loss.value == pytest.approx(-np.log(0.8), abs=1e-6)
    assert metrics.log_loss.low == 0
    assert metrics.log_loss.high > 15


def test_class_without_an_image_is_unknown_and_left_out_of_means() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), [0, 2, 1, 1]
    metrics = measure(truth, certain(predicted, 4), list("abcd"), "val")
    unknown = Interval(0.0, 0.0, 1.0)
    for k in (2, 3):  # one was predicted, one never
        entry = metrics.per_class[k]
        assert (entry.support, entry.precision, entry.recall, entry.f1) == (0, unknown, unknown, unknown)
    assert metrics.balanced_accuracy.value == pytest.approx(0.75)
    expected = f1_score(truth, predicted, labels=[0, 1], average="macro")
    assert metrics.macro_f1.value == pytest.approx(expected)


def test_class_never_predicted_has_unknown_precision() -> None:
    metrics = measure(np.array([0, 0, 1]), certain([0, 0, 0], 2), ["a", "b"], "val")
    assert metrics.per_class[1].precision == Interval(0.0, 0.0, 1.0)
    assert metrics.per_class[1].recall.value == 0


def test_of_equal_probabilities_the_first_class_is_predicted() -> None:
    metrics = measure(np.array([0, 1]), np.full((2, 2), 0.5, np.float32), ["a", "b"], "val")
    np.testing.assert_array_equal(metrics.confusion, [[1, 0], [1, 0]])


def test_wrong_answer_of_probability_zero_costs_a_finite_loss() -> None:
    metrics = measure(np.array([0, 1]), certain([0, 0], 2, 1.0), ["a", "b"], "val")
    assert 7 < metrics.log_loss.value < 9


def test_probabilities_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(ModelError, match="must be finite"):
        measure(np.array([0]), np.array([[np.nan, 1]], np.float32), ["a", "b"], "val")


def test_many_classes_fit() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 1000, 3000)
    probabilities = random.dirichlet(np.ones(1000), 3000).astype(np.float32)
    metrics = measure(truth, probabilities, [f"c{k}" for k in range(1000)], "test", resamples=50)
    assert metrics.accuracy.low < 0.001 < metrics.accuracy.high
    assert metrics.confusion.sum() == 3000
