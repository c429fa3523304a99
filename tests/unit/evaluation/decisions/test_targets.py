"""Targets, thresholds and costs on real predictions, against brute force and scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from eyebright.errors import ConfigError, EyebrightError, NotFoundError
from eyebright.evaluation.decisions.costs import cheapest, measure_costs, read_costs
from eyebright.evaluation.decisions.curves import operating_curve
from eyebright.evaluation.decisions.operating import Answers, check, choose, counted_by
from eyebright.evaluation.decisions.targets import (
    Figure,
    OperatingTarget,
    check_target,
    choose_threshold,
    parse_target,
)
from eyebright.types import FloatArray, IntArray


@pytest.fixture(scope="module")
def eights() -> tuple[FloatArray, np.ndarray]:
    """Probabilities that digits are an 8, with ties, and whether they are."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order]
    model = LogisticRegression(C=0.0003, max_iter=500).fit(x[:150], y[:150] == 8)
    return np.round(model.predict_proba(x[150:])[:, 1], 3).astype(np.float32), y[150:] == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recall(defective) >= 0.95", OperatingTarget("recall", "defective", 0.95)),
        ("false_positive_rate(a (b)) <= 1.2%", OperatingTarget("false_positive_rate", "a (b)", 0.012)),
        ("precision( 猫 )≥0.99", OperatingTarget("precision", "猫", 0.99)),
        ("specificity(x)>=1", OperatingTarget("specificity", "x", 1.0)),
        ("recall(x) >= 99.9 %", OperatingTarget("recall", "x", 0.999)),
        ("recall(x) >= 0.9999999", OperatingTarget("recall", "x", 0.9999999)),
        ("false_positive_rate(x) <= 0.00001", OperatingTarget("false_positive_rate", "x", 0.00001)),
    ],
)
def test_targets_are_read_as_they_are_written(text: str, expected: OperatingTarget) -> None:
    assert parse_target(text) == expected
    assert parse_target(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recall >= 0.9", r"look like recall\(CLASS\) >= 0.95"),
        ("recal(x) >= 0.9", "closest matches are: recall"),
        ("recall(x) <= 0.9", "Reverse the comparison sign"),
        ("false_positive_rate(x) >= 0.1", "Reverse the comparison sign"),
        ("recall(x) >= 95", "from 0 to 1"),
        ("recall(x) >= 0..5", "from 0 to 1"),
    ],
)
def test_what_is_no_target_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_target(text)


def test_an_unknown_class_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"closest matches are: defective.*recall\(defective\)"):
        check_target(OperatingTarget("recall", "defectiv", 0.9), ["defective", "good"])


@pytest.mark.parametrize("figure", ["recall", "precision", "specificity", "false_positive_rate"])
@pytest.mark.parametrize("bound", [0.02, 0.5, 0.9, 0.97])
def test_thresholds_are_the_best_of_all(eights: tuple[FloatArray, np.ndarray], figure, bound: float) -> None:
    scores, positive = eights
    target = OperatingTarget(figure, "8", bound)
    threshold = choose_threshold([target], scores, positive)

    def at(t: float) -> dict[str, float]:
        counted = {name: counted_by(name, scores >= t, positive).hit for name in get_args(Figure)}
        return {name: float(hit.mean()) for name, hit in counted.items() if len(hit)}

    kept = [
        f for f in map(at, np.unique(scores)) if f["recall"] > 0 and target.met_by(np.array([f[figure]]))[0]
    ]
    found = at(threshold)
    if kept:
        assert target.met_by(np.array([found[figure]]))[0]
        if figure == "recall":
            assert found["false_positive_rate"] == min(f["false_positive_rate"] for f in kept)
        else:
            assert found["recall"] == max(f["recall"] for f in kept)


def test_a_target_that_cannot_be_met_gives_the_best(eights: tuple[FloatArray, np.ndarray]) -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.2], np.float32)
    positive = np.array([False, True, False, True])
    (chosen,) = choose([OperatingTarget("precision", "8", 0.9)], scores, positive, "val")
    assert not chosen.met
    assert chosen.chosen == 0.5
    (every,) = choose([OperatingTarget("recall", "8", 1.0)], scores, positive, "val")
    assert (every.met, every.chosen) == (True, 1.0)
    assert every.value == pytest.approx(0.1)


def test_figures_have_wilsons_intervals_and_are_none_without_images(
    eights: tuple[FloatArray, np.ndarray],
) -> None:
    scores, positive = eights
    (chosen,) = choose([OperatingTarget("recall", "8", 0.9)], scores[:800], positive[:800], "val")
    truth, named = positive[800:], scores[800:] >= chosen.value
    point = check(chosen, Answers(named, scores[800:] >= 0.5), truth, "test")
    tn, fp, fn, tp = confusion_matrix(truth, named).ravel()
    assert point.value.value == pytest.approx(tp / (tp + fn))
    expected = binomtest(int(tp), int(tp + fn)).proportion_ci(method="wilson")
    assert (point.value.low, point.value.high) == pytest.approx((expected.low, expected.high))
    assert point.figures["false_positive_rate"].value == pytest.approx(fp / (fp + tn))
    others = np.zeros((~positive).sum(), bool)
    none = check(chosen, Answers(scores[~positive] >= chosen.value, others), others, "test")
    assert none.value is None
    assert none.to_json()["value"] is None
    assert "reason" in none.to_json()


def test_curves_are_those_of_scikit_learn(eights: tuple[FloatArray, np.ndarray]) -> None:
    scores, positive = eights
    (chosen,) = choose([OperatingTarget("recall", "8", 0.9)], scores, positive, "val")
    named = scores >= chosen.value
    point = check(chosen, Answers(named, named), positive, "test")
    curve = operating_curve(point, scores, positive)
    alarms, recall, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert set(curve.roc) <= set(zip(alarms.tolist(), recall.tolist(), strict=True))
    precision, found, _ = precision_recall_curve(positive, scores)
    assert set(curve.precision_recall) <= set(zip(found.tolist(), precision.tolist(), strict=True))
    assert (curve.roc[0], curve.roc[-1]) == ((0, 0), (1, 1))
    assert operating_curve(point, scores, np.zeros_like(positive)).roc == ()


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_costs_are_read_by_name_and_decide(tmp_path: Path) -> None:
    path = written(tmp_path / "costs.csv", "truth,good,bad\nbad,10,0\ngood,0,1\n")
    costs = read_costs(path, ["bad", "good"])
    np.testing.assert_array_equal(costs, [[0, 10], [1, 0]])
    probabilities = np.array([[0.05, 0.95], [0.2, 0.8]], np.float32)
    np.testing.assert_array_equal(cheapest(probabilities, costs), [1, 0])
    truth: IntArray = np.array([1, 0])
    figures = measure_costs(truth, probabilities, costs, seed=0)
    assert (figures.likeliest.value, figures.cheapest.value, figures.saved.value) == (5, 0, 5)
    for interval in (figures.likeliest, figures.cheapest, figures.saved):
        assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t,good,bad\nbad,10,0\ngod,0,1\n", "closest are: good"),
        ("t,good\ngood,0\n", "Missing or repeated in .*: bad"),
        ("t,good,bad\nbad,10,zero\ngood,0,1\n", "must contain a number"),
        ("t,good,bad\nbad,10,nan\ngood,0,1\n", "must contain a number"),
        ("", "at least two columns"),
        ("t,good,bad\nbad,10\ngood,0,1\n", "Line 2"),
    ],
)
def test_costs_that_are_none_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EyebrightError, match=said):
        read_costs(written(tmp_path / "costs.csv", text), ["bad", "good"])


def test_costs_come_in_every_writing(tmp_path: Path) -> None:
    for text in ("t;good;bad\nbad;10,5;0\ngood;0;1\n", "t\tgood\tbad\r\nbad\t10.5\t0\r\ngood\t0\t1\r\n"):
        (tmp_path / "costs.csv").write_bytes(text.encode("utf-16"))
        np.testing.assert_array_equal(
            read_costs(tmp_path / "costs.csv", ["bad", "good"]), [[0, 10.5], [1, 0]]
        )
    with pytest.raises(NotFoundError):
        read_costs(tmp_path / "none.csv", ["bad", "good"])
