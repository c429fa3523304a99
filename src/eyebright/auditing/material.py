"""What an audit looks at: reduced features and a record of every image and of known copies, all cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from eyebright.auditing.measuring import PlantedSpace, RecordSpace
from eyebright.auditing.planting import COPIES, FAULTS, planted_key
from eyebright.auditing.records import Records, without_fingerprints
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.data.checks import naming
from eyebright.data.image_properties import camera
from eyebright.engines.choose import cached_trials
from eyebright.engines.selection import say_engine, trial_images
from eyebright.errors import DataError
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.features import FeatureExtractor, graph_bytes, training_preprocessing
from eyebright.training.linear_probe.pca import principal_directions, standardise
from eyebright.types import FloatArray, IntArray, Skipped

if TYPE_CHECKING:
    from eyebright.backbones.backbone import Backbone
    from eyebright.data.manifest import Manifest, Sample

#: Directions that features are reduced to: more of them found neither more copies nor more wrong labels.
RANK = 256
#: How many images known copies are made of.
PLANTED_IMAGES = 120
_FITTED_ROWS = 5000
_READ_AT_ONCE = 2048
_LAYERS = "stages"

_Reduction: TypeAlias = Callable[[Rows], FloatArray]


@dataclass(frozen=True)
class PlantedCopies:
    """Known copies of one kind: the places (M,) of their images, their features (M, R) and records (M,)."""

    sources: IntArray
    rows: FloatArray
    records: Records


@dataclass(frozen=True)
class Material:
    """All that an audit looks at.

    Attributes:
        samples: N images, all of which can be read.
        rows: (N, R) features in their principal directions.
        records: (N,) of the images, without their fingerprints.
        whole_records: gives the records (P,), with fingerprints, of the images at places (P,): those of all
            images would fill the memory.
        cameras: (N,) names; empty where none is known.
        planted: known copies by kind.
        faults: (M,) records of the same images with a known fault, by kind.
    """

    samples: Sequence[Sample]
    rows: FloatArray
    records: Records
    whole_records: Callable[[IntArray], Records]
    cameras: Sequence[str]
    planted: Mapping[str, PlantedCopies]
    faults: Mapping[str, Records]


def collect(
    manifest: Manifest, backbone: Backbone, cache: Path, *, size: int, seed: int
) -> tuple[Material, list[Skipped]]:
    """Compute what the cache lacks, and return it all with the images that could not be read.

    Args:
        manifest: of the images.
        backbone: whose features are used.
        cache: the feature cache's folder.
        size: side S in pixels of the squares that features are computed of.
        seed: of the choice of images that copies are made of.

    Raises:
        DataError: no image can be read.
    """
    root = manifest.root
    extractor = stage_extractor(root, manifest.samples, backbone, cache, size=size)
    taps, graph = extractor.taps, graph_bytes(backbone, extractor.preprocessing, extractor.taps)
    with progress_task("Computing features at {size} px", total=len(manifest.samples), size=size) as task:
        skipped = extractor.compute(root, manifest.samples, task)
    extractor.release()
    records = RecordSpace(cache)
    readable = manifest.without(skipped)
    lost = records.compute(root, readable.samples)
    samples = readable.without(lost).samples
    if not samples:
        error = DataError(
            "At least one image must be readable. Got {count:image|images}, none of them readable. Copy the "
            "images again.",
            count=len(manifest.samples),
        )
        raise naming(error, [*skipped, *lost])
    sources = np.sort(np.random.default_rng(seed).permutation(len(samples))[:PLANTED_IMAGES])
    planted = PlantedSpace(cache, extractor, graph)
    planted.compute(root, [samples[place] for place in sources])
    reduced = _reduction(extractor, samples, seed)
    copies = {}
    for kind in COPIES:
        keys = [planted_key(samples[place].key.hex(), kind) for place in sources]
        copies[kind] = PlantedCopies(sources, reduced(planted.features(keys)), planted.records(keys))
    faults = {
        kind: planted.records([planted_key(samples[place].key.hex(), kind) for place in sources])
        for kind in FAULTS
    }
    chunks = [samples[start : start + _READ_AT_ONCE] for start in range(0, len(samples), _READ_AT_ONCE)]
    rows = np.concatenate([reduced(extractor.read(chunk, taps)) for chunk in chunks])
    cameras = list(parallel(lambda sample: camera(root / sample.path), samples))
    kept, whole = kept_records(records, samples)
    return Material(samples, rows, kept, whole, cameras, copies, faults), [*skipped, *lost]


def kept_records(
    records: RecordSpace, samples: Sequence[Sample]
) -> tuple[Records, Callable[[IntArray], Records]]:
    """Return the records (N,) of images without fingerprints, and what reads whole ones when needed."""
    keys = [sample.key for sample in samples]

    def read(places: IntArray) -> Records:
        distinct, inverse = np.unique(places, return_inverse=True)
        return records.read([keys[place] for place in distinct.tolist()])[inverse]

    starts = range(0, len(keys), _READ_AT_ONCE)
    chunks = [without_fingerprints(records.read(keys[start : start + _READ_AT_ONCE])) for start in starts]
    return np.concatenate(chunks), read


def stage_extractor(
    root: Path, samples: Sequence[Sample], backbone: Backbone, cache: Path, *, size: int
) -> FeatureExtractor:
    """Return what computes the features that an audit compares images by, with the fastest engine.

    Args:
        root: of the images.
        samples: of which some are used to compare engines.
        backbone: whose features are used.
        cache: the feature cache's folder.
        size: side S in pixels of the squares that features are computed of.

    Raises:
        DataError: no image can be read.
    """
    taps = feature_layer_sets(backbone.card)[_LAYERS]
    preprocessing = training_preprocessing(backbone.card, size)
    graph = graph_bytes(backbone, preprocessing, taps)
    trials = cached_trials(cache, graph, trial_images([root / s.path for s in samples], preprocessing))
    say_engine(trials)
    return FeatureExtractor(cache, backbone, preprocessing, taps, trials[0].name, 1)


def _reduction(extractor: FeatureExtractor, samples: Sequence[Sample], seed: int) -> _Reduction:
    """Return what takes features (n, D) to principal directions (n, R), fitted to some of the images."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(samples))[:_FITTED_ROWS])
    fitted = extractor.read([samples[place] for place in drawn], extractor.taps)
    rows, mean, scale = standardise(fitted)
    basis = principal_directions(rows, min(RANK, *rows.shape), seed)[1].basis

    def reduced(features: Rows) -> FloatArray:
        return np.asarray(((features.astype(np.float32) - mean) * scale) @ basis, np.float32)

    return reduced
