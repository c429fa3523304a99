"""The limit of anomaly detection, and which names say that images are good."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.data.splits.good_names import is_good_name
from eyebright.errors import ConfigError, DataError
from eyebright.verbs.train.anomaly.limit import anomaly_targets, choose_limit

NONE = np.empty(0, np.float32)


def test_the_limit_keeps_the_rate_on_average():
    random = np.random.default_rng(0)
    targets = anomaly_targets(["false_positive_rate(anomaly) <= 0.05"])
    beyond = []
    for _ in range(400):
        limit = choose_limit(targets, random.standard_normal(59).astype(np.float32), NONE)
        beyond.append((random.standard_normal(200) > limit.value).mean())
    assert 0.03 < np.mean(beyond) <= 0.055  # (59 + 1) * 0.05 = 3 of 60 ranks


def test_the_limit_says_how_many_images_a_rate_takes():
    limit = choose_limit(anomaly_targets(["false_positive_rate(anomaly) <= 1.2 %"]), np.arange(50.0), NONE)
    assert (limit.least, limit.needed, limit.assured) == (83, 249, False)
    assert limit.value > 49
    assert limit.alarms == 0


def test_specificity_asks_for_the_same():
    good = np.random.default_rng(1).standard_normal(100).astype(np.float32)
    rates = [
        choose_limit(anomaly_targets([text]), good, NONE).value
        for text in ("false_positive_rate(anomaly) <= 0.1", "specificity(anomaly) >= 0.9")
    ]
    assert rates[0] == pytest.approx(rates[1])


def test_known_anomalies_raise_the_limit_into_the_gap():
    good = np.linspace(0, 2, 100).astype(np.float32)
    alone = choose_limit(anomaly_targets([]), good, NONE)
    limit = choose_limit(anomaly_targets([]), good, np.array([10, 12, 1], np.float32))
    assert alone.value < 2 < limit.value < 10
    assert limit.alarms == 0


def test_a_recall_needs_anomalies_and_is_met_on_them():
    targets = anomaly_targets(["recall(anomaly) >= 0.9"])
    good, bad = np.linspace(-2, 2, 50).astype(np.float32), np.linspace(1, 6, 20).astype(np.float32)
    limit = choose_limit(targets, good, bad)
    assert (bad > limit.value).mean() >= 0.9
    with pytest.raises(DataError, match="needs labelled anomalies"):
        choose_limit(targets, good, NONE)


def test_a_target_must_be_of_anomalies():
    with pytest.raises(ConfigError, match="must be one of anomalies"):
        anomaly_targets(["recall(good) >= 0.9"])


@pytest.mark.parametrize(
    "name",
    [
        "good",
        "OK",
        "Ok parts",
        "normal",
        "nominal",
        "defect-free",
        "no_defect",
        "anomalyFree",
        "正常",
        "良品",
    ],
)
def test_names_of_good_images(name):
    assert is_good_name(name)


@pytest.mark.parametrize(
    "name", ["defect", "not_good", "abnormal", "scratch", "cat", "NG", "", "train", "good_bad"]
)
def test_names_of_others(name):
    assert not is_good_name(name)
