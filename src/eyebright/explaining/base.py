"""Explainers: which places of an image a prediction is based on."""

from __future__ import annotations

from typing import Literal, Protocol

from eyebright.errors import EyebrightError
from eyebright.types import FloatArray, UInt8Array

Method = Literal["exact", "gradcam", "rollout"]


class NoHeatMapError(EyebrightError, ValueError):
    """A method has no heat map for this model; the text says which method has one."""


class Explainer(Protocol):
    """One method of spreading a prediction over the places of an image."""

    @property
    def method(self) -> Method:
        """Return the method's name."""

    @property
    def signed(self) -> bool:
        """Return whether values below 0 count against the class; else none are below 0."""

    @property
    def of_class(self) -> bool:
        """Return whether each class has a map of its own."""

    @property
    def placeless(self) -> float:
        """Return the share of the features that have no places and are spread evenly."""

    @property
    def full(self) -> float | None:
        """Return the value that is drawn in full colour; None for the strongest of each map."""

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """Return the map (h, h) of an image (H, W, 3) for class ``number``, laid over the whole image."""
