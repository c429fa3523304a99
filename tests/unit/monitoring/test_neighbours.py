"""Unsure images that lie close together: found soon, and never without a cause."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.monitoring.neighbours import Doubts, doubts_of, log_evidence
from eyebright.monitoring.projection import WIDTH
from eyebright.monitoring.sketch import SampledRows

_CLASSES = np.random.default_rng(9).normal(0, 3, (5, WIDTH))
_MANY = 10**6


def _rows(random: np.random.Generator, images: int, strange: float = 0.0) -> SampledRows:
    """Images of four classes, some of which are borderline, and of a fifth one that is answered as these."""
    new = random.random(images) < strange
    truth = np.where(new, 4, random.integers(0, 4, images))
    places = _CLASSES[truth] + random.normal(0, 1, (images, WIDTH))
    sure = np.where(new, random.uniform(0.5, 1, images), 1 - 0.5 * random.beta(0.4, 2, images))
    probabilities = np.full((images, 4), 0.0)
    probabilities[np.arange(images), truth % 4] = sure
    probabilities += ((1 - sure) / 4)[:, None]
    scores = random.normal(0, 0.4, images)
    wide = probabilities.astype(np.float32), scores.astype(np.float32), places.astype(np.float32)
    return SampledRows(random.random(images), *wide, ("",) * images)


def _reference(random: np.random.Generator, images: int = 300) -> Doubts:
    rows = _rows(random, images)
    return doubts_of(rows.probabilities, rows.scores, rows.projections)


def _evidence(random: np.random.Generator, *shares: float, each: int = 25) -> list[float]:
    found = log_evidence(_reference(random), [_rows(random, each, share) for share in shares], _MANY, 0)
    assert found is not None
    return found.tolist()


def test_a_new_class_that_looks_like_borderline_images_is_found():
    evidence = _evidence(np.random.default_rng(0), *[0.0] * 2, *[0.25] * 8)
    assert evidence[1] < np.log(20) < np.log(100) < evidence[-1]


def test_without_a_change_few_reach_ten():
    """At most one in 10 may, however often one looks."""
    highest = [max(_evidence(np.random.default_rng(seed), *[0.0] * 6)) for seed in range(20)]
    assert sum(value >= np.log(10) for value in highest) <= 4
    assert np.median(highest) < np.log(3)


def test_a_window_of_many_images_is_looked_at_in_pieces():
    random = np.random.default_rng(1)
    [whole] = _evidence(random, 0.2, each=250)
    assert whole > np.log(1000)


def test_a_log_that_lost_rows_goes_on_with_those_that_it_has():
    random = np.random.default_rng(2)
    reference = _reference(random)
    windows = [_rows(random, 25) for _ in range(12)] + [_rows(random, 25, 0.3) for _ in range(8)]
    kept = [SampledRows.empty(4)] * 8 + [windows[8].sampled(3), *windows[9:]]
    rows = sum(map(len, kept))
    evidence = log_evidence(reference, kept, rows, 0)
    assert evidence is not None
    assert not evidence[:9].any()
    assert evidence[-1] > np.log(100)


@pytest.mark.parametrize("images", [0, 3])
def test_a_reference_without_neighbours_tells_nothing(images: int):
    random = np.random.default_rng(3)
    assert log_evidence(_reference(random, images), [_rows(random, 20)], _MANY, 0) is None


def test_unknown_features_tell_nothing():
    random = np.random.default_rng(4)
    rows = _rows(random, 20)
    nothing = SampledRows(rows.keys, rows.probabilities, rows.scores, rows.projections * np.nan, rows.names)
    assert log_evidence(_reference(random), [nothing], _MANY, 0) == pytest.approx([0.0])
    blind = doubts_of(rows.probabilities, rows.scores, nothing.projections)
    assert log_evidence(blind, [rows], _MANY, 0) is None


def test_the_same_rows_give_the_same_evidence():
    first, again = (_evidence(np.random.default_rng(5), 0.2, 0.2) for _ in range(2))
    assert first == again
