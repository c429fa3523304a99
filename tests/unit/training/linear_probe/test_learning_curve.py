"""Parts share no image, each image is evaluated once at each size, and a head of all says what it said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eyebright.evaluation.forecast import forecast
from eyebright.training.linear_probe.head import fit_head
from eyebright.training.linear_probe.learning_curve import learning_curve

N = 400


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,000 handwritten digits as (N, 64) pixels with their classes, in random order."""
    pixels, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(truth))[:1000]
    return pixels[order].astype(np.float32), truth[order].astype(np.int64)


def solver(pixels: np.ndarray, truth: np.ndarray, seen: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    def right(places: np.ndarray) -> np.ndarray:
        seen.append(len(places))
        fit = fit_head(pixels[places], truth[places], 10, strengths=(1e-4, 1e-5, 1e-6))
        return np.asarray(fit.held_out.argmax(axis=1) == truth[places])

    return right


def test_accuracy_grows_and_the_forecast_holds_what_comes(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, truth = digits
    seen: list[int] = []
    right = solver(pixels, truth, seen)
    whole, done = right(np.arange(N)), []
    points = learning_curve(truth[:N], np.arange(N), whole, right, 0, lambda: done.append(1))
    assert [point.share for point in points] == [0.1, 0.2, 0.5, 1.0]
    assert sum(seen) == 4 * N  # ten, five and two parts, and before that all
    assert len(done) == 18
    accuracy = [float(point.right.mean()) for point in points]
    assert accuracy == sorted(accuracy)
    assert points[3].images == pytest.approx(0.8 * N)
    found = forecast([p.images for p in points], np.stack([p.right for p in points]), N)
    assert found is not None
    # Folds of 1,000 images are trained on 800, twice as many as there were.
    assert found.accuracy.low < float(right(np.arange(1000)).mean()) < found.accuracy.high
    assert found.now < found.accuracy.value


def test_copies_stay_together(digits: tuple[np.ndarray, np.ndarray]) -> None:
    _, truth = digits
    groups = np.arange(N) // 2
    classes = np.repeat(truth[: N // 2], 2)
    parts: list[np.ndarray] = []

    def right(places: np.ndarray) -> np.ndarray:
        parts.append(groups[places])
        return np.ones(len(places), bool)

    learning_curve(classes, groups, np.ones(N, bool), right, 3, lambda: None)
    for few in (parts[:5], parts[5:]):
        assert sorted(np.concatenate(few).tolist()) == groups.tolist()
        assert sum(len(set(part.tolist())) for part in few) == N // 2


def test_sizes_with_too_few_images_are_left_out() -> None:
    truth, right = np.repeat(np.arange(6), 5), np.ones(30, bool)
    points = learning_curve(truth, np.arange(30), right, lambda places: right[places], 0, lambda: None)
    assert [point.share for point in points] == [1.0]
