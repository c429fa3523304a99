"""Planted defects: good images with something wrong put into them, by which detectors are compared.

They look like no real defect, but a detector that misses them misses much. Each is drawn from the image's
hash, so the same images give the same defects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from eyebright.types import UInt8Array

_SMALLEST, _LARGEST = 0.025, 0.12  # sides of a local defect, as shares of the image's
_Plant = Callable[[Image.Image, np.random.Generator], Image.Image]


def _box(image: Image.Image, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw where a local defect lies: left, top, right, bottom."""
    shares = np.exp(random.uniform(np.log(_SMALLEST), np.log(_LARGEST), 2))
    width, height = (max(4, round(share * side)) for share, side in zip(shares, image.size, strict=True))
    left = int(random.integers(0, image.width - width + 1))
    top = int(random.integers(0, image.height - height + 1))
    return left, top, left + width, top + height


def _pasted(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Paste a turned piece of the image elsewhere (CutPaste, Li et al. 2021)."""
    source, target = _box(image, random), _box(image, random)
    size = target[2] - target[0], target[3] - target[1]
    piece = image.crop(source).rotate(float(random.uniform(30, 330)), resample=Image.Resampling.BICUBIC)
    factor = float(np.exp(random.choice([-1, 1]) * random.uniform(0.1, 0.3)))
    piece = piece.point([min(255, round(level * factor)) for level in range(256)] * 3)
    changed = image.copy()
    changed.paste(piece.resize(size, Image.Resampling.BICUBIC), target[:2], _blob(size))
    return changed


def _noisy_spot(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Put noise on a spot."""
    box = _box(image, random)
    spot = _with_noise(image.crop(box), random.uniform(0.06, 0.2), random)
    changed = image.copy()
    changed.paste(spot, box[:2], _blob(spot.size))
    return changed


def _blurred_spot(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Blur a spot."""
    box = _box(image, random)
    soft = image.filter(ImageFilter.GaussianBlur(image.width * random.uniform(0.012, 0.025))).crop(box)
    changed = image.copy()
    changed.paste(soft, box[:2], _blob(soft.size))
    return changed


def _scratched(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Draw a thin crooked line, lighter or darker than what it crosses."""
    side = image.width
    point, angle = random.uniform(0.1, 0.9, 2) * side, random.uniform(0, 2 * np.pi)
    points = [tuple(point)]
    for _ in range(6):
        angle += random.uniform(-0.4, 0.4)
        point = point + side * random.uniform(0.01, 0.05) * np.array([np.cos(angle), np.sin(angle)])
        points.append(tuple(point))
    mask = Image.new("L", image.size)
    line = [(float(x), float(y)) for x, y in points]
    ImageDraw.Draw(mask).line(line, fill=int(random.integers(140, 230)), width=max(1, side // 150))
    shade = Image.new("RGB", image.size, (255,) * 3 if random.random() < 0.5 else (0,) * 3)
    return Image.composite(shade, image, mask.filter(ImageFilter.GaussianBlur(side / 600)))


def _noisy(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Put noise on the whole image."""
    return _with_noise(image, random.uniform(0.03, 0.08), random)


def _blurred(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Blur the whole image."""
    return image.filter(ImageFilter.GaussianBlur(image.width * random.uniform(0.003, 0.006)))


def _with_noise(image: Image.Image, strength: float, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    noise = random.normal(0, 255 * strength, (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(pixels + noise, 0, 255).round().astype(np.uint8))


def _blob(size: tuple[int, int]) -> Image.Image:
    """Return a mask of an ellipse with a soft edge."""
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(max(1, min(size) / 12)))


#: Kinds of planted defects. The last two are of the whole image.
PLANTED: Mapping[str, _Plant] = {
    "pasted": _pasted,
    "noisy spot": _noisy_spot,
    "blurred spot": _blurred_spot,
    "scratch": _scratched,
    "noise": _noisy,
    "blur": _blurred,
}


def plant(square: UInt8Array, kind: str, key: bytes) -> UInt8Array:
    """Return a good image (S, S, 3) with a defect.

    Args:
        square: RGB, as the backbone sees it.
        kind: of :data:`PLANTED`.
        key: of the image, from which place and strength are drawn.
    """
    seed = int.from_bytes(blake2b(key + kind.encode(), digest_size=8).digest())
    changed = PLANTED[kind](Image.fromarray(square), np.random.default_rng(seed))
    return np.asarray(changed, np.uint8)
