"""The map of anomalies, which a model that learned from good images alone gives as an output."""

from __future__ import annotations

import numpy as np

from eyebright.explaining.base import Method
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray, UInt8Array

# Below this score a place is as usual as others; no colour is wasted on it.
_USUAL = 0.5


class AnomalyMap:
    """Show where an image is unlike good ones, in full colour well above the limit.

    Args:
        model: with the output `anomaly_map`.
    """

    method: Method = "exact"
    signed = False
    of_class = False
    full = 1.0
    placeless = 0.0

    def __init__(self, model: SealedModel) -> None:
        self._model = model

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """Return the map (S, S) in units of the score, 0.5 taken off; there is one for both classes."""
        _, [scores] = self._model.anomalies(image[None])
        return np.asarray(np.maximum(scores - _USUAL, 0), np.float32)
