"""Pieces of anomaly detection: the coreset, the detectors, planted defects and scores."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.decode import to_square
from eyebright.training.anomaly.coreset import greedy_coreset
from eyebright.training.anomaly.detector import fit_image_detector, fit_place_detector, whitening
from eyebright.training.anomaly.material import highest
from eyebright.training.anomaly.patches import columns, joined, patch_maps
from eyebright.training.anomaly.planting import PLANTED, plant
from eyebright.training.anomaly.scores import (
    Distances,
    ScoreRule,
    ScoreScale,
    auroc,
    fit_slope,
)
from eyebright.training.anomaly.selection import AnomalyCandidate, select


def test_a_coreset_leaves_no_row_far_away():
    random = np.random.default_rng(0)
    centres = 100 * np.eye(8, 70, dtype=np.float32)
    rows = np.repeat(centres, 50, axis=0) + random.standard_normal((400, 70)).astype(np.float32)
    chosen = greedy_coreset(rows, 8, seed=0)
    assert sorted(chosen // 50) == list(range(8))  # one of each cluster


def test_a_coreset_ends_where_no_row_differs():
    assert len(greedy_coreset(np.ones((20, 3), np.float32), 5, seed=0)) == 1


def test_whitened_rows_have_unit_covariance():
    random = np.random.default_rng(1)
    rows = random.standard_normal((5000, 3)) @ np.array([[3, 1, 0], [0, 1, 0.5], [0, 0, 0.1]])
    rows = (rows - rows.mean(axis=0)).astype(np.float32)
    white = rows @ whitening(rows, 1e-3)
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(3), atol=0.1)


@pytest.mark.parametrize("method", ["whitened memory bank", "memory bank", "gaussian by place"])
def test_a_detector_finds_the_place_that_is_unlike_all_others(method):
    random = np.random.default_rng(2)
    images = random.standard_normal((40, 49, 6)).astype(np.float32)
    detector = fit_place_detector(method, images.reshape(-1, 6), images.mean(axis=0), 200, seed=0)
    image = random.standard_normal((49, 6)).astype(np.float32)
    image[17] += 8
    distances = detector.distances(image)
    assert distances.argmax() == 17
    assert distances[17] > 1.5 * np.delete(distances, 17).max()


def test_the_whole_image_tells_what_no_place_does():
    random = np.random.default_rng(3)
    good = random.standard_normal((60, 100, 5)).astype(np.float32)
    summaries = np.concatenate([good.mean(axis=1), good.std(axis=1)], axis=1)
    detector = fit_image_detector(summaries)
    usual = np.array([detector.distance(row) for row in summaries])
    shifted = random.standard_normal((100, 5)).astype(np.float32) + np.float32(0.8)
    unusual = detector.distance(np.concatenate([shifted.mean(axis=0), shifted.std(axis=0)]))
    assert unusual > 2 * usual.max()


def test_planted_defects_change_the_image_and_are_drawn_from_its_key(photographs):
    square = to_square(photographs["cat"], 96)
    for kind in PLANTED:
        first, again, other = (plant(square, kind, key) for key in (b"a", b"a", b"b"))
        assert first.shape == square.shape
        assert np.array_equal(first, again), kind
        assert not np.array_equal(first, square), kind
        assert not np.array_equal(first, other), kind


def test_local_defects_leave_most_of_the_image_as_it_is(photographs):
    square = to_square(photographs["coffee"], 160)
    for kind in ("pasted", "noisy spot", "blurred spot", "scratch"):
        changed = (plant(square, kind, b"key") != square).any(axis=2).mean()
        assert 0 < changed < 0.1, kind


def test_highest_is_the_mean_of_the_highest():
    assert highest(np.array([1, 5, 3, 2], np.float32), [1, 2, 4]).tolist() == [5, 4, 2.75]


def test_the_probability_is_one_half_at_the_limit():
    scale = ScoreScale(limit=2.5, slope=4)
    assert scale.score(np.array([2.5], np.float32)).tolist() == [1]
    below, at, above = scale.probabilities(np.array([2.0, 2.5, 3.0], np.float32))[:, 1]
    assert at == 0.5
    assert below < at < above


def test_the_slope_follows_how_far_anomalies_lie():
    good = np.random.default_rng(4).standard_normal(500).astype(np.float32)
    near, far = fit_slope(2, good, good + 2), fit_slope(2, good, good + 9)
    assert near < far


def test_either_part_makes_an_image_unusual():
    random = np.random.default_rng(5)
    good = Distances(*np.exp(random.standard_normal((2, 200)) * 0.1).astype(np.float32))
    rule = ScoreRule.of(good, with_whole=True)
    probes = Distances(np.array([1, 2, 1], np.float32), np.array([1, 1, 2], np.float32))
    usual, by_places, by_whole = rule.unusual(probes)
    assert usual < 2 < min(by_places, by_whole)
    assert ScoreRule.of(good, with_whole=False).unusual(probes)[2] < 2


def test_auroc_counts_ties_half():
    assert auroc(np.array([1, 2], np.float32), np.array([2, 3], np.float32)) == 0.875


def test_stages_of_three_finenesses_are_compared_on_one_grid():
    sets = patch_maps(EmbeddedBackbone(), 96)
    assert [maps.name for maps in sets] == ["first", "early", "middle"]
    assert {maps.grid for maps in sets} == {12}
    layers = [[layer.name for layer in maps.layers] for maps in sets]
    assert layers == [["stage0", "stage1"], ["stage1", "stage2"], ["stage2", "stage4"]]
    whole = joined(sets)
    assert whole.channels == 16 + 24 + 40 + 112
    assert columns(sets[1], whole).tolist() == list(range(16, 80))


def test_the_whole_image_counts_unless_that_costs_much():
    def candidate(auroc: float, whole: bool, size: int = 224) -> AnomalyCandidate:
        return AnomalyCandidate(size, "first", "memory bank", 0.0, whole, auroc, {})

    assert select([candidate(0.96, False), candidate(0.94, True)]).whole
    assert not select([candidate(0.96, False), candidate(0.90, True)]).whole
    assert select([candidate(0.95, True, 448), candidate(0.945, True)]).size == 224
    assert select([candidate(0.95, True, 448), candidate(0.92, True)]).size == 448
