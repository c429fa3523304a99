"""A forecast goes on along a power law, says how unsure it is, and promises nothing where nothing grew."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.evaluation.forecast import forecast, grown
from eyebright.training.linear_probe.learning_curve import CurvePoint

N = 2000
SIZES = (160, 320, 800, 1600)


def right(errors: tuple[float, ...]) -> np.ndarray:
    """Whether each of N images is right, the hardest ones wrong first."""
    return np.stack([np.arange(N) >= round(N * error) for error in errors])


def test_a_power_law_is_followed() -> None:
    errors = tuple(0.3 * (n / 160) ** -0.5 for n in SIZES)
    found = forecast(SIZES, right(errors), N)
    assert found is not None
    assert found.images == 2 * N
    assert found.accuracy.value == pytest.approx(1 - 0.3 * (4000 / 160) ** -0.5, abs=0.002)
    assert found.now == pytest.approx(1 - 0.3 * (2000 / 160) ** -0.5, abs=0.002)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high


def test_the_way_to_the_forecast_is_a_power_law_too() -> None:
    found = forecast(SIZES, right(tuple(0.3 * (n / 160) ** -0.5 for n in SIZES)), N)
    assert found is not None
    assert found.at(N).value == pytest.approx(found.now)
    assert found.at(2 * N).value == pytest.approx(found.accuracy.value)
    assert found.at(3000).value == pytest.approx(1 - 0.3 * (3000 / 160) ** -0.5, abs=0.002)
    assert found.at(3000).low < found.at(3000).value < found.at(3000).high


def test_a_curve_that_levels_off_is_not_promised_to_rise() -> None:
    found = forecast(SIZES, right((0.3, 0.2, 0.15, 0.15)), N)
    assert found is not None
    assert found.accuracy.low < 0.86
    assert found.accuracy.value < 0.89


def test_more_images_are_never_forecast_to_harm() -> None:
    found = forecast(SIZES, right((0.1, 0.1, 0.1, 0.12)), N)
    assert found is not None
    assert found.accuracy.value >= found.now - 1e-9


def test_few_images_make_it_unsure() -> None:
    errors = (0.4, 0.3, 0.2, 0.15)
    many, few = right(errors), right(errors)[:, ::40]
    wide, narrow = (forecast(SIZES, rows, N) for rows in (few, many))
    assert wide is not None
    assert narrow is not None
    assert wide.accuracy.high - wide.accuracy.low > 3 * (narrow.accuracy.high - narrow.accuracy.low)


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_all_right_and_all_wrong_have_numbers(error: float) -> None:
    found = forecast(SIZES, right((error,) * 4), N)
    assert found is not None
    assert 0 <= found.accuracy.low <= found.accuracy.value <= found.accuracy.high <= 1
    assert found.accuracy.value == pytest.approx(1 - error, abs=0.001)


def test_two_sizes_are_no_curve() -> None:
    half, whole = right((0.2, 0.1))
    points = [CurvePoint(0.5, 800, half), CurvePoint(1, 1600, whole)]
    curve = grown(points, 0)
    assert curve is not None
    assert curve.forecast is None
    assert [point.accuracy.value for point in curve.points] == [0.8, 0.9]
    assert grown((), 0) is None
