"""Images unlike the others: of another size or shape, with a border, or of something else altogether."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from eyebright.auditing.neighbours import blocks, unit
from eyebright.data.manifest import Sample
from eyebright.evaluation.intervals import Float64Array
from eyebright.types import BoolArray, FloatArray

#: A size is odd where the number of pixels is so many times more or less than usual, a shape likewise.
ODD_AREA, ODD_SHAPE = 6.0, 1.9
#: The smallest side, in pixels, that shows much.
SMALLEST_SIDE = 32
_SPREADS = 5.0
#: What more images than this share have is no oddity.
USUAL = 0.2
_NEIGHBOURS = 5
_COMPARED = 5000
#: Of the images called outliers, so many may be none.
FALSE_OUTLIERS = 0.05


def odd_sizes(samples: Sequence[Sample]) -> tuple[BoolArray, Float64Array, Float64Array]:
    """Return (N,) whether an image's size or shape is odd, its area and its shape as factors of the usual."""
    width = np.array([s.width for s in samples], np.float64)
    height = np.array([s.height for s in samples], np.float64)
    area, shape = np.log(width * height), np.log(width / height)
    # Portrait and landscape photographs of one camera are the same shape.
    shape = np.abs(shape)
    area, shape = area - np.median(area), shape - np.median(shape)
    limits = [
        np.maximum(np.log(least), _SPREADS * np.median(np.abs(off)))
        for least, off in ((ODD_AREA, area), (ODD_SHAPE, shape))
    ]
    odd = (
        (np.abs(area) > limits[0]) | (np.abs(shape) > limits[1]) | (np.minimum(width, height) < SMALLEST_SIDE)
    )
    return odd, np.exp(area), np.exp(shape)


def outliers(rows: FloatArray, seed: int) -> Float64Array:
    """Return (N,) the probability that an image is unlike all others, at least 0.95 of what is called so.

    The logarithm of the distance to the nearest of some other images is compared with its usual spread; how
    many images would be as far by chance is taken into account (Benjamini and Hochberg 1995).
    """
    distance = np.log(_distances(rows, seed) + 1e-4)
    middle = np.median(distance)
    spread = max(1e-3, float(np.quantile(distance, 0.84) - middle))
    tails = ndtr(-(distance - middle) / spread)
    order = np.argsort(tails, kind="stable")
    share = tails[order] * len(tails) / np.arange(1, len(tails) + 1)
    false = np.minimum.accumulate(share[::-1])[::-1]
    found = np.zeros(len(tails))
    found[order] = 1 - np.minimum(false, 1)
    return np.asarray(np.where(found >= 1 - FALSE_OUTLIERS, found, 0.0))


def _distances(rows: FloatArray, seed: int) -> Float64Array:
    """Return (N,) one less the mean cosine to the nearest of some images, an image itself not among them."""
    directions = unit(rows)
    others = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_COMPARED])
    count = min(_NEIGHBOURS, len(others) - 1)
    found = np.empty(len(rows))
    for block in blocks(len(rows), len(others)):
        similar = directions[block] @ directions[others].T
        similar[np.equal.outer(np.arange(block.start, block.stop), others)] = -1
        found[block] = 1 - np.partition(similar, len(others) - count, axis=1)[:, len(others) - count :].mean(
            axis=1
        )
    return found
