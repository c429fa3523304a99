"""Figures where an image may have several labels, against scikit-learn on real predictions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from eyebright.evaluation.calibration import uncalibrated_error
from eyebright.evaluation.multilabel.metrics import measure_labels
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.task.logits import sigmoid
from eyebright.task.task import MultiLabel
from eyebright.types import FloatArray, IntArray, Interval

LABELS = ("even", "above six", "prime")
THRESHOLDS = np.array([0.5, 0.4, 0.7])


@pytest.fixture(scope="module")
def predictions() -> tuple[IntArray, FloatArray]:
    """Three questions about handwritten digits, and answers of models that saw 60 others."""
    pixels, digit = load_digits(return_X_y=True)
    truth = np.stack([digit % 2 == 0, digit > 6, np.isin(digit, (2, 3, 5, 7))], axis=1).astype(np.int64)
    models = [LogisticRegression(C=1e-3, max_iter=200).fit(pixels[:60], t[:60]) for t in truth.T]
    answers = np.stack([m.predict_proba(pixels[60:360])[:, 1] for m in models], axis=1)
    return truth[60:360], answers.astype(np.float32)


@pytest.fixture(scope="module")
def measured(predictions: tuple[IntArray, FloatArray]) -> LabelMetrics:
    return measure_labels(*predictions, THRESHOLDS, LABELS, "test")


def intervals(m: LabelMetrics) -> list[Interval]:
    found = [getattr(m, f.name) for f in fields(m)]
    of_labels = [getattr(c, name) for c in m.per_class for name in ("precision", "recall", "f1")]
    return [i for i in (*found, *of_labels) if isinstance(i, Interval)]


def test_figures_are_scikit_learns(predictions: tuple[IntArray, FloatArray], measured: LabelMetrics):
    truth, probabilities = predictions
    named = probabilities >= THRESHOLDS
    assert measured.accuracy.value == pytest.approx(reference.accuracy_score(truth, named))
    assert measured.hamming_loss.value == pytest.approx(reference.hamming_loss(truth, named))
    for average in ("macro", "micro", "weighted"):
        expected = reference.f1_score(truth, named, average=average)
        assert getattr(measured, f"{average}_f1").value == pytest.approx(expected)
    assert measured.roc_auc is not None
    assert measured.average_precision is not None
    assert measured.roc_auc.value == pytest.approx(reference.roc_auc_score(truth, probabilities))
    expected = reference.average_precision_score(truth, probabilities)
    assert measured.average_precision.value == pytest.approx(expected)
    losses = [
        reference.log_loss(t, p.astype(np.float64)) for t, p in zip(truth.T, probabilities.T, strict=True)
    ]
    assert measured.log_loss.value == pytest.approx(np.mean(losses), rel=1e-5)
    scores = [reference.brier_score_loss(t, p) for t, p in zip(truth.T, probabilities.T, strict=True)]
    assert measured.brier.value == pytest.approx(np.mean(scores), rel=1e-5)


def test_each_labels_figures_are_scikit_learns(
    predictions: tuple[IntArray, FloatArray], measured: LabelMetrics
):
    truth, probabilities = predictions
    named = probabilities >= THRESHOLDS
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, named)
    for k, found in enumerate(measured.per_class):
        figures = (found.precision.value, found.recall.value, found.f1.value, found.support)
        assert figures == pytest.approx((precision[k], recall[k], f1[k], support[k]))
        assert found.roc_auc is not None
        area = reference.roc_auc_score(truth[:, k], probabilities[:, k])
        assert found.roc_auc.value == pytest.approx(area)
    tables = reference.multilabel_confusion_matrix(truth, named)
    assert measured.false_negatives.tolist() == tables[:, 1, 0].tolist()
    assert measured.false_positives.tolist() == tables[:, 0, 1].tolist()
    assert measured.together.diagonal().tolist() == support.tolist()


def test_intervals_hold_the_figure_and_are_no_points(measured: LabelMetrics):
    assert all(i.low <= i.value <= i.high and i.low < i.high for i in intervals(measured))


def test_groups_widen_intervals(predictions: tuple[IntArray, FloatArray], measured: LabelMetrics):
    """Ten copies of 30 images are no 300 images."""
    truth, probabilities = (np.tile(table[:30], (10, 1)) for table in predictions)
    groups = np.tile(np.arange(30), 10)
    grouped = measure_labels(truth, probabilities, THRESHOLDS, LABELS, "test", groups=groups)
    alone = measure_labels(truth, probabilities, THRESHOLDS, LABELS, "test")
    for name in ("accuracy", "hamming_loss", "macro_f1", "log_loss"):
        wide, narrow = getattr(grouped, name), getattr(alone, name)
        assert wide.value == pytest.approx(narrow.value)
        assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("count", [1, 40])
def test_all_right_and_all_wrong_have_honest_intervals(
    predictions: tuple[IntArray, FloatArray], right: bool, count: int
):
    truth = predictions[0][:count]
    probabilities = (truth if right else 1 - truth).astype(np.float32)
    m = measure_labels(truth, probabilities, np.full(3, 0.5), LABELS, "val")
    assert m.accuracy.value == (1.0 if right else 0.0)
    assert m.hamming_loss.value == (0.0 if right else 1.0)
    assert all(np.isfinite([i.value, i.low, i.high]).all() and i.low < i.high for i in intervals(m))


def test_images_without_any_label_are_measured_without_nan():
    m = measure_labels(
        np.zeros((20, 3), np.int64), np.full((20, 3), 0.2, np.float32), np.full(3, 0.5), LABELS, "val"
    )
    assert m.accuracy.value == 1.0
    assert m.roc_auc is None
    assert m.average_precision is None
    assert (m.macro_f1.low, m.macro_f1.high) == (0.0, 1.0)
    content: Any = m.to_json()
    assert content["roc_auc"]["value"] is None
    assert "label" in content["roc_auc"]["reason"]


def test_a_temperature_mends_what_is_too_sure(predictions: tuple[IntArray, FloatArray]):
    truth, probabilities = predictions
    honest = np.log(probabilities / (1 - probabilities))
    temperature = MultiLabel().fit_temperature(3 * honest, truth)
    assert temperature == pytest.approx(3 * MultiLabel().fit_temperature(honest, truth), rel=0.02)
    calibrated = sigmoid(honest / MultiLabel().fit_temperature(honest, truth))
    assert uncalibrated_error(truth, calibrated, 3.0) > uncalibrated_error(truth, calibrated, 1.0)
