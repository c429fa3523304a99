"""From whatever a user calls an image to RGB pixels, and on to the square that a backbone takes.

JPEG decoding by simplejpeg instead of Pillow was tried: 0 to 12 % more images per second through
:func:`load_square` at 224 px, too little for another dependency. The resize is what takes the time.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageOps

from eyebright.data.colour import to_rgb
from eyebright.data.header import check_size, damaged, open_image, read_image
from eyebright.errors import ImageError

if TYPE_CHECKING:
    from eyebright.types import ImageLike, Interpolation, UInt8Array

#: Raise it when a file would be decoded to other pixels: features that are kept depend on them.
DECODING = 1
PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def decode(source: ImageLike, *, min_side: int | None = None) -> UInt8Array:
    """Return the pixels of an image: RGB, upright, transparency on white, the first frame or page.

    Args:
        source: a path, encoded bytes, a Pillow image, or uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        min_side: see :func:`open_rgb`.

    Returns:
        (H, W, 3). May be read-only, and may be ``source`` itself.

    Raises:
        NotFoundError: the path does not exist.
        ImageError: it is no image, is damaged, too large, or an array of another type or shape.
    """
    if (
        isinstance(source, np.ndarray)
        and source.dtype == np.uint8
        and source.size
        and source.shape[2:] == (3,)
    ):
        return source
    return np.asarray(open_rgb(source, min_side=min_side))


def load_square(
    source: ImageLike, size: int, interpolation: Interpolation = "bilinear", crop: float | None = None
) -> UInt8Array:
    """Decode an image and resize it to a square: :func:`decode` and :func:`to_square` in one.

    JPEGs are decoded at reduced scale where at least twice the pixels needed remain (see :func:`open_rgb`).

    Returns:
        (S, S, 3) for a side S of ``size`` pixels.

    Raises:
        NotFoundError: the path does not exist.
        ImageError: as :func:`decode`.
    """
    image = open_rgb(source, min_side=_short_side(size, crop))
    return to_square(image, size, interpolation=interpolation, crop=crop)


def to_square(
    image: Image.Image | UInt8Array,
    size: int,
    *,
    interpolation: Interpolation = "bilinear",
    crop: float | None = None,
) -> UInt8Array:
    """Return the image as a square, resampled with antialiasing by Pillow.

    Args:
        image: a Pillow RGB image, or (H, W, 3).
        size: side S in pixels.
        interpolation: how pixels are resampled.
        crop: None squashes the whole image; a fraction scales the short side to ``round(S / crop)`` and
            cuts the middle out, as timm does.

    Returns:
        (S, S, 3).
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if crop is not None:
        box = _middle(picture.width, picture.height, size, _short_side(size, crop))
        return np.asarray(picture.resize((size, size), PILLOW[interpolation], box))
    # Rows first, as the sealed graph has it: in one call Pillow 13 takes columns first where that is faster.
    rows = picture.resize((size, picture.height), PILLOW[interpolation])
    return np.asarray(rows.resize((size, size), PILLOW[interpolation]))


def open_rgb(source: ImageLike, *, min_side: int | None = None) -> Image.Image:
    """Return the image as a decoded Pillow image in mode RGB, upright.

    Args:
        source: as for :func:`decode`.
        min_side: pixels that the short side is going to be scaled down to. JPEGs are then decoded at 1/2,
            1/4 or 1/8 where the short side stays at least twice that: 4 times faster on 2000 x 1500. After
            the resize the pixels differ from a full decode by 0.2 of 255 on average (62 photographs, sides
            of 32 to 96 px; 1.9 on average in the worst photograph).

    Raises:
        NotFoundError: the path does not exist.
        ImageError: as :func:`decode`.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _finish(check_size(source))
    data = source if isinstance(source, bytes) else read_image(source)
    try:
        image = open_image(BytesIO(data))
        if min_side is not None and image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * min_side, 2 * min_side))
        return _finish(image)
    except ImageError as error:
        if not isinstance(source, bytes):
            error.add_note(os.fspath(source))  # the sentence stands beside the path wherever skips are listed
        raise


def _finish(image: Image.Image) -> Image.Image:
    try:
        image.load()
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(image)
        return to_rgb(image)
    except ImageError:
        raise
    except Exception as error:  # a decoder that is fed arbitrary bytes may raise anything
        raise damaged(error) from None


def _from_array(array: UInt8Array) -> Image.Image:
    known = array.ndim == 2 or array.shape[2:] in ((1,), (3,), (4,))
    if array.dtype != np.uint8 or array.size == 0 or not known:
        raise ImageError(
            "An image array must be uint8 and have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). "
            "Got {dtype} with shape {shape}. Scale the values to 0 to 255, put the channels last, "
            "and convert with astype('uint8').",
            dtype=array.dtype,
            shape=array.shape,
        )
    return to_rgb(Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array))


def _short_side(size: int, crop: float | None) -> int:
    return size if crop is None else round(size / crop)


def _middle(width: int, height: int, size: int, short: int) -> tuple[float, float, float, float]:
    """Return the box that becomes the square: that of a resize to ``short`` and a centre crop."""
    scale = short / min(width, height)
    wide, high = (short if side == min(width, height) else int(side * scale) for side in (width, height))
    left, top = round((wide - size) / 2), round((high - size) / 2)
    x, y = width / wide, height / high
    return left * x, top * y, min(width, (left + size) * x), min(height, (top + size) * y)
