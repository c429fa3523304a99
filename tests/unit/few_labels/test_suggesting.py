"""Which images to label next, on handwritten digits: their 64 pixels are the features."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from eyebright.few_labels.expected import expected_gain
from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.few_labels.suggesting import choose
from eyebright.task.task import MultiClass
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.head import fit_head
from eyebright.types import FloatArray, IntArray

from .test_unlabelled import CLASSES, Digits


def labelled(data: Digits, count: int) -> tuple[Rows, IntArray, Rows, IntArray]:
    """So many of each class, and the others."""
    rows = np.concatenate([data.rows, data.unlabelled])
    truth = np.concatenate([data.truth, data.hidden])
    taken = np.concatenate([np.flatnonzero(truth == k)[:count] for k in range(CLASSES)])
    others = np.setdiff1d(np.arange(len(truth)), taken)
    return rows[taken], truth[taken], rows[others], truth[others]


def probabilities(rows: Rows, truth: IntArray, others: Rows) -> FloatArray:
    fit = fit_head(rows, truth, CLASSES)
    return MultiClass().probabilities(fit.head.logits(others), 1.0)


def test_few_labels_want_images_of_every_class() -> None:
    rows, truth, others, hidden = labelled(Digits(), 1)
    found = choose(rows, others, probabilities(rows, truth, others), 30, 0)
    assert len({choice.place for choice in found}) == 30
    assert len(set(hidden[[choice.place for choice in found]])) >= 9  # random draws 30 of one class as well
    assert "typical" in {choice.reason for choice in found}
    assert found[0].score == 1
    assert all(first.score >= second.score > 0 for first, second in pairwise(found))


def test_more_labels_want_doubtful_images() -> None:
    rows, truth, others, _ = labelled(Digits(), 10)
    certain = probabilities(rows, truth, others)
    found = choose(rows, others, certain, 20, 0)
    reasons = [choice.reason for choice in found]
    assert reasons.count("doubtful") > reasons.count("typical")
    sure = certain.max(axis=1)
    assert sure[[choice.place for choice in found]].mean() < sure.mean() - 0.1
    assert all(choice.first != choice.second for choice in found)


def test_no_image_would_cover_more_doubt() -> None:
    """What is computed lazily is what trying all of them gives."""
    rows, truth, others, _ = labelled(Digits(), 3)
    certain = probabilities(rows, truth, others)
    space = ImageSpace.fit(np.concatenate([rows, others]), 0)
    near = np.exp((space.whitened[len(rows) :] @ space.whitened.T - 1) / 0.4)
    doubt = -(certain * np.log(certain)).sum(axis=1)
    covered, expected = near[:, : len(rows)].max(axis=1), []
    for _ in range(10):
        added = doubt @ np.maximum(near[:, len(rows) :] - covered[:, None], 0)
        expected.append(int(added.argmax()))
        covered = np.maximum(covered, near[:, len(rows) + expected[-1]])
    assert [choice.place for choice in choose(rows, others, certain, 10, 0)] == expected


def test_a_batch_has_no_copies() -> None:
    """The most doubtful image lies there ten times, and is asked for once."""
    rows, truth, others, _ = labelled(Digits(), 5)
    worst = int(np.argmin(probabilities(rows, truth, others).max(axis=1)))
    copied = np.concatenate([others, np.repeat(others[worst : worst + 1], 10, axis=0)])
    found = choose(rows, copied, probabilities(rows, truth, copied), 20, 0)
    copies = [one for one in found if one.place == worst or one.place >= len(others)]
    assert len(copies) <= 1


def test_all_are_given_where_there_are_fewer() -> None:
    for labels in (1, 5):
        rows, truth, others, _ = labelled(Digits(), labels)
        found = choose(rows, others[:7], probabilities(rows, truth, others[:7]), 50, 0)
        assert sorted(choice.place for choice in found) == list(range(7))


def test_what_more_labels_bring_is_forecast() -> None:
    rows, truth, _, _ = labelled(Digits(), 20)
    found = expected_gain(rows, truth, np.arange(len(truth)), CLASSES, 100, 0)
    assert found is not None
    assert found.images == 300
    assert found.now <= found.accuracy.value <= 1
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high


def test_of_few_labels_nothing_is_forecast() -> None:
    rows, truth, _, _ = labelled(Digits(), 2)
    assert expected_gain(rows, truth, np.arange(len(truth)), CLASSES, 10, 0) is None
