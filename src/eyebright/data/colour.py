"""Any Pillow mode to 8-bit RGB: transparency on white, 16 bits and floats scaled, never clipped."""

from __future__ import annotations

import numpy as np
from PIL import Image

from eyebright.errors import ImageError
from eyebright.types import UInt8Array


def to_rgb(image: Image.Image) -> Image.Image:
    """Return ``image`` in mode RGB; the same object if it is that already.

    Transparent pixels are laid on white. 16-bit grey is divided by 257, so that 65535 becomes 255.
    32-bit integers (mode I) and floats (mode F) carry no range: see :func:`_grey`.

    Raises:
        ImageError: the colours cannot be converted.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_grey(image)).convert("RGB")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        return _on_white(image)
    if image.mode == "RGB":
        return image
    try:
        return image.convert("RGB")
    except ValueError:
        raise ImageError(
            "The image must be greyscale, RGB, CMYK or palette. Its mode is {mode}. Convert it to RGB.",
            mode=image.mode,
        ) from None


def _on_white(image: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)
    rgba = image.convert(straight).convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _grey(image: Image.Image) -> UInt8Array:
    """Return an image (H, W) of modes I;16, I or F, on the smallest usual range that holds its values.

    Modes I;16 and I: 0 to 65535. Mode F: 0 to 1, to 255, or to 65535. Beyond these, from the image's own
    minimum to its maximum.
    """
    values = np.asarray(image).astype(np.float64)
    low, high = values.min(), values.max()
    if not np.isfinite(low + high):
        raise ImageError("Pixel values must be finite. This image contains NaN or infinity. Replace them.")
    ranges = (1, 255, 65535) if image.mode == "F" else (65535,)
    top = next((limit for limit in ranges if low >= 0 and high <= limit), None)
    if top is None:
        values, top = values - low, high - low
    return np.rint(values * (255 / top)).astype(np.uint8)
