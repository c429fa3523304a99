"""The fingerprint of an image: a small grey square and its uniform borders, by which copies are known."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from eyebright.types import BoolArray, FloatArray, UInt8Array

#: Side in pixels of a fingerprint.
SIDE = 64
# Borders are looked for at this long side. A line is uniform within so many grey levels, as JPEG leaves them.
_LONG_SIDE = 256
_UNIFORM = 6.0
_WITHIN = 0.95  # of the pixels of a line
_MOST_TRIMMED = 0.7  # of a side: more is a subject on a plain ground
_FEWEST_LINES = 8
_FREQUENCIES = 16


def small_grey(picture: Image.Image) -> Image.Image:
    """Return an RGB image in grey, its long side at most 256 px."""
    small = picture.convert("L")
    small.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BOX, reducing_gap=None)
    return small


def fingerprint(small: Image.Image) -> UInt8Array:
    """Return a small grey image as a square (64, 64), its contrast stretched to the whole range."""
    square = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    low, high = np.percentile(square, (1, 99))
    stretched = (square - low) * (255 / max(float(high - low), 1.0))
    return np.asarray(np.clip(np.rint(stretched), 0, 255), np.uint8)


def borders(small: Image.Image) -> FloatArray:
    """Return (4,) shares of the sides that uniform borders take: above, below, at the left and at the right.

    A border within a border is taken along; what would leave less than a third of a side is no border.
    """
    grey = np.asarray(small, np.float32)
    height, width = grey.shape
    found = (0, 0, 0, 0)
    while True:
        top, bottom, left, right = found
        inside = grey[top : height - bottom, left : width - right]
        lines = (inside, inside[::-1], inside.T, inside.T[::-1])
        wider = tuple(n + _uniform_lines(some) for n, some in zip(found, lines, strict=True))
        trimmed = max((wider[0] + wider[1]) / height, (wider[2] + wider[3]) / width)
        if wider == found or trimmed > _MOST_TRIMMED:
            return np.asarray(np.array(found) / np.array((height, height, width, width)), np.float32)
        found = (wider[0], wider[1], wider[2], wider[3])


def border_steps(small: Image.Image, shares: FloatArray) -> FloatArray:
    """Return (4,) the share of a side's pixels that leave the border's grey where it ends, 0 without one.

    A frame ends along its whole side, an overexposed ground where the subject begins.
    """
    grey = np.asarray(small, np.float32)
    steps = np.zeros(4, np.float32)
    for number, lines in enumerate((grey, grey[::-1], grey.T, grey.T[::-1])):
        count = round(float(shares[number]) * len(lines))
        if count and len(lines) - count >= _FEWEST_LINES:
            beyond = np.abs(lines[count : count + 3] - np.median(lines[0])) >= _UNIFORM
            steps[number] = beyond.mean(axis=1).max()
    return steps


def inside(small: Image.Image, shares: FloatArray) -> Image.Image:
    """Return what lies inside the borders of an image, given as :func:`borders` does."""
    top, bottom, left, right = (
        round(float(share) * side)
        for share, side in zip(shares, (small.height, small.height, small.width, small.width), strict=True)
    )
    return small.crop((left, top, small.width - right, small.height - bottom))


def _uniform_lines(grey: FloatArray) -> int:
    """Return how many of the first rows have one and the same grey level; none where all have."""
    if len(grey) < _FEWEST_LINES:
        return 0
    level = np.median(grey[0])
    if not _is_uniform(grey[:1], level)[0]:  # as of most images; the other lines need no look
        return 0
    uniform = _is_uniform(grey, level)
    return 0 if uniform.all() else int(uniform.argmin())


def _is_uniform(lines: FloatArray, level: np.floating) -> BoolArray:
    """Return (n,) whether most pixels of each line (n, W) are near a grey level."""
    return np.asarray((np.abs(lines - level) < _UNIFORM).mean(axis=1) >= _WITHIN)


def descriptors(squares: FloatArray) -> FloatArray:
    """Return unit rows (N, 272), which mirroring and quarter turns leave alone, of squares (N, 64, 64).

    Mirroring changes signs of the discrete cosine transform, and a quarter turn swaps its two indices. So the
    sums and differences of the sizes of each coefficient and its transposed one stay as they are.
    """
    basis = _cosines()
    rows = squares - squares.mean(axis=(1, 2), keepdims=True)
    sizes = np.abs(basis @ rows @ basis.T)
    other = sizes.transpose(0, 2, 1)
    first, second = np.triu_indices(_FREQUENCIES)
    both = [(sizes + other)[:, first, second], np.abs(sizes - other)[:, first, second]]
    # The root keeps the few large coefficients from deciding alone.
    rooted = np.sqrt(np.concatenate(both, axis=1))
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-6), np.float32)


@cache
def _cosines() -> FloatArray:
    """Return the lowest frequencies of the orthonormal discrete cosine transform, (16, 64)."""
    k, n = np.arange(_FREQUENCIES)[:, None], np.arange(SIDE)[None]
    basis = np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)
