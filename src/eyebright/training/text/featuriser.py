"""What turns texts into features: any featuriser gives rows, and says which texts tell it nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eyebright.types import BoolArray, FloatArray


class TextFeaturiser(Protocol):
    """Turns texts into features.

    Attributes:
        name: as `metrics.json` and the report call it.
    """

    name: str

    @property
    def width(self) -> int:
        """Return D."""

    def rows(self, texts: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """Return features (N, D) of texts, and whether each text (N,) says anything."""
