"""The discriminant against scikit-learn's, and what a mixture of two heads may and may not do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from eyebright.training.linear_probe.head import fit_head
from eyebright.training.linear_probe.lda import SHARES, Mixture, discriminant, log_loss, mix
from eyebright.types import FloatArray, IntArray

CLASSES = 10


@pytest.fixture(scope="module")
def digits() -> tuple[FloatArray, IntArray]:
    """Real handwritten digits, in directions that vary within their classes as much as any other."""
    data = load_digits()
    pixels, truth = data.data, data.target.astype(np.int64)
    means = np.stack([pixels[truth == c].mean(axis=0) for c in range(CLASSES)])
    deviation = (pixels - means[truth]).std(axis=0)
    moving = deviation > 0.1
    return (pixels[:, moving] / deviation[moving]).astype(np.float32), truth


def logits(coefficients: FloatArray, rows: FloatArray) -> FloatArray:
    return rows @ coefficients[:-1] + coefficients[-1]


def test_agrees_with_scikit_learn(digits) -> None:
    rows, truth = digits
    ours = logits(discriminant(rows, truth, np.full(len(rows), 1 / len(rows), np.float32), CLASSES), rows)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.23).fit(rows, truth)
    expected = theirs.predict_log_proba(rows)
    ours -= logsumexp(ours, axis=1, keepdims=True)
    assert (ours.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.995
    likely = expected > -10
    np.testing.assert_allclose(ours[likely], expected[likely], atol=0.5)


def test_a_row_of_weight_two_counts_as_two_rows(digits) -> None:
    rows, truth = digits[0][:300], digits[1][:300]
    weights = np.where(np.arange(300) < 50, 2, 1).astype(np.float32)
    doubled = discriminant(
        np.concatenate([rows, rows[:50]]),
        np.concatenate([truth, truth[:50]]),
        np.ones(350, np.float32),
        CLASSES,
    )
    np.testing.assert_allclose(discriminant(rows, truth, weights, CLASSES), doubled, rtol=2e-3, atol=2e-3)


def test_rows_of_no_weight_are_not_looked_at(digits) -> None:
    rows, truth = digits[0][:400].copy(), digits[1][:400]
    weights = (np.arange(400) < 300).astype(np.float32)
    before = discriminant(rows, truth, weights, CLASSES)
    rows[300:] = rows[300:] * 7 - 5
    np.testing.assert_array_equal(discriminant(rows, truth, weights, CLASSES), before)


def test_a_class_without_rows_is_never_named(digits) -> None:
    rows, truth = digits
    weights = (truth != 4).astype(np.float32)
    answers = logits(discriminant(rows, truth, weights, CLASSES), rows)
    assert np.isfinite(answers).all()
    assert (answers.argmax(axis=1) != 4).all()


def test_the_mixture_is_never_worse_on_the_rows_that_chose_it(digits) -> None:
    rows, truth = digits
    weights = np.ones(len(rows), np.float32)
    first = logits(discriminant(rows[:, ::2], truth, weights, CLASSES), rows[:, ::2]) / 5
    second = logits(discriminant(rows[:, 1::2], truth, weights, CLASSES), rows[:, 1::2])
    chosen = mix(first, second, truth, weights)
    assert chosen.share > 0  # each half of the pixels knows something that the other does not
    assert log_loss(chosen.of(first, second), truth, weights) < log_loss(first, truth, weights)


def test_noise_gets_no_share(digits) -> None:
    rows, truth = digits
    weights = np.ones(len(rows), np.float32)
    first = logits(discriminant(rows, truth, weights, CLASSES), rows) / 5
    noise = np.random.default_rng(0).normal(0, 3, first.shape).astype(np.float32)
    assert mix(first, noise, truth, weights).share == 0


def test_mixed_coefficients_give_mixed_logits(digits) -> None:
    rows, truth = digits
    one = discriminant(rows, truth, np.ones(len(rows), np.float32), CLASSES)
    other = discriminant(rows, truth, (np.arange(len(rows)) % 2).astype(np.float32), CLASSES)
    mixture = Mixture(0.25, 8.0)
    np.testing.assert_allclose(
        logits(mixture.of(one, other), rows), mixture.of(logits(one, rows), logits(other, rows)), atol=1e-3
    )


def test_the_head_mixes_it_in_where_held_out_digits_like_it(digits) -> None:
    rows, truth = digits[0][:600], digits[1][:600]
    alone = fit_head(rows, truth, CLASSES, shares=(0.0,))
    mixed = fit_head(rows, truth, CLASSES)
    even = np.ones(600, np.float32)
    assert alone.discriminant_share == 0
    assert mixed.discriminant_share in SHARES[1:]
    assert log_loss(mixed.held_out, truth, even) < log_loss(alone.held_out, truth, even)
