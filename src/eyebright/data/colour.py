"""Any Pillow mode to 8-bit RGB: transparency on white, deep grey scaled to its white level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from eyebright.errors import ImageError
from eyebright.types import UInt8Array

#: What 16-bit grey means by itself; data sets that need less have a smaller white level.
FULL_LEVEL = 65535
#: The white levels of 8 to 32 bits. Sensors give 10, 12 or 14, and files hold them in 16.
LEVELS = tuple((1 << bits) - 1 for bits in range(8, 33))

_STRIP_PX = 4_000_000
_BEYOND_SHARE = 0.01
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
_SAMPLE_FORMAT = 339  # the TIFF tag; 1 stands for unsigned

_Values: TypeAlias = npt.NDArray[Any]
_Conversion: TypeAlias = Callable[[Image.Image], Image.Image]


def is_deep(image: Image.Image) -> bool:
    """Return whether the image is grey of more than 8 bits, whose file does not say what is white."""
    return image.mode == "F" or image.mode.startswith("I")


def fitting_level(high: float) -> int:
    """Return the smallest of :data:`LEVELS` that holds the value ``high``."""
    return next((level for level in LEVELS if high <= level), LEVELS[-1])


def to_rgb(
    image: Image.Image, white_level: int | None = None, factors: tuple[int, int] = (1, 1)
) -> Image.Image:
    """Return ``image`` in mode RGB; the same object if it is that already.

    Transparent pixels are laid on white, unless all are transparent: then the colours are meant. Deep grey
    (modes I;16, I and F) is scaled so that ``white_level`` becomes 255. Floats up to 1 are read as 0 to 1,
    and negative values turn the range into the image's own minimum to maximum.

    Args:
        image: decoded.
        white_level: None takes the smallest of :data:`LEVELS` that holds the image's values.
        factors: columns and rows that are averaged into one, in strips, so that a large image is never
            held twice.

    Raises:
        ImageError: the colours cannot be converted, or over 1 % of the pixels lie above ``white_level``.
    """
    convert = _conversion(image, white_level)
    if factors == (1, 1):
        return convert(image)
    across, down = factors
    small = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
    for top, strip in _strips(image, down):
        small.paste(convert(strip).reduce(factors), (0, top // down))
    return small


def grey_values(image: Image.Image) -> Iterator[_Values]:
    """Return an iterator over the values of a deep image (h, W), a few million at a time.

    Raises:
        ImageError: some are not finite.
    """
    wrapped = _wrapped(image)
    for _, strip in _strips(image):
        values = _values(strip, wrapped)
        if not np.isfinite(float(values.min()) + float(values.max())):
            raise ImageError(
                "Pixel values must be finite. This image contains NaN or infinity. Replace them."
            )
        yield values


def _conversion(image: Image.Image, white_level: int | None) -> _Conversion:
    """Return what turns the image, or a strip of it, into RGB: it rests on the whole image."""
    if is_deep(image):
        low, top = _range(image, white_level)
        return partial(_scaled, low=low, top=top, wrapped=_wrapped(image))
    if "transparency" in image.info or image.mode in _TRANSPARENT:
        seen = any(_rgba(strip).getchannel("A").getbbox() for _, strip in _strips(image))
        return _on_white if seen else _colours
    return _opaque


def _range(image: Image.Image, white_level: int | None) -> tuple[float, float]:
    """Return the values of a deep image that become 0 and 255."""
    low, high = 0.0, -np.inf
    for values in grey_values(image):
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low < 0:
        return low, high
    if image.mode == "F" and high <= 1:
        return 0.0, 1.0
    top = white_level or fitting_level(high)
    if high > top:
        beyond = sum(int((values > top).sum()) for values in grey_values(image))
        if beyond > _BEYOND_SHARE * image.width * image.height:
            raise ImageError(
                "Grey values must be at most {level}, the white level of the training images. This image "
                "goes up to {high}. Scale it as those are.",
                level=top,
                high=f"{high:g}",
            )
    return 0.0, float(top)


def _strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of the image with the row that they begin at, their heights multiples of ``multiple``."""
    rows = multiple * max(1, _STRIP_PX // (image.width * multiple))
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _wrapped(image: Image.Image) -> bool:
    """Return whether Pillow read unsigned 32-bit integers of a TIFF into signed ones."""
    return image.mode == "I" and getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT) == (1,)


def _values(image: Image.Image, wrapped: bool) -> _Values:
    values = np.asarray(image)
    return values.view(np.uint32) if wrapped else values


def _scaled(image: Image.Image, *, low: float, top: float, wrapped: bool) -> Image.Image:
    values = (_values(image, wrapped).astype(np.float64) - low) * (255 / ((top - low) or 1))
    grey: UInt8Array = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _rgba(image: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)
    return image.convert(straight).convert("RGBA")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = _rgba(image)
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _colours(image: Image.Image) -> Image.Image:
    return _rgba(image).convert("RGB")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    try:
        return image.convert("RGB")
    except ValueError:
        raise ImageError(
            "The image must be greyscale, RGB, CMYK or palette. Its mode is {mode}. Convert it to RGB.",
            mode=image.mode,
        ) from None
