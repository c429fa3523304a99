"""Corruptions of a photograph at five strengths each, and occlusion of its border or centre.

Strengths are relative to the image, which should have the size that the model looks at: noise that a camera
adds at four times that size would all but vanish when it is scaled down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from eyebright.types import UInt8Array

Corruption = Literal["noise", "blur", "jpeg", "darker", "brighter", "rotation", "occlusion"]
Part = Literal["border", "centre"]

#: Weak to strong: standard deviation of noise as a fraction of white; standard deviation of the blur as a
#: fraction of the short side; JPEG quality; factors on the light; degrees; share of the area.
STRENGTHS: Mapping[Corruption, tuple[float, ...]] = {
    "noise": (0.02, 0.04, 0.08, 0.16, 0.32),
    "blur": (0.004, 0.008, 0.016, 0.03, 0.06),
    "jpeg": (60, 40, 20, 10, 5),
    "darker": (0.8, 0.6, 0.4, 0.2, 0.1),
    "brighter": (1.2, 1.5, 2, 3, 5),
    "rotation": (5, 10, 20, 45, 90),
    "occlusion": (0.05, 0.1, 0.2, 0.3, 0.5),
}
PARTS: tuple[Part, ...] = get_args(Part)
#: The border is this share of each side, on every side: 36 % of the area.
BORDER = 0.1

_Change: TypeAlias = Callable[[UInt8Array, float, np.random.Generator], UInt8Array]


def corrupt(
    pixels: UInt8Array, kind: Corruption, strength: float, generator: np.random.Generator
) -> UInt8Array:
    """Return the image (H, W, 3) corrupted by ``kind``, of the same shape.

    Args:
        pixels: RGB.
        kind: what befalls it.
        strength: as :data:`STRENGTHS` has it.
        generator: draws the noise, the direction of a turn and the place of what is covered.
    """
    return _CHANGES[kind](pixels, strength, generator)


def only(pixels: UInt8Array, part: Part) -> UInt8Array:
    """Return the image (H, W, 3) with nothing but its border, or its centre, to be seen.

    The rest has the mean colour of what is seen, and so tells nothing.
    """
    height, width = pixels.shape[:2]
    inside = np.zeros((height, width), bool)
    top, left = math.ceil(BORDER * height), math.ceil(BORDER * width)
    inside[top : height - top, left : width - left] = True
    return _covered(pixels, inside if part == "border" else ~inside)


def _covered(pixels: UInt8Array, hidden: npt.NDArray[np.bool_]) -> UInt8Array:
    if hidden.all():  # of an image of a few pixels
        return pixels
    seen = pixels.copy()
    seen[hidden] = pixels[~hidden].mean(axis=0).round().astype(np.uint8)
    return seen


def _noise(pixels: UInt8Array, strength: float, generator: np.random.Generator) -> UInt8Array:
    noise = generator.standard_normal(pixels.shape, np.float32)
    return _levels(pixels + 255 * strength * noise)


def _blur(pixels: UInt8Array, strength: float, _: np.random.Generator) -> UInt8Array:
    radius = strength * min(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _jpeg(pixels: UInt8Array, strength: float, _: np.random.Generator) -> UInt8Array:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(strength))
    return np.asarray(Image.open(file).convert("RGB"))


def _light(pixels: UInt8Array, strength: float, _: np.random.Generator) -> UInt8Array:
    return _levels(pixels * np.float32(strength))


def _rotation(pixels: UInt8Array, strength: float, generator: np.random.Generator) -> UInt8Array:
    height, width = pixels.shape[:2]
    # What turns into sight is the image mirrored at its edge: black corners would be another corruption.
    pad = math.ceil((math.hypot(height, width) - min(height, width)) / 2)
    wide = Image.fromarray(np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), "symmetric"))
    turned = wide.rotate(strength * generator.choice((-1, 1)), Image.Resampling.BILINEAR)
    return np.asarray(turned)[pad : pad + height, pad : pad + width]


def _occlusion(pixels: UInt8Array, strength: float, generator: np.random.Generator) -> UInt8Array:
    height, width = pixels.shape[:2]
    high, wide = (max(1, round(side * strength**0.5)) for side in (height, width))
    top, left = generator.integers(0, (height - high + 1, width - wide + 1))
    hidden = np.zeros((height, width), bool)
    hidden[top : top + high, left : left + wide] = True
    return _covered(pixels, hidden)


def _levels(values: npt.NDArray[np.float32]) -> UInt8Array:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


_CHANGES: Mapping[Corruption, _Change] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "darker": _light,
    "brighter": _light,
    "rotation": _rotation,
    "occlusion": _occlusion,
}
