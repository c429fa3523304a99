"""Calibration error against numbers worked out by hand, and temperatures against known scalings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as reference_softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from eyebright.evaluation.calibration import (
    BINS,
    bin_of,
    expected_calibration_error,
    reliability,
)
from eyebright.task.logits import softmax
from eyebright.task.task import MultiClass
from eyebright.task.temperature import TEMPERATURE_BOUNDS, fit_temperature
from eyebright.types import FloatArray, IntArray


def calibration_error(truth: IntArray, probabilities: FloatArray, bins: int = BINS) -> float:
    return expected_calibration_error(*MultiClass().scored(probabilities, truth), bins)


@pytest.fixture(scope="module")
def held_out() -> tuple[FloatArray, IntArray]:
    """Out-of-fold logits of the real digits."""
    x, y = load_digits(return_X_y=True)
    model = LogisticRegression(C=0.1, max_iter=1000)
    logits = cross_val_predict(model, x / 16, y, cv=3, method="decision_function")
    return logits.astype(np.float32), y.astype(np.int64)


def test_softmax_is_that_of_scipy_and_survives_large_logits() -> None:
    logits = np.array([[1.0, 2, 3], [1e4, 0, -1e4], [-5, -5, -5]], np.float32)
    before = logits.copy()
    np.testing.assert_allclose(softmax(logits), reference_softmax(logits, axis=1), atol=1e-6)
    np.testing.assert_allclose(softmax(logits, 2.5), reference_softmax(logits / 2.5, axis=1), atol=1e-6)
    np.testing.assert_array_equal(logits, before)
    assert softmax(logits).dtype == np.float32


def test_calibration_error_worked_out_by_hand() -> None:
    # Five bins. [0.6, 0.8): 0.62 right, 0.66 wrong: 2 x |0.64 - 0.5| = 0.28.
    # [0.8, 1]: 0.9 right, 0.95 right, 1.0 wrong: 3 x |0.95 - 2/3| = 0.85. (0.28 + 0.85) / 5 = 0.226.
    top = np.array([0.62, 0.66, 0.9, 0.95, 1.0])
    probabilities = np.stack([top, 1 - top], axis=1).astype(np.float32)
    truth = np.array([0, 1, 0, 0, 1])
    assert calibration_error(truth, probabilities, bins=5) == pytest.approx(0.226, abs=1e-6)


def test_calibration_error_of_certain_answers() -> None:
    probabilities = np.array([[1, 0], [1, 0]], np.float32)
    assert calibration_error(np.array([0, 0]), probabilities) == 0
    assert calibration_error(np.array([1, 1]), probabilities) == 1
    assert calibration_error(np.array([0, 1]), probabilities) == 0.5


def test_tie_counts_as_the_first_class() -> None:
    probabilities = np.full((1, 2), 0.5, np.float32)
    assert calibration_error(np.array([0]), probabilities) == 0.5
    assert calibration_error(np.array([1]), np.full((1, 4), 0.25, np.float32)) == 0.25


def test_bins_hold_their_lower_edge_and_the_last_holds_one() -> None:
    assert bin_of(np.array([0.0, 0.2, 0.39, 0.4, 0.999, 1.0, 1.0000001]), 5).tolist() == [0, 1, 1, 2, 4, 4, 4]


def test_reliability_bins_add_up_to_the_calibration_error(held_out: tuple[FloatArray, IntArray]) -> None:
    logits, truth = held_out
    probabilities = softmax(logits, 3.0)
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = reliability(confidence, (probabilities.argmax(axis=1) == truth).astype(np.float64))
    assert sum(b.count for b in bins) == len(truth)
    assert all(b.count and b.low <= b.confidence <= b.high for b in bins)
    total = sum(b.count * abs(b.confidence - b.accuracy) for b in bins) / len(truth)
    assert total == pytest.approx(calibration_error(truth, probabilities))
    assert total > 0.1


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.7, 15.0])
def test_temperature_recovers_a_known_scaling(scale: float) -> None:
    random = np.random.default_rng(0)
    logits = 2 * random.standard_normal((20_000, 5)).astype(np.float32)
    drawn = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)  # truth drawn from softmax(logits)
    assert fit_temperature(logits * np.float32(scale), drawn) == pytest.approx(scale, rel=0.03)


def test_temperature_minimises_the_log_loss_of_real_predictions(
    held_out: tuple[FloatArray, IntArray],
) -> None:
    logits, truth = held_out
    fitted = fit_temperature(logits, truth)

    def loss(temperature: float) -> float:
        return -float(log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean())

    best = min(loss(t) for t in np.geomspace(0.05, 20, 400))
    assert loss(fitted) == pytest.approx(best, abs=1e-3)
    assert fit_temperature(logits * np.float32(4), truth) == pytest.approx(4 * fitted, rel=1e-3)


def test_temperature_of_separable_data_claims_no_more_than_the_images_can_tell() -> None:
    truth = np.array([0, 1] * 50)
    logits = np.where(truth[:, None] == np.arange(2), 3.0, -3.0).astype(np.float32)
    confidence = softmax(logits, fit_temperature(logits, truth)).max()
    assert confidence == pytest.approx(1 - 1 / 101, abs=1e-4)


def test_temperature_stays_within_bounds() -> None:
    low, high = TEMPERATURE_BOUNDS
    truth = np.array([0, 1] * 50)
    wrong = np.where(truth[:, None] == np.arange(2), -30.0, 30.0).astype(np.float32)
    assert fit_temperature(wrong, truth) == pytest.approx(high, rel=1e-2)
    tiny = np.where(truth[:, None] == np.arange(2), 1e-3, 0.0).astype(np.float32)
    assert fit_temperature(tiny, truth) == pytest.approx(low, rel=1e-2)


@pytest.mark.parametrize("logits", [[[0.0, 0.0]], [[5.0, -5.0]], [[-5.0, 5.0]], [[2.0]]])
def test_temperature_of_one_image_is_a_number_within_bounds(logits: list[list[float]]) -> None:
    fitted = fit_temperature(np.array(logits, np.float32), np.array([0]))
    assert TEMPERATURE_BOUNDS[0] <= fitted <= TEMPERATURE_BOUNDS[1]
