"""Measure images and their planted copies once: records and features are kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eyebright.auditing.planting import COPIES, FAULTS, PLANTING, planted_copy, planted_fault, planted_key
from eyebright.auditing.records import RECORD, RECORDING, Records, record
from eyebright.backbones.feature_layers import width
from eyebright.cluster.choose import cluster_in_use
from eyebright.data.decode import DECODING, open_rgb, to_square
from eyebright.data.header import read_image
from eyebright.data.image_properties import LOOKING
from eyebright.engines.choose import make
from eyebright.errors import EyebrightError, ImageError, NotFoundError
from eyebright.runtime.context import progress_task
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.parallel import parallel
from eyebright.training.cache.fill import LEAST_IMAGES, compute_rows, distinct, fill
from eyebright.training.cache.store import FeatureSpace, Space
from eyebright.types import JsonObject, ShardJson, Skipped, UInt8Array

if TYPE_CHECKING:
    from eyebright.data.manifest import Sample
    from eyebright.engines.base import Engine
    from eyebright.runtime.progress import Task
    from eyebright.training.cache.store import Rows
    from eyebright.training.linear_probe.features import FeatureExtractor

_DECODED_SIDE = 128


class RecordSpace:
    """Records of images by their hash, kept as rows of bytes.

    Args:
        cache: the feature cache's folder.
        planted_at: side in pixels at which images are decoded that copies and faults are planted in; None of
            the images themselves.
    """

    def __init__(self, cache: Path, planted_at: int | None = None) -> None:
        card: JsonObject = {
            "kind": "audit",
            "backbone": "audit",
            "size": planted_at or _DECODED_SIDE,
            "precision": "uint8",
            "view": "planted record" if planted_at else "record",
            "decoding": DECODING,
            "recording": RECORDING,
            "looking": LOOKING,
            **({"planting": PLANTING} if planted_at else {}),
        }
        self._space: Space[np.uint8] = Space(cache, card, RECORD.itemsize, np.uint8)

    def __contains__(self, key: bytes) -> bool:
        return key in self._space

    def add(self, key: bytes, found: Records) -> None:
        """Take a record; it is safe on disk after the next :meth:`flush`."""
        self._space.add(key, _bytes(found))

    def flush(self) -> None:
        """Write the records that were added."""
        self._space.flush()

    def read(self, keys: Sequence[bytes]) -> Records:
        """Return the records (N,) of ``keys``."""
        return self._space.read(keys).view(RECORD).reshape(len(keys))

    def compute(self, root: Path, samples: Sequence[Sample]) -> list[Skipped]:
        """Measure the images that are not known yet; return those that cannot be read."""
        missing = distinct([s for s in samples if s.key not in self])
        cluster = cluster_in_use()
        if cluster is not None and len(missing) >= LEAST_IMAGES:
            with progress_task("Measuring images", total=len(missing)) as task:
                fill(cluster, record_shard, {}, root, missing, [self._space], task)
            missing = [s for s in missing if s.key not in self]
        unreadable: dict[bytes, EyebrightError] = {}

        def measured(sample: Sample) -> tuple[Sample, Records | EyebrightError]:
            return sample, _measured(root, sample)

        def rows(task: Task) -> Iterator[tuple[bytes, UInt8Array]]:
            for sample, found in parallel(measured, missing):
                task.advance()
                if isinstance(found, EyebrightError):
                    unreadable[sample.key] = found
                else:
                    yield sample.key, _bytes(found)

        if missing:
            with progress_task("Measuring images", total=len(missing)) as task:
                self._space.keep(rows(task))
        return [
            Skipped(s.path, error.template, error.values) for s in samples if (error := unreadable.get(s.key))
        ]


def record_shard(content: ShardJson) -> JsonObject:
    """Measure the images of a shard and write their records, in a worker of a cluster."""

    def rows(root: Path, sample: Sample) -> list[UInt8Array] | EyebrightError:
        found = _measured(root, sample)
        return found if isinstance(found, EyebrightError) else [_bytes(found)]

    return compute_rows(content, rows, usable_cores())


def _measured(root: Path, sample: Sample) -> Records | EyebrightError:
    """Return the record of an image, or why there is none."""
    try:
        data = read_image(root / sample.path, sample.sha)
        picture = open_rgb(data, min_side=_DECODED_SIDE, white_level=sample.white_level)
        return record(picture, data)
    except (ImageError, NotFoundError) as error:
        return error.with_traceback(None)


def _bytes(found: Records) -> UInt8Array:
    return np.frombuffer(found.tobytes(), np.uint8)


class PlantedSpace:
    """Features and records of planted copies, and records of planted faults, by their keys.

    Args:
        cache: the feature cache's folder.
        extractor: computes the features of the images themselves.
        graph: its feature graph.
    """

    def __init__(self, cache: Path, extractor: FeatureExtractor, graph: bytes) -> None:
        card = extractor.definition | {"view": "planted", "planting": PLANTING, "decoding": DECODING}
        self._space = FeatureSpace(cache, card, width(extractor.taps))
        self._engine_name, self._graph = extractor.engine, graph
        self._preprocessing = extractor.preprocessing
        self._records = RecordSpace(cache, self._preprocessing.size)

    def features(self, keys: Sequence[bytes]) -> Rows:
        """Return the features (M, D) of planted copies."""
        return self._space.read(keys)

    def records(self, keys: Sequence[bytes]) -> Records:
        """Return the records (M,) of planted copies or faults."""
        return self._records.read(keys)

    def compute(self, root: Path, samples: Sequence[Sample]) -> None:
        """Make the copies and faults of ``samples`` that are not known yet, and keep what is measured."""
        missing = [
            (sample, kinds)
            for sample in {s.key: s for s in samples}.values()
            if (kinds := [kind for kind in (*COPIES, *FAULTS) if not self._knows(sample, kind)])
        ]
        if not missing:
            return
        engine = make(self._engine_name, self._graph)
        try:
            with progress_task("Planting known copies", total=len(missing)) as task:
                for found in parallel(
                    lambda item: self._planted(root, engine, *item), missing, engine.callers
                ):
                    task.advance()
                    for key, row, seen in found:
                        if row is not None:
                            self._space.add(key, row)
                        self._records.add(key, seen)
        finally:
            self._space.flush()
            self._records.flush()

    def _knows(self, sample: Sample, kind: str) -> bool:
        key = planted_key(sample.key.hex(), kind)
        return key in self._records and (kind in FAULTS or key in self._space)

    def _planted(
        self, root: Path, engine: Engine, sample: Sample, kinds: Sequence[str]
    ) -> list[tuple[bytes, Rows | None, Records]]:
        size, interpolation = self._preprocessing.size, self._preprocessing.interpolation
        data = read_image(root / sample.path, sample.sha)
        image = open_rgb(data, min_side=size, white_level=sample.white_level)
        found: list[tuple[bytes, Rows | None, Records]] = []
        for kind in kinds:
            key = planted_key(sample.key.hex(), kind)
            if kind in FAULTS:
                found.append((key, None, record(planted_fault(image, kind))))
                continue
            copy = planted_copy(image, kind, sample.key.hex())
            row = engine.run(to_square(copy, size, interpolation=interpolation)).astype(np.float16)
            found.append((key, row, record(copy)))
        return found
