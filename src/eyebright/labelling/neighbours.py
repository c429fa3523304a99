"""The labelled images that are most like an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.labelling.features import Features
from eyebright.types import FloatArray


@dataclass(frozen=True)
class Neighbour:
    """A labelled image, and how like it is: the cosine between the features."""

    sha: str
    label: str
    similarity: float


def nearest_labelled(
    features: Features, sha: str, labels: Mapping[str, str], count: int = 6
) -> list[Neighbour]:
    """Return the labelled images nearest to one of the project's; none if it has no features."""
    if sha not in features.shas:
        return []
    similar = features.units @ features.units[features.shas.index(sha)]
    others = {other: label for other, label in labels.items() if other != sha}
    return nearest(features.shas, similar, others, count)


def nearest(
    shas: Sequence[str], similar: FloatArray, labels: Mapping[str, str], count: int
) -> list[Neighbour]:
    """Return the most similar images that have a label.

    Args:
        shas: N images.
        similar: (N,) how like each one is.
        labels: by hash.
        count: so many at most.
    """
    order = (int(place) for place in np.argsort(-similar, kind="stable"))
    found = (
        Neighbour(shas[place], labels[shas[place]], float(similar[place]))
        for place in order
        if shas[place] in labels
    )
    return [neighbour for neighbour, _ in zip(found, range(count), strict=False)]
