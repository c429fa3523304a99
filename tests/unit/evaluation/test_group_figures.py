"""Figures by group, and metrics that count groups where images are not independent."""

from __future__ import annotations

import numpy as np

from eyebright.evaluation.group_figures import group_means, measure_groups
from eyebright.evaluation.multiclass.metrics import measure
from eyebright.evaluation.paired import accuracy_difference, differences, mcnemar
from eyebright.evaluation.robustness import robustness
from eyebright.evaluation.slices import Column, slices
from eyebright.evaluation.uncertainty.conformal import SetOutcomes, measure_sets
from eyebright.evaluation.uncertainty.ood import above

PATIENTS = np.repeat(np.arange(8), 10)


def test_a_group_is_found_by_any_image_by_the_mean_and_by_a_majority() -> None:
    groups = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    scores = np.array([0.9, 0.1, 0.1, 0.6, 0.7, 0.3, 0.2, 0.1], np.float32)
    positive = np.array([True, False, True, True, True, True, False, False])
    means = group_means(groups, np.stack([scores, 1 - scores], axis=1))
    found = measure_groups(groups, positive, scores >= 0.5, means[:, 0] >= 0.5)
    assert (found.positives, found.negatives) == (2, 1)
    assert {rule: share.value for rule, share in found.sensitivity.items()} == {
        "any": 1.0,
        "mean": 0.5,
        "vote": 0.5,
    }
    assert all(share.value == 1 for share in found.specificity.values())
    none = measure_groups(groups, np.zeros(8, bool), scores >= 0.5, means[:, 0] >= 0.5)
    assert none.sensitivity["any"] is None


def test_one_bad_patient_does_not_make_a_slice_or_a_difference() -> None:
    right = np.ones(80, bool)
    right[:10] = False  # the first patient
    cut = Column("camera", ["a"] * 20 + ["b"] * 60)
    alone, grouped = (
        slices([cut], right, np.zeros(80, int)),
        slices([cut], right, np.zeros(80, int), PATIENTS),
    )
    assert alone[1].worse
    assert not grouped[1].worse
    assert grouped[1].accuracy.low < alone[1].accuracy.low
    assert mcnemar(np.ones(80, bool), right) < 0.05 < mcnemar(np.ones(80, bool), right, PATIENTS)
    by_image, by_patient = (accuracy_difference(np.ones(80, bool), right, g) for g in (None, PATIENTS))
    assert by_image.low > 0 > by_patient.low
    losses = np.stack([np.where(right, 0.1, 2.0), np.full(80, 0.1)])
    both = np.stack([right, np.ones(80, bool)])
    assert differences(both, losses)[0].better == 1
    (paired,) = differences(both, losses, PATIENTS)
    assert (paired.better, paired.better_loss) == (None, None)
    assert paired.log_loss.low < differences(both, losses)[0].log_loss.low


def test_coverage_unknown_share_and_robustness_count_patients() -> None:
    truth = np.zeros(80, int)
    held = np.stack([np.repeat([True] * 6 + [False] * 2, 10), np.ones(80, bool)], axis=1)
    outcomes = SetOutcomes.of(held, truth)
    by_image, by_patient = (measure_sets(outcomes, truth, 2, groups) for groups in (None, PATIENTS))
    assert by_image.measured.high < 0.9 < by_patient.measured.high
    scores = np.repeat(np.array([0, 0, 0, 0, 0, 0, 0, 2], np.float32), 10)
    assert above(scores, 1.0).low > 0.05 > above(scores, 1.0, PATIENTS).low
    clean, worse = np.ones(80, bool), np.repeat([True] * 6 + [False] * 2, 10)
    assert robustness(clean, {"blur": [worse]}, {"blur": [0.1]}).worst[0] == "blur"
    assert robustness(clean, {"blur": [worse]}, {"blur": [0.1]}, PATIENTS).worst is None


def test_a_class_of_one_patient_is_one_observation_however_many_images_it_has() -> None:
    truth = np.repeat([0, 1, 1, 1, 1, 1, 1, 1], 10)
    probabilities = np.eye(2, dtype=np.float32)[truth]
    found = measure(truth, probabilities, ["rare", "common"], "test", groups=PATIENTS, resamples=50)
    assert found.per_class[0].recall.low < 0.3 < found.per_class[1].recall.low
