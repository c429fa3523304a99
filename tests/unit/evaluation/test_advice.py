"""What a model can be trusted with, and what to do next, from rows that are as long as a real test part."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.evaluation.advice import doubted, next_steps, sure_answers, trusted
from eyebright.evaluation.multiclass.metrics import measure
from eyebright.evaluation.multiclass.results import Metrics, PredictionRow

LABELS = ("cat", "dog", "fox")


def row(label: str, predicted: str, confidence: float) -> PredictionRow:
    return PredictionRow(f"{label}-{predicted}-{confidence}.jpg", "val", label, predicted, confidence)


def measured(rows: list[PredictionRow]) -> Metrics:
    """The real figures of the rows; what is not answered shares the rest of the probability."""
    place = {label: i for i, label in enumerate(LABELS)}
    probabilities = np.array(
        [[r.confidence if r.predicted == name else (1 - r.confidence) / 2 for name in LABELS] for r in rows],
        np.float32,
    )
    truth = np.array([place[r.label] for r in rows])
    return measure(truth, probabilities, LABELS, "val", seed=0)


def mostly_right(count: int = 100) -> list[PredictionRow]:
    return [row(label, label, 0.95) for label in LABELS for _ in range(count)]


def test_answers_are_sure_from_the_lowest_level_on_that_keeps_the_promise():
    unsure = [row("cat", "dog", 0.55) for _ in range(40)]
    found = sure_answers([*mostly_right(), *unsure])
    assert found is not None
    assert (found.level, found.right.value) == (0.6, 1.0)
    assert found.share.value == pytest.approx(300 / 340)


def test_a_model_that_is_right_throughout_is_sure_of_every_answer():
    found = sure_answers(mostly_right())
    assert found is not None
    assert found.level == 0.0


def test_no_level_is_sure_enough_where_sure_answers_are_wrong():
    assert sure_answers([*mostly_right(), *(row("cat", "dog", 0.995) for _ in range(30))]) is None


def test_twenty_right_answers_prove_too_little():
    assert sure_answers([row("cat", "cat", 0.99) for _ in range(20)]) is None


def test_classes_are_trusted_or_doubted_by_the_ends_of_their_intervals():
    rows = [*mostly_right(), *(row("cat", "dog", 0.6) for _ in range(60))]
    metrics = measured(rows)
    assert [c.label for c in trusted(metrics)] == ["fox"]
    assert [c.label for c in doubted(metrics)] == ["cat"]


def test_the_steps_that_touch_most_mistakes_come_first():
    rows = [
        *mostly_right(),
        *(row("cat", "dog", 0.6) for _ in range(30)),
        *(row("dog", "cat", 0.6) for _ in range(10)),
        *(row("fox", "cat", 0.97) for _ in range(5)),
    ]
    steps = next_steps(measured(rows), rows, {"cat": 12}, tunable=True)
    assert [(s.kind, s.mistakes, s.of) for s in steps] == [
        ("pair", 40, 45),
        ("images", 30, 12),
        ("tune", 23, 45),
    ]
    assert steps[0].classes == ("cat", "dog")
    assert steps[1].figure == measured(rows).per_class[0].recall


def test_where_more_images_do_not_help_fine_tuning_is_named_instead():
    rows = [*mostly_right(), *(row("cat", "dog", 0.6) for _ in range(30))]
    steps = next_steps(measured(rows), rows, {}, tunable=True, more_helps=False)
    assert [s.kind for s in steps] == ["tune"]


def test_a_backbone_that_has_learned_is_not_sent_to_learn():
    rows = [*mostly_right(), *(row("cat", "dog", 0.6) for _ in range(30))]
    assert [s.kind for s in next_steps(measured(rows), rows, {}, tunable=False)] == ["images"]


def test_few_images_to_judge_by_come_before_everything_else():
    rows = [*mostly_right(50), *(row("cat", "dog", 0.97) for _ in range(9))]
    rows = [r for r in rows if r.label != "fox"] + [row("fox", "fox", 0.9)] * 8
    steps = next_steps(measured(rows), rows, {}, tunable=True)
    assert (steps[0].kind, steps[0].classes, steps[0].of) == ("judge", ("fox",), 8)
    assert "labels" in {s.kind for s in steps}


def test_without_a_mistake_there_is_nothing_to_mend():
    rows = mostly_right()
    assert next_steps(measured(rows), rows, {}, tunable=True) == []
