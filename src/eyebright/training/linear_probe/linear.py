"""A linear head: what every way of training one on frozen features ends in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eyebright.types import FloatArray


@dataclass(frozen=True)
class LinearHead:
    """Weights (D, K) and bias (K,) for raw features."""

    weights: FloatArray
    bias: FloatArray

    def logits(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Return logits (N, K) of features (N, D)."""
        return np.asarray(features.astype(np.float32, copy=False) @ self.weights + self.bias, np.float32)
