"""What the page advises where an image may have several labels."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.evaluation.multilabel.metrics import measure_labels
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.multilabel.headline import label_verdict
from eyebright.report.multilabel.next_steps import label_doubts, label_steps, rarely_ruled_out

COUNT = 80


@pytest.fixture
def metrics() -> LabelMetrics:
    """Cells that are always named, stains of which half are missed, and dust that is always right."""
    truth = np.zeros((COUNT, 3), np.int64)
    truth[:76, 0], truth[:40, 1], truth[20:60, 2] = 1, 1, 1
    probabilities = truth.astype(np.float32)
    probabilities[:, 0] = 0.9
    probabilities[:20, 1] = 0.1
    return measure_labels(truth, probabilities, np.full(3, 0.5), ("cell", "stain", "dust"), "test")


def row(label: str, predicted: str, confidence: float) -> PredictionRow:
    return PredictionRow("a.png", "test", label, predicted, confidence)


def test_a_label_that_is_always_named_is_not_praised(metrics: LabelMetrics):
    assert rarely_ruled_out(metrics) == {"cell": (4, 4)}
    assert label_doubts(metrics) == ["Ruling out cell: of 4 images without it, 4 are false positives."]


def test_steps_name_the_label_with_the_most_errors_and_sure_mistakes(metrics: LabelMetrics):
    rows = [row("cell; stain", "cell", 0.95), row("cell", "cell", 0.99), row("", "cell", 0.6)]
    sentences, evidence = zip(*label_steps(metrics, rows), strict=True)
    assert sentences[0] == "Add images with stain: its false negatives make up 20 of 24 errors."
    assert sentences[1].startswith("Set a separate threshold for stain (--target): at 0.5")
    assert sentences[1].endswith("it has 20 false negatives and 0 false positives.")
    assert sentences[2] == "Check the labels of the 1 most confident mistake (of 2)."
    assert evidence == ("classes", "classes", "mistakes")


def test_a_label_with_few_images_comes_first(metrics: LabelMetrics):
    truth = np.zeros((COUNT, 1), np.int64)
    truth[:5] = 1
    few = measure_labels(truth, truth.astype(np.float32), np.full(1, 0.5), ("rare",), "test")
    ((sentence, _),) = label_steps(few, [])
    assert sentence.startswith("Evaluate on more images: rare has only 5 images")


def test_who_is_no_better_than_one_answer_for_all_is_told_so():
    truth = np.zeros((COUNT, 2), np.int64)
    truth[:8, 0], truth[:, 1] = 1, 1
    same = np.tile(np.array([[0.1, 0.9]], np.float32), (COUNT, 1))
    m = measure_labels(truth, same, np.full(2, 0.5), ("rare", "common"), "test")
    assert m.constant_loss == m.hamming_loss.value == 0.05
    assert label_doubts(m)[0].startswith("Not significantly better than predicting the same labels")


def test_the_verdict_names_the_weakest_label(metrics: LabelMetrics):
    whole, weakest = label_verdict(metrics)
    assert "about 70 will get exactly the right labels" in whole
    assert weakest.startswith("Weakest label: stain, recall")
