"""Numbers as a person reads them."""

from __future__ import annotations

import math

import pytest

from eyebright.text.format import duration, percent
from eyebright.text.language import speaking


@pytest.mark.parametrize(
    ("value", "said"), [(0.5, "50.0%"), (0.99999, "99.9%"), (1.0, "100.0%"), (0.0, "0.0%"), (math.nan, "–")]
)
def test_percent_never_rounds_up_to_all(value: float, said: str) -> None:
    with speaking("zh"):
        assert percent(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (25.44, "25.4 s"), (59.97, "1 min 0 s"), (119.7, "2 min 0 s")]
)
def test_durations_read_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
