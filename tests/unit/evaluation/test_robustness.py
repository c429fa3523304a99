"""Levels are called worse beyond chance only, and a border that suffices is pointed out."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.evaluation.paired import mcnemar
from eyebright.evaluation.proportions import proportion
from eyebright.evaluation.robustness import robustness, shortcut

N = 100
ALL = np.ones(N, bool)


def right(count: int) -> np.ndarray:
    return np.arange(N) < count


def test_the_weakest_level_that_is_worse_beyond_chance_is_found() -> None:
    found = robustness(
        right(95),
        {"noise": [right(94), right(80), right(30)], "blur": [right(95)] * 3},
        {"noise": (1, 2, 3), "blur": (1, 2, 3)},
    )
    fallen = found.falls("noise")
    assert fallen is not None
    assert (fallen.strength, fallen.accuracy) == (2, proportion(right(80)))
    assert fallen.p == pytest.approx(5 * mcnemar(right(80), right(95)))  # of six tests one is smaller
    assert found.falls("blur") is None
    assert found.clean.value == 0.95


def test_a_gain_is_no_fall() -> None:
    assert robustness(right(50), {"jpeg": [ALL]}, {"jpeg": (60,)}).falls("jpeg") is None


@pytest.mark.parametrize(("border", "suspicious"), [(90, True), (80, False), (50, False)])
def test_a_border_that_suffices_is_suspicious(border: int, suspicious: bool) -> None:
    truth = np.arange(N) % 2
    found = shortcut(right(95), right(border), right(94), truth)
    assert found.majority == 0.5
    assert found.suspicious is suspicious


def test_a_model_that_knows_nothing_is_not_accused() -> None:
    truth = np.arange(N) % 2
    assert not shortcut(right(50), right(52), right(50), truth).suspicious
    assert not shortcut(ALL[:1], ALL[:1], ALL[:1], truth[:1]).suspicious
