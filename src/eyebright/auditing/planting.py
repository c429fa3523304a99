"""Known copies and known faults, made of the user's own images: what an audit finds of them, it measures.

Every copy is drawn from its image's hash alone, so two audits plant the same ones and the cache knows them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from hashlib import blake2b

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

#: Raise it when a planted copy would be made otherwise: what is kept of the old ones is then not used.
PLANTING = 1
_QUALITY = 90
_FRAMES = ((0, 0, 0), (255, 255, 255), (40, 44, 52))
_SMALLEST_SIDE = 8
_QUARTERS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
_FAULT_SIDE = 256
_BLUR_PX = 2.0
_DIM, _PALE = 0.2, 0.2


def _resized(image: Image.Image, random: np.random.Generator) -> Image.Image:
    factor = 2.0 ** random.uniform(-1, 1)
    width, height = (max(_SMALLEST_SIDE, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _compressed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return _through_jpeg(image, int(random.integers(40, 91)))


def _cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return nine tenths of each side, from anywhere."""
    width, height = (max(1, round(0.9 * side)) for side in image.size)
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


def _brightened(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(float(2 ** random.uniform(-0.7, 0.5)))


def _mirrored(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _turned(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return image.transpose(_QUARTERS[int(random.integers(len(_QUARTERS)))])


def _framed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return the image with a border as of a screenshot, of 3 to 12 % on each side."""
    left, right = (round(image.width * share) for share in random.uniform(0.03, 0.12, 2))
    top, bottom = (round(image.height * share) for share in random.uniform(0.03, 0.12, 2))
    colour = _FRAMES[int(random.integers(len(_FRAMES)))]
    return ImageOps.expand(image, border=(left, top, right, bottom), fill=colour)


#: How an image becomes a copy of itself, by kind.
COPIES: Mapping[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "resize": _resized,
    "jpeg": _compressed,
    "crop": _cropped,
    "brightness": _brightened,
    "mirror": _mirrored,
    "rotation": _turned,
    "border": _framed,
}
#: How an image of at most 256 px gets a fault, by the kind of its finding.
FAULTS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(_BLUR_PX)),
    "dark": lambda image: image.point(lambda level: round(level * _DIM)),
    "bright": lambda image: image.point(lambda level: round(255 - (255 - level) * _DIM)),
    "low_contrast": lambda image: ImageEnhance.Contrast(image).enhance(_PALE),
}


def planted_copy(image: Image.Image, kind: str, sha: str) -> Image.Image:
    """Return a copy of an RGB image of the given kind, saved and read as a JPEG once more."""
    random = np.random.default_rng(int.from_bytes(planted_key(sha, kind)[:8], "little"))
    return _through_jpeg(COPIES[kind](image, random), _QUALITY)


def planted_fault(image: Image.Image, kind: str) -> Image.Image:
    """Return an RGB image, made small, with a fault of the given kind."""
    small = image.copy()
    small.thumbnail((_FAULT_SIDE, _FAULT_SIDE), Image.Resampling.BOX, reducing_gap=None)
    return FAULTS[kind](small)


def planted_key(sha: str, kind: str) -> bytes:
    """Return 16 bytes under which what is measured of a planted copy is kept."""
    return blake2b(f"{sha} {kind} {PLANTING}".encode(), digest_size=16).digest()


def _through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
