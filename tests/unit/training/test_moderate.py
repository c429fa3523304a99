"""The head that fine-tuning begins with, on scikit-learn's digits with few images and squared features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eyebright.training.head import HeadFit, fit_head
from eyebright.training.moderate import moderate_head
from eyebright.training.tasks import image_losses
from eyebright.types import FloatArray, IntArray


@pytest.fixture(scope="module")
def digits() -> tuple[FloatArray, IntArray]:
    """More columns than rows, so that the best head is right and sure of each row that it was solved on."""
    pixels, truth = load_digits(return_X_y=True)
    squares = np.einsum("na,nb->nab", pixels[:600, 16:48], pixels[:600, 16:48]).reshape(600, -1)
    return squares.astype(np.float32), truth[:600].astype(np.int64)


@pytest.fixture(scope="module")
def solved(digits) -> HeadFit:
    return fit_head(digits[0][:300], digits[1][:300], 10, shares=(0.0,))


def held_out_loss(solved: HeadFit, truth: IntArray) -> float:
    return float(image_losses(solved.held_out, truth).mean())


def test_its_loss_is_that_of_rows_it_has_not_seen(digits, solved):
    rows, truth = digits[0][:300], digits[1][:300]
    expected = held_out_loss(solved, truth)
    assert image_losses(solved.head.logits(rows), truth).mean() < expected / 5
    head = moderate_head(rows, truth, 10, solved, expected, seed=0)
    assert image_losses(head.logits(rows), truth).mean() >= expected
    right = head.logits(digits[0][300:]).argmax(axis=1) == digits[1][300:]
    before = solved.head.logits(digits[0][300:]).argmax(axis=1) == digits[1][300:]
    assert right.mean() > before.mean() - 0.05


def test_a_head_that_is_unsure_already_stays_as_it_is(digits, solved):
    rows, truth = digits[0][:300], digits[1][:300]
    assert moderate_head(rows, truth, 10, solved, 0.0, seed=0) is solved.head


def test_the_strongest_is_taken_where_none_is_unsure_enough(digits, solved):
    rows, truth = digits[0][:300], digits[1][:300]
    strongest = moderate_head(rows, truth, 10, solved, 100.0, seed=0)
    some = moderate_head(rows, truth, 10, solved, held_out_loss(solved, truth), seed=0)
    assert image_losses(strongest.logits(rows), truth).mean() > image_losses(some.logits(rows), truth).mean()
