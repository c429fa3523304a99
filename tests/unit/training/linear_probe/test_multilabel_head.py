"""The head of several labels: each a logistic regression, against scikit-learn's on real digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from eyebright.task.logits import binary_cross_entropy, sigmoid
from eyebright.task.task import task_of
from eyebright.training.linear_probe.multilabel import LabelProblems, fit_labels
from eyebright.types import FloatArray, IntArray

COUNT = 300


@pytest.fixture(scope="module")
def questions() -> tuple[FloatArray, IntArray]:
    """Pixels (300, 64) of digits, and whether each is even, above six, prime."""
    pixels, digit = load_digits(return_X_y=True)
    truth = np.stack([digit % 2 == 0, digit > 6, np.isin(digit, (2, 3, 5, 7))], axis=1)
    return pixels[:COUNT].astype(np.float32), truth[:COUNT].astype(np.int64)


def test_the_solution_is_scikit_learns(questions: tuple[FloatArray, IntArray]):
    pixels, truth = questions
    rows = (pixels - pixels.mean(axis=0)) / 40
    weights = np.full((COUNT, 1), 1 / COUNT, np.float32)
    l2 = 1e-3
    start = np.zeros((65, 1, 3), np.float32)
    found = LabelProblems(rows, truth, weights).solve(l2, start, tolerance=1e-4)[:, 0]
    for k in range(3):
        model = LogisticRegression(C=1 / (l2 * COUNT), tol=1e-8, max_iter=2000).fit(rows, truth[:, k])
        np.testing.assert_allclose(
            rows @ found[:-1, k] + found[-1, k], model.decision_function(rows), atol=0.05
        )


def test_folds_solved_together_are_those_solved_alone(questions: tuple[FloatArray, IntArray]):
    pixels, truth = questions
    rows = (pixels - pixels.mean(axis=0)) / 40
    weights = np.random.default_rng(0).random((COUNT, 2)).astype(np.float32)
    weights /= weights.sum(axis=0)
    both = LabelProblems(rows, truth, weights).solve(1e-3, np.zeros((65, 2, 3), np.float32), 1e-4)
    one = LabelProblems(rows, truth, weights[:, 1:]).solve(1e-3, np.zeros((65, 1, 3), np.float32), 1e-4)
    np.testing.assert_allclose(rows @ both[:-1, 1], rows @ one[:-1, 0], atol=0.05)


def test_the_head_answers_unseen_digits(questions: tuple[FloatArray, IntArray]):
    pixels, truth = questions
    fit, again = (
        fit_labels(pixels[:200], truth[:200], task_of(truth[:200]).strata(truth[:200])) for _ in range(2)
    )
    assert fit.head.weights.tobytes() == again.head.weights.tobytes()
    unseen = task_of(truth).correct(fit.head.logits(pixels[200:]), truth[200:]).mean()
    held_out = task_of(truth).correct(fit.held_out, truth[:200]).mean()
    assert unseen > 0.6
    assert abs(held_out - unseen) < 0.15
    assert fit.l2 == min(fit.path, key=lambda point: point.log_loss).l2


def test_a_label_that_is_nearly_always_true_stays_finite(questions: tuple[FloatArray, IntArray]):
    pixels, truth = questions
    rare = truth.copy()
    rare[:, 0] = 1
    rare[7, 0] = 0
    fit = fit_labels(pixels, rare, task_of(rare).strata(rare))
    assert np.isfinite(fit.held_out).all()
    assert np.isfinite(fit.head.weights).all()
    assert (fit.held_out[:, 0] > 0).mean() > 0.95


def test_losses_of_very_sure_answers_are_finite():
    logits = np.array([[1000.0, -1000.0]], np.float32)
    assert binary_cross_entropy(logits, np.array([[1, 1]])).tolist() == [[0, 1000]]
    assert task_of(np.array([[1, 1]])).losses(logits, np.array([[1, 1]])).tolist() == [500]
    assert sigmoid(logits).tolist() == [[1, 0]]


def test_strata_are_the_rarest_labels():
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0]])
    assert task_of(truth).strata(truth).tolist() == [1, 0, 3, 2, 0]
    assert task_of(np.array([2, 0, 1])).strata(np.array([2, 0, 1])).tolist() == [2, 0, 1]
