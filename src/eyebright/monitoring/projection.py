"""A few projections of features: they show that images changed, and cannot be turned back into images."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from eyebright.training.ood import Residual
from eyebright.types import FloatArray, IntArray

WIDTH = 32
# Coordinates of standardised features are some hundredths. Far larger ones are made small, so that a few
# images that are unlike all others do not move a mean by themselves.
_UNIT = 0.05


class FeatureProjection:
    """The directions in which training images vary most, as the model's own OOD score has them.

    A class that was never shown moves these, and hardly moves as many random directions. Of a model without
    the score, a count sketch (Charikar, Chen and Farach-Colton 2002): each feature is added to one sum, or
    taken off.

    Args:
        seed: the model's SHA-256, from which the count sketch is drawn.
        residual: the directions; None of a model without.
    """

    def __init__(self, seed: str, residual: Residual | None) -> None:
        self._seed = int(seed, 16)
        self._width = 0
        self._matrix: FloatArray | None = None
        if residual is not None:  # in one product, which costs a hundredth of the model
            scaled = residual.directions[:, :WIDTH] * residual.step[:WIDTH] * residual.scale[:, None]
            self._matrix = np.asarray(scaled, np.float32)
            self._offset = residual.mean @ self._matrix

    def __call__(self, features: FloatArray) -> FloatArray:
        """Return the projections (B, WIDTH) of features (B, D); where there are fewer, 0 follows."""
        if self._matrix is None:
            order, signs, starts = self._drawn(features.shape[1])
            known = np.add.reduceat(features[:, order] * signs, starts, axis=1)
        else:
            known = features @ self._matrix - self._offset
        found = np.zeros((len(features), WIDTH), np.float32)
        found[:, : known.shape[1]] = np.arcsinh(known / np.float32(_UNIT))
        return found

    def _drawn(self, features: int) -> tuple[IntArray, FloatArray, IntArray]:
        if features != self._width:
            self.__dict__.pop("_draw", None)
            self._width = features
        return self._draw

    @cached_property
    def _draw(self) -> tuple[IntArray, FloatArray, IntArray]:
        random = np.random.default_rng(self._seed)
        order = random.permutation(self._width)
        signs = random.choice(np.array([-1, 1], np.float32), self._width)
        count = min(WIDTH, self._width)
        return order, signs, np.arange(count) * self._width // count
