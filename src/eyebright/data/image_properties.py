"""How an image looks, in three numbers: what a photograph's light, haze and focus do to a model's answers."""

from __future__ import annotations

import numpy as np
from PIL import Image

from eyebright.types import FloatArray, UInt8Array

#: What :func:`looks` gives, in its order.
LOOKS = ("brightness", "contrast", "sharpness")
#: Raise it when :func:`looks` gives other numbers: those in the cache depend on it.
LOOKING = 1
# Sharpness says nothing without the size at which it is seen; 256 px are near what models see.
_LONG_SIDE = 256


def looks(pixels: UInt8Array) -> FloatArray:
    """Return brightness, contrast and sharpness of an image (H, W, 3).

    Returns:
        (3,): mean and standard deviation of the grey levels as fractions of white, and the variance of the
        Laplacian of the grey levels (0 to 255), all at a long side of at most 256 px.
    """
    small = Image.fromarray(pixels).convert("L")
    small.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BILINEAR)
    grey = np.asarray(small, np.float32)
    return np.array([grey.mean() / 255, grey.std() / 255, _laplacian(grey).var()], np.float32)


def _laplacian(grey: FloatArray) -> FloatArray:
    """Return the Laplacian of four neighbours (H - 2, W - 2); one 0 where no pixel has all of them."""
    if min(grey.shape) < 3:
        return np.zeros(1, np.float32)
    middle = grey[1:-1, 1:-1]
    return np.asarray(
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle, np.float32
    )
