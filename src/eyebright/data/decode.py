"""From whatever a user calls an image to RGB pixels, and on to the square that a backbone takes.

JPEG decoding by simplejpeg instead of Pillow was tried: 0 to 12 % more images per second through
:func:`load_square` at 224 px, too little for another dependency. The resize is what takes the time.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from eyebright.data.colour import grey_values, is_deep, to_rgb
from eyebright.data.formats.repair import repaired
from eyebright.data.header import check_size, damaged, encoded, open_image, orientation, read_image
from eyebright.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eyebright.data.manifest import Sample
    from eyebright.types import ImageLike, Interpolation, UInt8Array

Result = TypeVar("Result")

#: Raise it when a file would be decoded to other pixels: features that are kept depend on them.
DECODING = 2
PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Larger images are averaged over whole pixels first: the sealed graph takes 12 bytes a pixel or more. What
# remains is so much larger than the input that probabilities stay within the parity check's tolerance.
_LARGE_PX = 16_000_000
_REMAINING_SHORT, _REMAINING_LONG = 4, 16
# Images above this fill up to 0.7 GB each, so they are decoded one after another.
_HUGE_PX = 60_000_000
_huge = Lock()


def decode(source: ImageLike, *, min_side: int | None = None, white_level: int | None = None) -> UInt8Array:
    """Return the pixels of an image: RGB, upright, transparency on white, the first frame or page.

    Args:
        source: a path, encoded bytes or a file of them, a Pillow image, or uint8 (H, W), (H, W, 1), (H, W, 4)
            or (H, W, 3), in the order red, green, blue.
        min_side: see :func:`open_rgb`.
        white_level: see :func:`~eyebright.data.colour.to_rgb`.

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
        and _factors(source.shape[:2], min_side) == (1, 1)
    ):
        return source
    return np.asarray(open_rgb(source, min_side=min_side, white_level=white_level))


def load_square(
    source: ImageLike,
    size: int,
    interpolation: Interpolation = "bilinear",
    crop: float | None = None,
    white_level: int | None = None,
) -> UInt8Array:
    """Decode an image and resize it to a square: :func:`decode` and :func:`to_square` in one.

    Large images are shrunk while they are decoded (see :func:`open_rgb`).

    Returns:
        (S, S, 3) for a side S of ``size`` pixels.

    Raises:
        NotFoundError: the path does not exist.
        ImageError: as :func:`decode`.
    """
    image = open_rgb(source, min_side=_short_side(size, crop), white_level=white_level)
    return to_square(image, size, interpolation=interpolation, crop=crop)


def load_sample(
    root: Path, sample: Sample, size: int, interpolation: Interpolation = "bilinear"
) -> UInt8Array:
    """Return a sample as a square (S, S, 3), see :func:`load_square`, if its file is still the one listed.

    Raises:
        NotFoundError: the file does not exist.
        ImageError: it cannot be read, or changed after it was listed.
    """
    data = read_image(root / sample.path, sample.sha)
    return load_square(data, size, interpolation, white_level=sample.white_level)


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


def open_rgb(
    source: ImageLike, *, min_side: int | None = None, white_level: int | None = None
) -> Image.Image:
    """Return the image as a decoded Pillow image in mode RGB, upright.

    Args:
        source: as for :func:`decode`.
        min_side: pixels that the short side is going to be scaled down to. JPEGs are then decoded at 1/2,
            1/4 or 1/8 where the short side stays at least twice that: 4 times faster on 2000 x 1500. After
            the resize the pixels differ from a full decode by 0.2 of 255 on average (62 photographs, sides
            of 32 to 96 px; 1.9 on average in the worst photograph). More than 16 million
            pixels that are left are averaged over whole pixels, to sides of at least 4 times that.
        white_level: see :func:`~eyebright.data.colour.to_rgb`.

    Raises:
        NotFoundError: the path does not exist.
        ImageError: as :func:`decode`.
    """
    if isinstance(source, np.ndarray):
        return _finish(_from_array(source), min_side, white_level)
    if isinstance(source, Image.Image):
        return _finish(check_size(source), min_side, white_level)
    data = encoded(source)
    try:
        return _repairing(data, lambda whole: _decode(whole, min_side, white_level))
    except ImageError as error:
        if isinstance(source, str | os.PathLike):
            error.add_note(os.fspath(source))  # the sentence stands beside the path wherever skips are listed
        raise


def highest_grey(data: bytes) -> float | None:
    """Return the highest value of an image with grey of more than 8 bits; None of all other images.

    Raises:
        ImageError: as :func:`decode`.
    """

    def highest(whole: bytes) -> float | None:
        image = open_image(BytesIO(whole))
        if not is_deep(image):
            return None
        try:
            return max(float(values.max()) for values in grey_values(image))
        except ImageError:
            raise
        except Exception as error:  # a decoder that is fed arbitrary bytes may raise anything
            raise damaged(error) from None

    return _repairing(data, highest)


def _repairing(data: bytes, work: Callable[[bytes], Result]) -> Result:
    """Return what ``work`` makes of the file, or of the file made whole where it refuses it as it is."""
    try:
        return work(data)
    except ImageError:
        if (whole := repaired(data)) is None:
            raise
        return work(whole)


def _decode(data: bytes, min_side: int | None, white_level: int | None) -> Image.Image:
    image = open_image(BytesIO(data))
    if min_side is not None and image.format in ("JPEG", "MPO"):
        image.draft(None, (2 * min_side, 2 * min_side))
    return _finish(image, min_side, white_level)


def _finish(image: Image.Image, min_side: int | None, white_level: int | None) -> Image.Image:
    shallow = _is_cut(image)
    try:
        with _huge if image.width * image.height > _HUGE_PX else nullcontext():
            image.load()
            rgb = to_rgb(image, white_level, _factors(image.size, min_side))
    except ImageError:
        raise
    except Exception as error:  # a decoder that is fed arbitrary bytes may raise anything
        raise damaged(error) from None
    if shallow:
        _require_brightness(rgb)
    turn = _TURNS.get(orientation(image))
    return rgb if turn is None else rgb.transpose(turn)


def _factors(size: tuple[int, int], min_side: int | None) -> tuple[int, int]:
    """Return how many columns and rows are averaged into one before the resize to ``min_side``."""
    if min_side is None or size[0] * size[1] <= _LARGE_PX:
        return 1, 1
    both = max(1, min(size) // (_REMAINING_SHORT * min_side))
    first, second = (max(both, side // (_REMAINING_LONG * min_side)) for side in size)
    return first, second


def _is_cut(image: Image.Image) -> bool:
    """Return whether Pillow, not having loaded it yet, cuts 16-bit colours to their upper 8 bits."""
    return image.mode in ("RGB", "RGBA", "LA") and any(
        ";16" in str(tile[3]) for tile in getattr(image, "tile", ())
    )


def _require_brightness(rgb: Image.Image) -> None:
    high = int(np.asarray(rgb).max())
    if 0 < high < 16:
        raise ImageError(
            "Colours of 16 bits must use their range. This image uses the lowest 12 bits or fewer, so it "
            "would be black. Scale it, or save it with 8 bits."
        )


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
    return Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array)


def _short_side(size: int, crop: float | None) -> int:
    return size if crop is None else round(size / crop)


def _middle(width: int, height: int, size: int, short: int) -> tuple[float, float, float, float]:
    """Return the box that becomes the square: that of a resize to ``short`` and a centre crop."""
    scale = short / min(width, height)
    wide, high = (short if side == min(width, height) else int(side * scale) for side in (width, height))
    left, top = round((wide - size) / 2), round((high - size) / 2)
    x, y = width / wide, height / high
    return left * x, top * y, min(width, (left + size) * x), min(height, (top + size) * y)
