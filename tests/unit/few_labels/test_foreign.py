"""Foreign images among the unlabelled ones: found as clusters that no label falls into."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eyebright.few_labels.foreign import foreign
from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.types import BoolArray, FloatArray, IntArray


@pytest.fixture(scope="module")
def digits() -> tuple[FloatArray, IntArray]:
    pixels, truth = load_digits(return_X_y=True)
    return pixels.astype(np.float32), truth.astype(np.int64)


def _labelled(truth: IntArray, each: int, classes: int = 10) -> IntArray:
    return np.concatenate([np.flatnonzero(truth == k)[:each] for k in range(classes)])


def _found(rows: FloatArray, taken: IntArray, others: FloatArray) -> BoolArray:
    space = ImageSpace.fit(np.concatenate([rows[taken], others]).astype(np.float16), 0)
    return foreign(space, len(taken), 0)


def test_of_the_same_kind_nothing_is_foreign(digits):
    rows, truth = digits
    taken = _labelled(truth, 5)
    others = np.setdiff1d(np.arange(len(rows)), taken)
    assert not _found(rows, taken, rows[others]).any()


def test_a_frequent_class_with_as_few_labels_as_all_is_not_foreign(digits):
    """Of the digits without a label, half are zeros."""
    rows, truth = digits
    taken = _labelled(truth, 5)
    rest = np.setdiff1d(np.arange(len(rows)), taken)
    zeros, others = rest[truth[rest] == 0], rest[truth[rest] != 0][:150]
    assert not _found(rows, taken, rows[np.concatenate([zeros, others])]).any()


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_images_of_another_kind_are_foreign(digits, share):
    """Digits that are turned and inverted, on which no label lies."""
    rows, truth = digits
    taken = _labelled(truth, 5)
    own = np.setdiff1d(np.arange(len(rows)), taken)[:600]
    count = round(share / (1 - share) * len(own))
    strange = 16 - rows[-count:].reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)
    found = _found(rows, taken, np.concatenate([rows[own], strange]))
    assert found[len(own) :].mean() > 0.9
    assert found[: len(own)].mean() < 0.02


def test_one_label_tells_nothing(digits):
    rows, _ = digits
    assert not _found(rows, np.array([0]), rows[1:60]).any()
