"""Multi-class and multi-label tasks on truth and probabilities worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from eyebright.task.task import ClassificationTask, MultiClass, MultiLabel, task_of

LABELS = ("cat", "dog", "hare")
PROBABILITIES = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.5]], np.float32)


@dataclass(frozen=True)
class Image:
    label: str

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.label.split("; ")) if self.label else ()


def test_truth_is_class_numbers_or_a_table():
    assert MultiClass().encode([Image("dog"), Image("cat")], LABELS).tolist() == [1, 0]
    table = MultiLabel().encode([Image("cat; hare"), Image("")], LABELS)
    assert table.tolist() == [[1, 0, 1], [0, 0, 0]]


def test_the_most_probable_class_is_predicted_and_of_equal_ones_the_first():
    task = MultiClass()
    predicted = task.predicted(PROBABILITIES)
    assert predicted.tolist() == [0, 1]
    assert task.names(predicted, LABELS) == [("cat",), ("dog",)]
    assert task.confidence(PROBABILITIES, predicted) == pytest.approx([0.6, 0.5])
    assert task.agree(predicted, np.array([0, 2])).tolist() == [True, False]
    assert task.positive(predicted, 1).tolist() == [False, True]


def test_labels_are_predicted_from_their_thresholds_on():
    task = MultiLabel(np.array([0.5, 0.95, 0.5]))
    predicted = task.predicted(PROBABILITIES)
    assert predicted.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert task.names(predicted, LABELS) == [("cat",), ("hare",)]
    assert task.confidence(PROBABILITIES, predicted) == pytest.approx([0.6 * 0.7 * 0.9, 0.8 * 0.5 * 0.5])
    assert task.agree(predicted, np.array([[1, 0, 0], [1, 0, 1]])).tolist() == [True, False]
    assert task.positive(predicted, 2).tolist() == [False, True]
    assert MultiLabel().predicted(PROBABILITIES).tolist() == [[1, 0, 0], [0, 1, 1]]


def test_images_are_counted_under_each_of_their_labels():
    assert MultiClass().counts(np.array([0, 2, 2]), 3).tolist() == [1, 0, 2]
    assert MultiLabel().counts(np.array([[1, 0, 1], [1, 0, 0]]), 3).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("task", "truth"),
    [(MultiClass(), np.array([0, 2])), (MultiLabel(), np.array([[1, 0, 0], [0, 1, 1]]))],
)
def test_a_temperature_is_undone(task: ClassificationTask, truth: np.ndarray):
    logits = np.array([[2.0, -0.5, -1.0], [-2.0, 0.3, 0.4]], np.float32)
    np.testing.assert_allclose(
        task.uncalibrated(task.probabilities(logits, 3.0), 3.0), task.probabilities(logits), atol=1e-6
    )
    assert task.correct(logits, truth).tolist() == [True, True]
    confidence, hit = task.scored(task.probabilities(logits), truth)
    assert hit.all() if not task.multilabel else hit.tolist() == truth.ravel().tolist()
    assert len(confidence) == len(hit)


def test_the_shape_of_truth_tells_the_task():
    assert not task_of(np.array([0, 1])).multilabel
    assert task_of(np.array([[0, 1]])).multilabel
