"""The labelled images that are most like an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eyebright.studio.features import Features


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
    own = features.shas.index(sha)
    similar = features.units @ features.units[own]
    found: list[Neighbour] = []
    for place in np.argsort(-similar, kind="stable"):
        label = labels.get(features.shas[place])
        if place != own and label is not None:
            found.append(Neighbour(features.shas[place], label, float(similar[place])))
            if len(found) == count:
                break
    return found
