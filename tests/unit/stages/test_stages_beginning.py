"""The head that fine-tuning begins with has logits as far apart as its loss wants them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits

pytest.importorskip("torch")

from eyebright.config.train import TrainConfig
from eyebright.stages.beginning import beginning_head
from eyebright.training.head import fit_head

CLASSES = 10


@pytest.fixture(scope="module")
def begun():
    """Features, classes, the solved head, and what training would begin with."""
    pixels, truth = load_digits(return_X_y=True)
    rows, truth = pixels[:400].astype(np.float32), truth[:400].astype(np.int64)
    fit = fit_head(rows, truth, CLASSES)
    return (
        rows,
        truth,
        fit,
        beginning_head(
            TrainConfig(data=Path("photos")), SimpleNamespace(fit=fit, truth=truth), rows, truth, CLASSES
        ),
    )


def smoothed_loss(logits: np.ndarray, truth: np.ndarray, smoothing: float = 0.1) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    targets = np.eye(CLASSES)[truth] * (1 - smoothing) + smoothing / CLASSES
    return float(-(targets * log_shares).sum(axis=1).mean())


def test_the_smoothed_loss_is_at_its_lowest_over_all_scales(begun):
    rows, truth, fit, head = begun
    logits = head.logits(rows)
    loss = smoothed_loss(logits, truth)
    assert loss < smoothed_loss(fit.head.logits(rows), truth)
    assert loss <= smoothed_loss(logits * 1.1, truth)
    assert loss <= smoothed_loss(logits / 1.1, truth)


def test_it_names_images_as_before(begun):
    rows, truth, fit, head = begun
    right = (head.logits(rows).argmax(axis=1) == truth).mean()
    assert right > (fit.head.logits(rows).argmax(axis=1) == truth).mean() - 0.03


def test_without_smoothing_it_stays_sure(begun):
    rows, truth, fit, _ = begun
    start = SimpleNamespace(fit=fit, truth=truth)
    sure = beginning_head(TrainConfig(data=Path("photos"), label_smoothing=0.0), start, rows, truth, CLASSES)
    spread = np.ptp(sure.logits(rows), axis=1).mean()
    assert spread > 1.3 * np.ptp(begun[3].logits(rows), axis=1).mean()
