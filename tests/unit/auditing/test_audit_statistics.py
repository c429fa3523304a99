"""The mathematics of an audit on real images of digits and cloth: what is so is found, what is not is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from eyebright.auditing.classes.overlaps import overlaps, rare
from eyebright.auditing.classes.shortcuts import find_shortcuts
from eyebright.auditing.duplicates.medoids import medoid_groups
from eyebright.auditing.faults import CALLED_FAULTY, find_faults
from eyebright.auditing.labels import CALLED_WRONG, budget, find_label_errors
from eyebright.auditing.planting import FAULTS, planted_fault
from eyebright.auditing.records import record
from eyebright.auditing.shift import SIGNIFICANT, compare_parts
from eyebright.evaluation.calibration import expected_calibration_error
from eyebright.training.linear_probe.pca import standardise
from eyebright.types import FloatArray, IntArray


@pytest.fixture(scope="module")
def digits_rows() -> tuple[FloatArray, IntArray]:
    pixels, truth = load_digits(return_X_y=True)
    rows, _, _ = standardise(pixels[:800])
    return rows, truth[:800].astype(np.int64)


def test_flipped_labels_are_found_with_honest_probabilities(digits_rows: tuple[FloatArray, IntArray]):
    rows, truth = digits_rows
    random = np.random.default_rng(0)
    flipped = random.permutation(len(truth))[:40]
    given = truth.copy()
    given[flipped] = (truth[flipped] + random.integers(1, 10, 40)) % 10
    wrong = np.isin(np.arange(len(truth)), flipped).astype(np.float64)
    found = find_label_errors(rows, given, 10, np.arange(len(truth)), seed=0)
    assert roc_auc_score(wrong, found.wrong) > 0.97
    assert expected_calibration_error(found.wrong, wrong, 10) < 0.05
    called = found.wrong >= CALLED_WRONG
    assert wrong[called].mean() > 0.65
    right = flipped[called[flipped]]
    assert (found.suggested[right] == truth[right]).mean() > 0.9
    assert abs(found.wrong.sum() - 40) < 25
    assert found.found.recall.value > 0.7
    expected = budget(found.wrong)[40]
    assert expected.low <= wrong[np.argsort(-found.wrong)[:40]].sum() <= expected.high


def test_right_labels_are_left_alone(digits_rows: tuple[FloatArray, IntArray]):
    rows, truth = digits_rows
    found = find_label_errors(rows, truth, 10, np.arange(len(truth)), seed=0)
    assert (found.wrong >= CALLED_WRONG).sum() <= 3


def test_a_missing_label_of_several_is_found(digits_rows: tuple[FloatArray, IntArray]):
    rows, digit = digits_rows
    truth = np.stack([digit % 2, digit < 5, np.isin(digit, (0, 6, 8, 9))], axis=1).astype(np.int64)
    given = truth.copy()
    places = np.random.default_rng(2).permutation(truth.size)[:60]
    given.reshape(-1)[places] = 1 - given.reshape(-1)[places]
    found = find_label_errors(rows, given, 3, np.arange(len(digit)), seed=0)
    assert roc_auc_score(given.reshape(-1) != truth.reshape(-1), found.wrong.reshape(-1)) > 0.9


def test_random_parts_are_not_shifted_and_other_digits_are(digits_rows: tuple[FloatArray, IntArray]):
    rows, truth = digits_rows[0][:300], digits_rows[1][:300]
    random, alone = np.random.default_rng(1), np.zeros(len(truth), np.int64)
    alarms = 0
    for seed in range(10):
        second = random.random(len(truth)) < 0.25
        found = compare_parts(rows, second, truth, np.arange(len(truth)), seed)
        alarms += found is not None and found.p <= SIGNIFICANT
    assert alarms <= 1
    odd = compare_parts(rows, (truth % 2 == 1) & (random.random(len(truth)) < 0.9), alone, np.arange(300), 0)
    assert odd is not None
    assert odd.p <= SIGNIFICANT
    assert odd.tail < 1e-6  # as many comparisons at once need it
    assert odd.auc > 0.8
    assert (truth[odd.shown] % 2 == 1).all()


def test_groups_are_dealt_whole(digits_rows: tuple[FloatArray, IntArray]):
    """Each image is there ten times: were copies dealt apart, parts of whole groups would look shifted."""
    rows, truth = digits_rows
    rows, truth, groups = (
        np.repeat(rows[:80], 10, axis=0),
        np.repeat(truth[:80], 10),
        np.repeat(np.arange(80), 10),
    )
    found = compare_parts(rows, groups < 20, np.zeros(800, np.int64), groups, 0)
    assert found is not None
    assert found.p > SIGNIFICANT
    assert truth.shape == groups.shape


def test_a_property_that_tells_the_class_is_a_shortcut_and_noise_is_none():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 300)
    tables = {
        "size": np.equal.outer(np.where(truth == 2, 1, 0), [0, 1]).astype(np.float64),
        "border": random.random((300, 4)),
    }
    found = {one.name: one for one in find_shortcuts(tables, truth, np.arange(300), 3, 0)}
    assert found["size"].label == (2, 1.0)
    assert found["size"].p < 0.01 < found["border"].p
    assert found["size"].accuracy.low > 0.5


def test_classes_of_the_same_images_overlap(digits_rows: tuple[FloatArray, IntArray]):
    _, truth = digits_rows
    random = np.random.default_rng(0)
    logits = np.eye(10, dtype=np.float32)[truth] * 9 + random.random((800, 10), np.float32)
    assert overlaps(logits, truth) == []
    logits[:, 3] = logits[:, 8] = np.maximum(logits[:, 3], logits[:, 8]) + random.random(800, np.float32)
    found = overlaps(logits, truth)
    assert [(one.first, one.second) for one in found] == [(3, 8)]
    assert set(truth[found[0].shown]) <= {3, 8}


def test_rare_classes():
    assert rare(np.array([500, 24, 26, 9])).tolist() == [1, 3]


def test_groups_are_no_chains():
    first, second = np.arange(5), np.arange(1, 6)  # 0-1-2-3-4-5
    groups = medoid_groups(first, second, np.full(5, 0.9, np.float32))
    assert max(len(group) for group in groups) == 3
    assert sorted(place for group in groups for place in group.tolist()) == sorted(
        set().union(*(group.tolist() for group in groups))
    )


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_told_from_cloth_as_it_is(kind: str, textile_pictures: list[Image.Image]):
    planted = np.stack([record(planted_fault(image, kind)) for image in textile_pictures])
    faulty = textile_pictures[0].filter(ImageFilter.GaussianBlur(3)) if kind == "blur" else None
    images = [*textile_pictures, faulty or planted_fault(textile_pictures[0], kind)]
    found = find_faults(kind, np.stack([record(image) for image in images]), planted)
    assert (found.probability >= CALLED_FAULTY).tolist() == [False] * len(textile_pictures) + [True]
    assert found.found.recall.value == 1
