"""Numbers as a person reads them, in the current language."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eyebright.text.language import language, translate

if TYPE_CHECKING:  # `types` imports numpy, which `--help` must not wait for
    from collections.abc import Sequence

    from eyebright.types import Interval

_NBSP = "\N{NO-BREAK SPACE}"


def percent(value: float, digits: int = 1) -> str:
    """Return a fraction as per cent; what is not quite 1 never reads as 100."""
    if not math.isfinite(value):
        return "–"
    rounded = round(100 * value, digits)
    if rounded >= 100 > 100 * value:
        rounded = 100 - 10.0**-digits
    unit = "%" if language() == "zh" else _NBSP + "%"
    return f"{rounded:.{digits}f}{unit}"


def percent_range(interval: Interval) -> str:
    """Return the limits of an interval of fractions."""
    low, high = percent(interval.low), percent(interval.high)
    return translate("{low} to {high}", low=low, high=high)


def decimal(value: float, digits: int = 3) -> str:
    """Return a number with a fixed number of decimals."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def decimal_range(interval: Interval) -> str:
    """Return the limits of an interval with a fixed number of decimals."""
    return translate("{low} to {high}", low=decimal(interval.low), high=decimal(interval.high))


def number(value: int) -> str:
    """Return a count with its thousands apart."""
    return f"{value:,}"


def listed(names: Sequence[str], most: int = 10) -> str:
    """Return names as one text, cut after ``most``: "a, b and 1,990 more"."""
    text = ", ".join(names[:most])
    if len(names) <= most:
        return text
    return translate("{listed} and {count} more", listed=text, count=number(len(names) - most))


def duration(seconds: float) -> str:
    """Return seconds as a person would say them."""
    if round(seconds, 1) < 60:
        return translate("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    return translate("{minutes} min {seconds} s", minutes=minutes, seconds=rest)


def paragraph_of(*sentences: str) -> str:
    """Return whole sentences as one paragraph; empty ones leave no gap."""
    return ("" if language() == "zh" else " ").join(sentence for sentence in sentences if sentence)


def measured_on(split: str, count: int) -> str:
    """Return which images metrics were measured on, as a heading without a full stop."""
    if split == "folds":
        return translate(
            "Measured by cross-validation on {count:image|images}, each predicted by a model that did not "
            "see it",
            count=number(count),
        )
    return translate(
        "Measured on {count:image|images} of the {split} split", count=number(count), split=split_name(split)
    )


def split_name(split: str) -> str:
    """Return the name of a split."""
    match split:
        case "test":
            return translate("test")
        case "val":
            return translate("validation")
        case "folds":
            return translate("cross-validation")
        case _:
            return translate("training")
