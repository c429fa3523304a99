"""Properties of an image by which slices are formed: brightness, contrast, sharpness and its camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from eyebright.data.storage.places import open_binary
from eyebright.types import FloatArray, UInt8Array

#: What :func:`looks` gives, in its order.
LOOKS = ("brightness", "contrast", "sharpness")
#: Raise it when :func:`looks` gives other numbers: those in the cache depend on it.
LOOKING = 1
# Sharpness says nothing without the size at which it is seen; 256 px are near what models see.
_LONG_SIDE = 256
# EXIF stands near a file's beginning; so many bytes rule out most files without it.
_HEAD_BYTES = 4096


def looks(pixels: UInt8Array) -> FloatArray:
    """Return brightness, contrast and sharpness of an image (H, W, 3).

    Returns:
        (3,): mean and standard deviation of the grey levels as fractions of white, and the variance of the
        Laplacian of the grey levels (0 to 255), all at a long side of at most 256 px.
    """
    small = Image.fromarray(pixels).convert("L")
    small.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BILINEAR)
    return small_looks(small)


def small_looks(small: Image.Image) -> FloatArray:
    """Return what :func:`looks` does of a grey image whose long side is at most 256 px."""
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


def camera(path: Path) -> str:
    """Return make and model from the EXIF block of a JPEG or TIFF, or "" where none can be read."""
    try:
        with open_binary(path) as file:
            if b"Exif\0" not in (head := file.read(_HEAD_BYTES)) and head[:2] not in (b"II", b"MM"):
                return ""
            file.seek(0)
            with Image.open(file) as image:
                exif = image.getexif()
    except Exception:  # a parser that is fed arbitrary bytes may raise anything; a camera is not worth it
        return ""
    make, model = (_clean(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    # Many models begin with their maker's name.
    return model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip()


def _clean(value: object) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""
