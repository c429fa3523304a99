"""What tells where in an image an answer comes from."""

from __future__ import annotations

from typing import Literal, Protocol

from eyebright.errors import EyebrightError
from eyebright.types import FloatArray, UInt8Array

Method = Literal["exact", "gradcam", "rollout"]


class NoHeatMapError(EyebrightError, ValueError):
    """A method has nothing to show of this network; the text says which one has."""


class Explainer(Protocol):
    """One way of laying an answer out over the places of an image."""

    @property
    def method(self) -> Method:
        """Its name."""

    @property
    def signed(self) -> bool:
        """Whether values below 0 speak against the class; else none are below 0."""

    @property
    def of_class(self) -> bool:
        """Whether each class has a map of its own."""

    @property
    def placeless(self) -> float:
        """Share of the features that have no places and are spread evenly."""

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """The map (h, h) of an image (H, W, 3) for class ``number``, laid over the whole image."""
