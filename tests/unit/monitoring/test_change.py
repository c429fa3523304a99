"""Tests of a change: they keep to their promise without one, and find one soon."""

from __future__ import annotations

import numpy as np

from eyebright.monitoring.label_shift import class_frequencies
from eyebright.monitoring.martingale import log_martingale
from eyebright.monitoring.projected_shift import Whitening, log_shift
from eyebright.monitoring.projection import WIDTH, FeatureProjection
from eyebright.monitoring.signals import SIGNALS, histogram, median
from eyebright.monitoring.sketch import Sketch
from eyebright.training.ood import fit_residual
from eyebright.types import FloatArray, IntArray


def _counts(random: np.random.Generator, middle: float, images: int) -> IntArray:
    return histogram("brightness", random.normal(middle, 0.15, images))


def _window(projections: FloatArray) -> Sketch:
    wide = projections.astype(np.float64)
    empty = Sketch.empty(2, 0, 1)
    return Sketch(
        **{
            **vars(empty),
            "images": len(wide),
            "projected": len(wide),
            "projection_sums": wide.sum(axis=0),
            "projection_products": wide.T @ wide,
        }
    )


def test_without_a_change_few_martingales_ever_reach_twenty():
    """At most one in 20 may, over all windows, however small the reference."""
    beyond = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        windows = [_counts(random, 0.5, 10) for _ in range(40)]
        beyond += log_martingale(_counts(random, 0.5, 30), windows, [seed]).max() >= np.log(20)
    assert beyond <= 3


def test_a_change_is_found_when_it_begins_late():
    random = np.random.default_rng(0)
    windows = [_counts(random, 0.5 - 0.15 * (t >= 30), 20) for t in range(40)]
    evidence = log_martingale(_counts(random, 0.5, 100), windows, [0])
    assert evidence[29] < np.log(100) < evidence[35]


def test_a_window_may_lack_a_signal():
    random = np.random.default_rng(0)
    reference, some = _counts(random, 0.5, 50), _counts(random, 0.5, 20)
    evidence = log_martingale(reference, [np.zeros_like(some), some, np.zeros_like(some)], [0])
    assert np.isfinite(evidence).all()
    assert evidence[0] == 0


def test_the_same_counts_give_the_same_evidence():
    random = np.random.default_rng(0)
    reference, windows = _counts(random, 0.5, 50), [_counts(random, 0.4, 3000)]
    first, again = (log_martingale(reference, windows, [1, 2]) for _ in range(2))
    assert first[0] > np.log(100)
    assert np.array_equal(first, again)


def test_a_few_unusual_images_are_found_sooner_by_stakes_on_the_tail():
    random = np.random.default_rng(1)
    reference = histogram("uncertainty", random.normal(0, 1, 300))
    values = np.where(random.random(300) < 0.25, 2.0, random.normal(0, 1, 300))
    windows = [histogram("uncertainty", part) for part in np.split(values, 12)]
    plain, tail = (log_martingale(reference, windows, [0], tail=tail)[-1] for tail in (False, True))
    assert tail > plain > np.log(100)


def test_moved_features_are_found_and_others_are_not():
    random = np.random.default_rng(0)
    reference = random.standard_t(5, (200, WIDTH)).astype(np.float32)
    whitening = Whitening.fit(reference)
    assert whitening is not None
    still = [random.standard_t(5, (20, WIDTH)).astype(np.float32) for _ in range(20)]
    moved = still[:10] + [rows + np.float32(0.3) for rows in still[10:]]
    assert log_shift(whitening, reference, [_window(rows) for rows in still]).max() < np.log(20)
    evidence = log_shift(whitening, reference, [_window(rows) for rows in moved])
    assert evidence[9] < np.log(20) < np.log(1000) < evidence[-1]


def test_few_reference_images_have_few_directions():
    random = np.random.default_rng(0)
    found = Whitening.fit(random.normal(size=(21, WIDTH)).astype(np.float32))
    assert found is not None
    assert found.basis.shape[1] == 5
    assert Whitening.fit(random.normal(size=(3, WIDTH)).astype(np.float32)) is None
    assert Whitening.fit(np.full((50, WIDTH), np.nan, np.float32)) is None


def test_projections_depend_on_the_model_alone():
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 100)).astype(np.float32)
    residual = fit_residual(features)
    for made in (lambda: FeatureProjection("ab", None), lambda: FeatureProjection("ab", residual)):
        whole, one = made()(features), made()(features[7:8])
        np.testing.assert_allclose(whole[7:8], one, atol=1e-5)
        assert whole.shape == (60, WIDTH)
        assert whole.any()
    assert not np.allclose(FeatureProjection("ab", None)(features), FeatureProjection("cd", None)(features))


def test_class_frequencies_are_found_from_calibrated_probabilities():
    random = np.random.default_rng(0)
    now = np.array([0.6, 0.3, 0.1])
    truth = random.choice(3, 4000, p=now)
    values = truth + random.normal(0, 0.5, 4000)
    likelihood = np.exp(-((values[:, None] - np.arange(3)) ** 2) / 0.5)
    probabilities = (likelihood / likelihood.sum(axis=1, keepdims=True)).astype(np.float32)
    found = class_frequencies(probabilities, np.full(3, 1 / 3))
    np.testing.assert_allclose(found, now, atol=0.03)
    assert abs(probabilities.mean(axis=0) - now).max() > 0.05


def test_every_signal_has_bins_for_any_number():
    for signal in SIGNALS:
        counts = histogram(signal, np.array([-1e9, 0.0, 0.5, 1.0, 1e9]))
        assert counts.sum() == 5
        assert np.isfinite(median(signal, counts))
