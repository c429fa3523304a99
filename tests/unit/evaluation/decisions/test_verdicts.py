"""Verdicts on targets: what the images show, against exact limits of scipy, and how many it takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from eyebright.evaluation.decisions.operating import Answers, Labelled, check, choose
from eyebright.evaluation.decisions.targets import OperatingTarget
from eyebright.evaluation.decisions.verdicts import images_needed, judge
from eyebright.evaluation.proportions import least, proportion
from eyebright.runs.operating_points import measure_points, thresholds

RECALL = OperatingTarget("recall", "bad", 0.95)
ALARMS = OperatingTarget("false_positive_rate", "bad", 0.012)


def hits(right: int, count: int) -> np.ndarray:
    return np.arange(count) < right


@pytest.mark.parametrize(
    ("right", "count", "verdict"),
    [
        (60, 60, "met"),
        (58, 58, "not shown"),
        (98, 100, "not shown"),
        (94, 100, "missed"),
        (0, 0, "not shown"),
    ],
)
def test_a_target_is_met_only_where_its_exact_limit_keeps_to_it(right: int, count: int, verdict: str) -> None:
    found = judge(RECALL, hits(right, count))
    assert found.name == verdict
    if count:
        exact = binomtest(right, count, alternative="greater").proportion_ci(0.95, "exact")
        assert found.limit == pytest.approx(exact.low, abs=1e-6)


def test_twelve_good_images_do_not_show_a_rare_false_alarm() -> None:
    found = judge(ALARMS, hits(0, 12))
    assert (found.name, found.counted, found.errors, found.flawless) == ("not shown", 12, 0, True)
    assert found.limit == pytest.approx(1 - 0.05 ** (1 / 12))
    assert found.needed == 249  # the rule of three says 3 / 0.012 = 250
    assert judge(ALARMS, hits(0, found.needed)).name == "met"
    assert judge(ALARMS, hits(0, found.needed - 1)).name == "not shown"


def test_more_images_are_needed_where_errors_occur_and_none_suffice_for_perfection() -> None:
    found = judge(RECALL, hits(98, 100))
    assert not found.flawless
    assert found.needed > 100
    assert judge(RECALL, hits(round(0.98 * found.needed), found.needed)).name == "met"
    assert judge(RECALL, hits(90, 100)).flawless  # at this rate no number suffices
    assert images_needed(1.0) is None
    assert judge(OperatingTarget("false_positive_rate", "bad", 0.0), hits(0, 500)).name == "not shown"


def test_images_of_one_patient_are_one_observation() -> None:
    right, patients = hits(80, 80), np.repeat(np.arange(8), 10)
    assert judge(RECALL, right).name == "met"
    found = judge(RECALL, right, patients)
    assert (found.name, found.counted, found.grouped) == ("not shown", 8, True)
    # Two patients of eight are missed altogether: the images alone would promise far more.
    right = np.repeat([True] * 6 + [False] * 2, 10)
    assert least(right, patients) < 0.45 < least(right)
    assert proportion(right, patients).low < 0.45 < 0.64 < proportion(right).low


def test_the_price_counts_what_is_answered() -> None:
    scores = np.array([0.9, 0.4, 0.3, 0.35, 0.1], np.float32)
    positive = np.array([True, True, False, False, False])
    (threshold,) = choose([RECALL], scores, positive, "val")
    given, without = scores >= threshold.value, scores >= 0.5
    found = check(threshold, Answers(given, without), positive, "test")
    assert (found.answered.value, found.answered_without) == (0.4, 0.2)
    assert found.to_json()["verdict"] == "not shown"


def evaluated(probabilities: list[list[float]], truth: list[int]) -> Labelled:
    return Labelled(np.array(probabilities, np.float32), np.array(truth), "val")


def test_targets_of_one_class_share_a_threshold_and_the_first_counts() -> None:
    bad = [0.9, 0.8, 0.7, 0.6, 0.5, 0.2]
    images = evaluated([[p, 1 - p] for p in bad], [0, 1, 0, 0, 1, 0])
    recall, precision = OperatingTarget("recall", "bad", 0.75), OperatingTarget("precision", "bad", 0.7)
    first, second = thresholds([recall, precision], ["bad", "good"], images)
    assert first.value == second.value == pytest.approx(0.55)
    assert (first.met, second.met) == (True, True)
    strict = OperatingTarget("precision", "bad", 1.0)
    first, second = thresholds([recall, strict], ["bad", "good"], images)
    assert (first.met, second.met, second.chosen) == (True, False, 0.75)
    first, second = thresholds([strict, recall], ["bad", "good"], images)
    assert (first.met, second.met, second.chosen) == (True, False, 0.25)


def test_verdicts_count_what_is_predicted_where_thresholds_overlap() -> None:
    both = evaluated([[0.6, 0.4]] * 40 + [[0.4, 0.6]] * 40, [0] * 40 + [1] * 40)
    targets = [OperatingTarget("recall", label, 0.9) for label in ("bad", "good")]
    chosen = thresholds(targets, ["bad", "good"], both)
    loose = [type(t)(t.target, value, True, 1.0, "val") for t, value in zip(chosen, (0.3, 0.35), strict=True)]
    points = measure_points(loose, None, ["bad", "good"], both, seed=0)
    first, second = (curve.point for curve in points.curves)
    assert points.contested == 80
    # Every image reaches both; 0.4 / 0.3 is less than 0.6 / 0.35, but 0.6 / 0.3 is more than 0.4 / 0.35.
    assert (first.value.value, second.value.value) == (1.0, 1.0)
    tight = [type(t)(t.target, value, True, 1.0, "val") for t, value in zip(chosen, (0.2, 0.39), strict=True)]
    first, second = (c.point for c in measure_points(tight, None, ["bad", "good"], both, seed=0).curves)
    assert (first.verdict.name, second.verdict.name) == ("met", "missed")
