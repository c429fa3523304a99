"""A heat map drawn over its image."""

from __future__ import annotations

import numpy as np
from PIL import Image

from eyebright.types import FloatArray, UInt8Array

# For and against, told apart by every kind of colour vision.
_FOR = np.array([255, 96, 0], np.float32)
_AGAINST = np.array([0, 112, 255], np.float32)
_STRONGEST = 0.75  # of a colour over the image, so that the image can still be seen
_COLOUR = 0.25  # of the image's own colour that is kept
_TOP = 99  # per cent of the cells are below full colour: one cell alone must not pale all others


def overlay(
    image: UInt8Array, heat: FloatArray, side: int, signed: bool = True, full: float | None = None
) -> Image.Image:
    """Draw a heat map over a pale image: orange where it counts for the class, blue where against.

    Args:
        image: (H, W, 3).
        heat: (h, h), laid over the whole image.
        side: largest width and height in pixels; no image is enlarged.
        signed: whether values below 0 count against the class; else the smallest value is the map's zero.
        full: the value that has the full colour, so that maps can be compared; None for each map's own.
    """
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    strengths = scaled(heat, signed) if full is None else np.clip(heat / full, -1, 1).astype(np.float32)
    strength = _smooth(strengths, picture.size)[..., None]
    pixels = np.asarray(picture, np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pale = grey + _COLOUR * (pixels - grey)
    opacity = _STRONGEST * np.abs(strength)
    mixed = pale * (1 - opacity) + np.where(strength > 0, _FOR, _AGAINST) * opacity
    return Image.fromarray(np.clip(mixed, 0, 255).round().astype(np.uint8))


def scaled(heat: FloatArray, signed: bool) -> FloatArray:
    """Scale the map to between -1 and 1, its zero kept; all 0 if the map is constant 0."""
    values = heat if signed else heat - heat.min()
    top = float(np.percentile(np.abs(values), _TOP)) or float(np.abs(values).max())
    if not top:
        return np.zeros_like(heat)
    clipped: FloatArray = np.clip(values / top, -1, 1).astype(np.float32)
    return clipped


def _smooth(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Enlarge the map (h, h) to (H, W) for a picture of ``size``, width first."""
    wide = Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(wide, np.float32), -1, 1)
