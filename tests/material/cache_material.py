"""Spaces of the feature cache with rows whose content tells their number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eyebright.training.cache.store import FeatureSpace, Rows

CARD: dict[str, Any] = {"backbone": "efficientnet_lite0", "size": 96, "precision": "float32", "view": 0}
WIDTH = 2000


def key(number: int) -> bytes:
    return number.to_bytes(16, "little")


def row(number: int) -> Rows:
    """As the writing processes make them."""
    return np.full(WIDTH, number % 1000, np.float16)


def opened(root: Path) -> FeatureSpace:
    return FeatureSpace(root, CARD, WIDTH)


def filled(root: Path, *flushes: range, card: dict[str, Any] = CARD) -> FeatureSpace:
    """A space with one segment for each range of numbers."""
    space = FeatureSpace(root, card, WIDTH)
    for numbers in flushes:
        for number in numbers:
            space.add(key(number), row(number))
        space.flush()
    return space


def numbers_of(space: FeatureSpace, upto: int) -> list[int]:
    """Which numbers the space holds; their rows are checked."""
    held = [n for n in range(upto) if key(n) in space]
    if held:
        np.testing.assert_array_equal(space.read([key(n) for n in held])[:, 0], [n % 1000 for n in held])
        np.testing.assert_array_equal(space.read([key(held[-1])])[0], row(held[-1]))
    return held
