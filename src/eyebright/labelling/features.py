"""Features of a project's images in few directions, cached, by which the page finds similar ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.auditing.material import stage_extractor
from eyebright.auditing.neighbours import unit
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.manifest import Sample
from eyebright.runtime.context import progress_task
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.pca import principal_directions, standardise
from eyebright.types import FloatArray, Skipped

#: Directions that are kept, and the size of the squares, which an audit takes too: the cache then has them.
RANK = 256
SIZE = 224


@dataclass(frozen=True)
class Features:
    """Features of N images.

    Attributes:
        shas: (N,) the images' hashes.
        rows: (N, R) in principal directions, standardised.
        units: (N, R) the same, of unit length.
    """

    shas: tuple[str, ...]
    rows: FloatArray
    units: FloatArray


def features_of(root: Path, samples: Sequence[Sample]) -> tuple[Features, Sequence[Skipped]]:
    """Compute what the cache lacks of the images' features, and return them all.

    Images that cannot be read are left out, and returned with the reason.

    Args:
        root: of the images.
        samples: one an image file.
    """
    if not samples:
        return Features((), np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)), ()
    extractor = stage_extractor(root, samples, EmbeddedBackbone(), default_folder(), size=SIZE)
    with progress_task("Computing features at {size} px", total=len(samples), size=SIZE) as task:
        skipped = tuple(extractor.compute(root, samples, task))
    lost = {entry.path for entry in skipped}
    readable = [sample for sample in samples if sample.path not in lost]
    rows, _, _ = standardise(extractor.read(readable, extractor.taps))
    reduced, _ = principal_directions(rows, min(RANK, *rows.shape), 0)
    return Features(tuple(sample.sha for sample in readable), reduced, unit(reduced)), skipped
