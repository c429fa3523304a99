"""Kappa, Matthews, ranking, Brier, top 5 and weighted F1 against scikit-learn, and their intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    matthews_corrcoef,
    roc_auc_score,
    top_k_accuracy_score,
)

import eyebright as eb
from eyebright.evaluation.multiclass.metrics import measure
from eyebright.evaluation.multiclass.ranking import rank
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.runs.run import Run
from eyebright.types import FloatArray, IntArray, Interval

LABELS = [str(k) for k in range(10)]
FIGURES = ("top5", "weighted_f1", "kappa", "matthews", "roc_auc", "average_precision", "brier")


@pytest.fixture(scope="module")
def answers() -> tuple[IntArray, FloatArray]:
    """Truth and probabilities of 1,647 digits from a classifier that saw 150."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order].astype(np.int64)
    model = LogisticRegression(C=0.0003, max_iter=500).fit(x[:150], y[:150])
    return y[150:], model.predict_proba(x[150:]).astype(np.float32)


@pytest.fixture(scope="module")
def binary(answers: tuple[IntArray, FloatArray]) -> tuple[IntArray, FloatArray]:
    """Is it an 8, of which there are few, or not."""
    truth, probabilities = answers
    eight = probabilities[:, 8]
    return (truth == 8).astype(np.int64), np.stack([1 - eight, eight], axis=1)


def agree(metrics: Metrics, truth: IntArray, probabilities: FloatArray) -> None:
    """Every figure is scikit-learn's."""
    predicted = probabilities.argmax(axis=1)
    one_hot = np.eye(probabilities.shape[1])[truth]
    assert metrics.weighted_f1.value == pytest.approx(f1_score(truth, predicted, average="weighted"))
    assert metrics.kappa.value == pytest.approx(cohen_kappa_score(truth, predicted))
    assert metrics.matthews.value == pytest.approx(matthews_corrcoef(truth, predicted))
    for k, ours in enumerate(metrics.per_class):
        known = 0 < one_hot[:, k].sum() < len(truth)
        assert (ours.roc_auc is not None) == (ours.average_precision is not None) == known
        if known:
            score = probabilities[:, k]
            assert ours.roc_auc.value == pytest.approx(roc_auc_score(one_hot[:, k], score))
            expected = average_precision_score(one_hot[:, k], score)
            assert ours.average_precision.value == pytest.approx(expected)


def test_values_are_those_of_scikit_learn(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers
    metrics = measure(truth, probabilities, LABELS, "test", resamples=20)
    agree(metrics, truth, probabilities)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert metrics.roc_auc.value == pytest.approx(roc_auc_score(truth, exact, multi_class="ovr"))
    means = average_precision_score(np.eye(10)[truth], probabilities)
    assert metrics.average_precision.value == pytest.approx(means)
    assert metrics.brier.value == pytest.approx(brier_score_loss(truth, exact), rel=1e-5)
    assert metrics.top5.value == pytest.approx(top_k_accuracy_score(truth, probabilities, k=5))
    assert 0.9 < metrics.top5.value < 1


def test_of_two_classes_the_second_is_positive(binary: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = binary
    metrics = measure(truth, probabilities, ["other", "eight"], "test", resamples=20)
    agree(metrics, truth, probabilities)
    score = probabilities[:, 1]
    assert metrics.roc_auc.value == pytest.approx(roc_auc_score(truth, score))
    assert metrics.average_precision.value == pytest.approx(average_precision_score(truth, score))
    assert metrics.brier.value == pytest.approx(brier_score_loss(truth, score), rel=1e-5)
    assert metrics.top5 is None
    written = metrics.to_json()
    assert written["positive"] == "eight"
    assert "top5" not in written


def test_ties_count_as_in_scikit_learn(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers
    coarse = np.round(probabilities, 1)
    agree(measure(truth, coarse, LABELS, "test", resamples=20), truth, coarse)
    same = np.full_like(probabilities, 0.1)
    metrics = measure(truth, same, LABELS, "test", resamples=20)
    agree(metrics, truth, same)
    assert metrics.roc_auc.value == 0.5
    assert metrics.matthews.value == 0
    assert metrics.top5.value == pytest.approx((truth < 5).mean())


def test_predictions_of_a_sealed_model(textile_run: Run, textile) -> None:
    model = eb.load(textile_run.model)
    files = sorted((textile / "val").glob("*/*.jpg"))
    truth = np.array([model.labels.index(file.parent.name) for file in files])
    answers = [model.predict(file) for file in files]
    by_label = [dict(zip(a.labels, a.probabilities, strict=True)) for a in answers]
    probabilities = np.array([[p[label] for label in model.labels] for p in by_label], np.float32)
    agree(measure(truth, probabilities, model.labels, "val", resamples=20), truth, probabilities)
    written = textile_run.metrics
    assert written["kappa"]["value"] == pytest.approx(cohen_kappa_score(truth, probabilities.argmax(axis=1)))
    assert written["per_class"]["local"]["roc_auc"]["value"] == pytest.approx(
        roc_auc_score(truth == model.labels.index("local"), probabilities[:, model.labels.index("local")])
    )


def every_interval(metrics: Metrics) -> list[Interval]:
    own = [getattr(metrics, name) for name in FIGURES]
    own += [i for c in metrics.per_class for i in (c.roc_auc, c.average_precision)]
    return [interval for interval in own if interval is not None]


def certain(predicted: IntArray, classes: int) -> FloatArray:
    probabilities = np.full((len(predicted), classes), 0.1 / (classes - 1), np.float32)
    probabilities[np.arange(len(predicted)), predicted] = 0.9
    return probabilities


@pytest.mark.parametrize("shift", [0, 1], ids=["all right", "all wrong"])
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("each", [1, 20])
def test_all_right_or_all_wrong_claims_no_certainty(shift: int, classes: int, each: int) -> None:
    truth = np.repeat(np.arange(classes), each)
    probabilities = certain((truth + shift) % classes, classes)
    metrics = measure(truth, probabilities, [f"c{k}" for k in range(classes)], "test", resamples=50)
    agree(metrics, truth, probabilities)
    for interval in every_interval(metrics):
        assert interval.low <= interval.value <= interval.high
        assert interval.low < interval.high
    if not shift:
        assert metrics.kappa.value == metrics.matthews.value == metrics.roc_auc.value == 1
        assert metrics.kappa.low < 0.97
        assert metrics.roc_auc.low < 0.99


def test_one_image_has_no_ranking_and_says_why() -> None:
    metrics = measure(np.array([1]), certain(np.array([1]), 7), [f"c{k}" for k in range(7)], "val")
    assert metrics.kappa is metrics.matthews is metrics.roc_auc is metrics.average_precision is None
    assert metrics.top5.value == metrics.weighted_f1.value == 1
    assert metrics.top5.low < 0.3
    assert metrics.brier.high == 2
    written = json.loads(json.dumps(metrics.to_json(), allow_nan=False))
    assert written["kappa"]["value"] is None
    assert "two classes" in written["kappa"]["reason"]
    assert "of this class" in written["per_class"]["c0"]["roc_auc"]["reason"]


def test_a_class_without_an_image_has_a_reason_and_stays_out_of_the_mean() -> None:
    truth = np.array([0, 0, 1, 1, 1])
    probabilities = np.array([[5, 3, 2], [3, 4, 3], [2, 5, 3], [4, 3, 3], [1, 8, 1]], np.float32) / 10
    metrics = measure(truth, probabilities, ["a", "b", "c"], "val", resamples=50)
    agree(metrics, truth, probabilities)
    assert metrics.per_class[2].roc_auc is None
    first, second = metrics.per_class[0].roc_auc.value, metrics.per_class[1].roc_auc.value
    assert metrics.roc_auc.value == pytest.approx((first + second) / 2)
    json.dumps(metrics.to_json(), allow_nan=False)


@pytest.mark.parametrize("count", [60, 200])
def test_intervals_hold_the_figure_of_the_whole_as_often_as_they_say(
    answers: tuple[IntArray, FloatArray], count: int
) -> None:
    truth, probabilities = answers
    whole = measure(truth, probabilities, LABELS, "test", resamples=2)
    held = dict.fromkeys((*FIGURES, "auc of a class", "ap of a class"), 0.0)
    repeats = 200
    for repeat in range(repeats):
        rows = np.random.default_rng(repeat).integers(0, len(truth), count)
        part = measure(truth[rows], probabilities[rows], LABELS, "test", seed=repeat, resamples=100)
        for name in FIGURES:
            interval = getattr(part, name)
            held[name] += interval.low <= getattr(whole, name).value <= interval.high
        for ours, true in zip(part.per_class, whole.per_class, strict=True):
            for name, a, b in (
                ("auc of a class", ours.roc_auc, true.roc_auc),
                ("ap of a class", ours.average_precision, true.average_precision),
            ):
                held[name] += (a is None or a.low <= b.value <= a.high) / 10
    # Three standard errors of 200 repeats below 95 % are 90.4 %.
    assert {name: n / repeats for name, n in held.items() if n / repeats < 0.904} == {}


def test_intervals_of_ranking_are_not_much_wider_than_those_of_resampling(
    answers: tuple[IntArray, FloatArray],
) -> None:
    truth, probabilities = answers[0][:500], answers[1][:500]
    random = np.random.default_rng(0)
    ours = rank(truth, probabilities)
    draws = []
    for _ in range(300):
        rows = random.integers(0, 500, 500)
        some = rank(truth[rows], probabilities[rows])
        draws.append((some.mean_roc_auc.value, some.mean_average_precision.value))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    for interval, width in zip((ours.mean_roc_auc, ours.mean_average_precision), high - low, strict=True):
        assert 0.85 * width < interval.high - interval.low < 2.2 * width


def test_copies_of_images_make_no_interval_narrower(answers: tuple[IntArray, FloatArray]) -> None:
    truth, probabilities = answers[0][:150], answers[1][:150]
    alone = measure(truth, probabilities, LABELS, "test")
    groups = np.tile(np.arange(150), 4)
    copied = measure(np.tile(truth, 4), np.tile(probabilities, (4, 1)), LABELS, "test", groups=groups)
    blind = measure(np.tile(truth, 4), np.tile(probabilities, (4, 1)), LABELS, "test")
    for name in ("accuracy", "macro_f1", "kappa", "roc_auc", "average_precision", "log_loss"):
        one, other, narrow = (getattr(m, name) for m in (alone, copied, blind))
        assert other.value == pytest.approx(one.value, abs=1e-6)
        assert other.high - other.low > 0.8 * (one.high - one.low)
        assert narrow.high - narrow.low < 0.7 * (one.high - one.low)
    recall, lonely = copied.per_class[0].recall, blind.per_class[0].recall
    assert recall.high - recall.low > lonely.high - lonely.low


def test_a_thousand_classes(capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 1000, 20_000)
    probabilities = random.dirichlet(np.full(1000, 0.05), 20_000).astype(np.float32)
    metrics = measure(truth, probabilities, [f"c{k}" for k in range(1000)], "test", resamples=100)
    assert metrics.roc_auc.low < 0.5 < metrics.roc_auc.high
    assert metrics.top5.low < 0.005 < metrics.top5.high
