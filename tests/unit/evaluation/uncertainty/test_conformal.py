"""Sets of classes keep their promise on real predictions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.uncertainty.conformal import (
    SetOutcomes,
    calibrate,
    mass_before,
    measure_sets,
    quantile,
)
from eyebright.evaluation.uncertainty.results import measure_uncertainty
from eyebright.task.logits import softmax
from eyebright.training.linear_probe.head import fit_head
from eyebright.types import FloatArray, IntArray

COVERAGE = 0.97  # more than the model's accuracy, so that the likeliest class alone does not do


@pytest.fixture(scope="module")
def predictions() -> tuple[FloatArray, IntArray]:
    """Probabilities and classes of 1,700 handwritten digits, from a model that saw 97 others."""
    from sklearn.datasets import load_digits

    pixels, truth = load_digits(return_X_y=True)
    rows, truth = pixels.astype(np.float32), truth.astype(np.int64)
    head = fit_head(rows[:97], truth[:97], 10, strengths=(1e-3,), shares=(0.0,)).head
    return softmax(head.logits(rows[97:]), 1.0), truth[97:]


def resplit(predictions: tuple[FloatArray, IntArray], seed: int, count: int) -> tuple[Labelled, Labelled]:
    probabilities, truth = predictions
    order = np.random.default_rng(seed).permutation(len(truth))
    first, rest = order[:count], order[count:]
    return Labelled(probabilities[first], truth[first], "val"), Labelled(
        probabilities[rest], truth[rest], "test"
    )


def test_the_mass_before_a_class_is_that_of_likelier_ones() -> None:
    table = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]], np.float32)
    assert mass_before(table) == pytest.approx(np.array([[0.8, 0, 0.5], [0, 0.4, 0.8]]))


@pytest.mark.parametrize(
    ("count", "coverage", "place"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.95, 95), (1, 0.5, 1)]
)
def test_the_quantile_counts_the_new_image(count: int, coverage: float, place: int) -> None:
    scores = np.linspace(0.01, 0.9, count)
    assert quantile(scores, coverage) == scores[place - 1]


@pytest.mark.parametrize("count", [0, 8])
def test_too_few_images_promise_only_everything(count: int) -> None:
    assert quantile(np.full(count, 0.1), 0.9) == 1


def test_coverage_over_200_resplits_is_what_theory_says(predictions) -> None:
    """With n images the coverage has a beta distribution (Vovk, 2012), where scores have no ties."""
    count, found, sizes = 400, [], []
    for seed in range(200):
        first, rest = resplit(predictions, seed, count)
        rule = calibrate(first.probabilities, first.truth, COVERAGE, False, "val")
        assert rule.threshold > 0
        figures = measure_sets(SetOutcomes.of(rule.sets(rest.probabilities), rest.truth), rest.truth, 10)
        found.append(figures.measured.value)
        sizes.append(figures.mean_size)
    rank = math.ceil((count + 1) * COVERAGE)
    theory = beta(rank, count + 1 - rank)
    # Resplits of the same images are not independent; the mean's error is that of a single split at most.
    spread = math.sqrt(theory.var() + COVERAGE * (1 - COVERAGE) / (len(predictions[1]) - count))
    assert abs(np.mean(found) - theory.mean()) < spread / 3
    assert 0.6 * spread < np.std(found) < 1.4 * spread
    assert 1 < np.mean(sizes) < 6


def test_each_class_keeps_its_own_promise(predictions) -> None:
    alike: list[list[float]] = []
    by_class: list[list[float]] = []
    for seed in range(200):
        first, rest = resplit(predictions, seed, 800)
        rule = calibrate(first.probabilities, first.truth, 0.95, True, "val")
        for outcomes, shares in zip(
            rule.outcomes(rest.probabilities, rest.truth), (alike, by_class), strict=True
        ):
            classes = measure_sets(outcomes, rest.truth, 10).classes
            shares.append([share.value for share in classes if share])
    least_alike, least_by_class = (np.mean(shares, axis=0).min() for shares in (alike, by_class))
    assert least_by_class > 0.94
    assert least_alike < 0.92  # one threshold for all does not promise it


def test_a_set_is_never_empty_and_holds_the_likeliest(predictions) -> None:
    probabilities, truth = predictions
    sets = calibrate(probabilities, truth, 0.5, False, "val").sets(probabilities)
    assert sets[np.arange(len(truth)), probabilities.argmax(axis=1)].all()
    assert sets.sum() == len(truth)  # the likeliest is right more often than half of the time


def test_figures_of_classes_without_an_image(predictions) -> None:
    probabilities, truth = predictions
    rule = calibrate(probabilities, truth, 0.9, False, "val")
    threes = truth == 3
    evaluated = Labelled(probabilities[threes], truth[threes], "test")
    names = [str(k) for k in range(10)]
    figures: Any = measure_uncertainty(names, evaluated, None, None, rule).to_json()["conformal"]
    assert figures["classes"]["4"] == {"images": 0, "measured": None, "mean_set_size": None}
    assert figures["classes"]["3"]["measured"] == figures["measured"]
    assert figures["class_conditional"]["mean_set_size"] >= 1
