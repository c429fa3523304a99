"""Signs of health, and what a collapse is put down to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eyebright.training.pretrain.health import (
    Health,
    collapse,
    collapse_cause,
    effective_rank,
    knn_accuracy,
    knn_consistency,
    measure_health,
)
from eyebright.training.pretrain.recipe import PretrainRecipe

SIMCLR = PretrainRecipe("simclr", epochs=1, batch=64)
START = Health(40.0, 20.0, 0.8, 0.6)


def rows(count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def test_the_effective_rank_counts_directions():
    spread = np.zeros((9, 5), np.float32)
    spread[:8, :2] = [[1, 0], [-1, 0], [0, 1], [0, -1]] * 2
    assert effective_rank(spread) == pytest.approx(2, abs=0.01)
    assert effective_rank(np.full((10, 4), 3.3, np.float32)) == 0
    assert effective_rank(rows(400, 6)) > 5.9


def test_neighbours_know_clusters_and_nothing_of_noise():
    truth = np.repeat(np.arange(4), 25)
    assert knn_accuracy(rows(100, 8) / 10 + 3 * np.eye(8, dtype=np.float32)[truth], truth) == 1
    assert knn_accuracy(rows(100, 8), truth) < 0.5


def test_views_are_recognised_by_their_own_image():
    plain = rows(50, 16)
    assert knn_consistency(plain + rows(50, 16, 1) / 100, plain) == 1
    assert knn_consistency(rows(50, 16, 1), plain) < 0.2


def test_numbers_that_are_none_are_a_collapse():
    spoilt = rows(8, 4)
    spoilt[2, 2] = np.nan
    assert collapse(measure_health(spoilt, rows(8, 4), rows(8, 4), None), START)


def test_a_collapse_is_seen_in_any_sign():
    assert not collapse(Health(25.0, 9.0, 0.7, 0.9), START)
    assert collapse(replace(START, projected_rank=1.2), START)
    assert collapse(replace(START, effective_rank=3.0), START)
    assert collapse(replace(START, knn_consistency=0.1), START)


@pytest.mark.parametrize(
    ("recipe", "images", "moved", "words"),
    [
        (replace(SIMCLR, lr=0.5), 64, 3.0, "learning rate is too high: the weights moved by 300 %"),
        (SIMCLR, 64, float("nan"), "learning rate is too high"),
        (replace(SIMCLR, temperature=8.0), 64, 0.01, "temperature of 8.0"),
        (SIMCLR, 4, 0.01, "A batch of 4 images is too small"),
        (replace(SIMCLR, method="vicreg"), 64, 0.01, "augmentation is probably too strong"),
    ],
)
def test_a_collapse_has_a_cause(recipe, images, moved, words):
    assert words in collapse_cause(recipe, images, moved, None)
