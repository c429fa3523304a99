"""The head that fine-tuning begins with has logits as far apart as its loss wants them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

pytest.importorskip("torch")

from eyebright.training.finetune.model.initial_head import initial_head
from eyebright.training.finetune.model.losses import LabelsLoss, SoftTargetLoss
from eyebright.training.linear_probe.head import fit_head

CLASSES = 10


@pytest.fixture(scope="module")
def solved():
    """Features, classes, and the head that was solved on them."""
    pixels, truth = load_digits(return_X_y=True)
    rows, truth = pixels[:400].astype(np.float32), truth[:400].astype(np.int64)
    return rows, truth, fit_head(rows, truth, CLASSES).head


def smoothed_loss(logits: np.ndarray, truth: np.ndarray, smoothing: float = 0.1) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    targets = np.eye(CLASSES)[truth] * (1 - smoothing) + smoothing / CLASSES
    return float(-(targets * log_shares).sum(axis=1).mean())


def test_the_smoothed_loss_is_at_its_lowest_over_all_scales(solved):
    rows, truth, head = solved
    logits = initial_head(head, rows, truth, SoftTargetLoss(0.1)).logits(rows)
    loss = smoothed_loss(logits, truth)
    assert loss < smoothed_loss(head.logits(rows), truth)
    assert loss <= smoothed_loss(logits * 1.1, truth)
    assert loss <= smoothed_loss(logits / 1.1, truth)


def test_it_names_every_image_as_before(solved):
    rows, truth, head = solved
    begun = initial_head(head, rows, truth, SoftTargetLoss(0.1))
    assert (begun.logits(rows).argmax(axis=1) == head.logits(rows).argmax(axis=1)).all()


def test_without_smoothing_it_stays_as_sure_as_it_is(solved):
    rows, truth, head = solved
    begun = initial_head(head, rows, truth, SoftTargetLoss(0.0))
    np.testing.assert_array_equal(begun.weights, head.weights)


def test_several_labels_are_softened_too(solved):
    rows, truth, head = solved
    table = np.eye(CLASSES, dtype=np.int64)[truth]
    begun = initial_head(head, rows, table, LabelsLoss(0.1))
    assert np.ptp(begun.logits(rows)) < np.ptp(head.logits(rows))
