"""Features projected onto a plane, so that images similar to the model are close together."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh

from eyebright.types import FloatArray

#: How a layout was found.
Method: TypeAlias = Literal["t-SNE", "PCA"]

_COMPONENTS = 50
_FEW = 200  # points for which all components are quicker than some
_PERPLEXITY = 30


@dataclass(frozen=True)
class Projection:
    """Points (n, 2) between 0 and 1, and how they were found."""

    points: FloatArray
    method: Method


def project(features: FloatArray, seed: int, method: Method = "t-SNE") -> Projection:
    """Project standardised features onto 50 principal components, and from there by t-SNE onto a plane.

    Without the package openTSNE the first two components are taken.

    Args:
        features: (n, D), of at least 2 images.
        seed: of t-SNE.
        method: PCA takes the first two components, in a hundredth of the time.
    """
    components = principal(features, _COMPONENTS)
    if method == "PCA" or find_spec("openTSNE") is None:
        return Projection(_unit(components[:, :2]), "PCA")
    from openTSNE import TSNE

    start = components[:, :2] / max(float(components[:, 0].std()), 1e-12) * 1e-4
    layout = TSNE(
        perplexity=min(_PERPLEXITY, (len(features) - 1) / 3),
        initialization=start,
        neighbors="exact",
        negative_gradient_method="bh",
        n_jobs=1,  # its threads spin while they wait: 500 points took 9.5 s of two, and 1.0 s of one
        random_state=seed,
    )
    return Projection(_unit(np.asarray(layout.fit(components), np.float32)), "t-SNE")


def principal(features: FloatArray, count: int) -> FloatArray:
    """Return the scores (n, c) of standardised features (n, D) on their first ``count`` components."""
    centred = features - features.mean(axis=0)
    deviation = centred.std(axis=0)
    # Otherwise a channel that is almost constant would count as much as the others.
    centred /= np.maximum(deviation, 0.1 * np.median(deviation) + 1e-12)
    products = (centred @ centred.T / centred.shape[1]).astype(np.float64)
    wanted = min(count, len(products) - 1)
    if len(products) <= _FEW:
        values, vectors = eigh(products)
    else:
        values, vectors = eigsh(products, k=wanted, v0=np.ones(len(products)))
    order = np.argsort(-values)[:wanted]
    scores = vectors[:, order] * np.sqrt(np.maximum(values[order], 0))
    scores *= np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])])
    padded: FloatArray = np.pad(scores, ((0, 0), (0, max(0, 2 - scores.shape[1])))).astype(np.float32)
    return padded


def _unit(points: FloatArray) -> FloatArray:
    """Move and scale points into the middle of the unit square, both axes alike."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = float((high - low).max()) or 1.0
    scaled: FloatArray = ((points - (low + high) / 2) / span + 0.5).astype(np.float32)
    return scaled
