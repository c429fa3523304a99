"""Augmented views of an image, drawn from its hash: the same in every process, so they can be cached."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from eyebright.data.decode import PILLOW, to_square

if TYPE_CHECKING:
    from eyebright.types import Interpolation, UInt8Array

_AREA = (0.4, 1.0)
_RATIO = (3 / 4, 4 / 3)


def view(
    image: Image.Image | UInt8Array,
    size: int,
    index: int,
    seed_text: str,
    *,
    interpolation: Interpolation = "bilinear",
    crop: float | None = None,
) -> UInt8Array:
    """Return one view of an image.

    View 0 is the plain image, view 1 its mirror image. The others are crops of 0.4 to 1 of its area,
    mirrored or not, whose sides are stretched by 3/4 to 4/3 against view 0.

    Args:
        image: a Pillow RGB image, or (H, W, 3).
        size: side S in pixels.
        index: which view.
        seed_text: what the crop is drawn from, with ``index``: the image's hash.
        interpolation: how pixels are resampled.
        crop: as in :func:`~eyebright.data.decode.to_square`, for views 0 and 1.

    Returns:
        (S, S, 3).
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if index < 2:
        square = to_square(picture, size, interpolation=interpolation, crop=crop)
        return np.ascontiguousarray(square[:, ::-1]) if index == 1 else square
    box, mirrored = _draw(picture.width, picture.height, f"{seed_text}:{index}")
    square = np.asarray(picture.resize((size, size), PILLOW[interpolation], box))
    return np.ascontiguousarray(square[:, ::-1]) if mirrored else square


def _draw(width: int, height: int, seed_text: str) -> tuple[tuple[float, float, float, float], bool]:
    """Return a crop's box in pixels, and whether it is mirrored."""
    digest = blake2b(seed_text.encode(), digest_size=40).digest()
    area, ratio, x, y, flip = (np.frombuffer(digest, "<u8") / 2.0**64).tolist()
    share = _AREA[0] + area * (_AREA[1] - _AREA[0])
    stretch = math.exp(math.log(_RATIO[0]) + ratio * math.log(_RATIO[1] / _RATIO[0]))
    # Neither side may pass 1, and neither may fall under the share, so that the area holds.
    across = min(1.0, max(share, math.sqrt(share * stretch)))
    w, h = width * across, height * min(1.0, share / across)
    left, top = x * (width - w), y * (height - h)
    # Pillow refuses a box that passes the edge by a rounding error.
    return (left, top, min(width, left + w), min(height, top + h)), flip < 0.5
