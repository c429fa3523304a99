"""Additive statistics of cached features, part by part, in this process or by a cluster.

Which images make a part, and in what order parts are added, follows from the images alone. So the sums are
the same bits whoever adds up a part, however many workers there are, and whichever is done first.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from eyebright.cluster.base import Shard
from eyebright.cluster.choose import cluster_in_use
from eyebright.cluster.cluster import Cluster
from eyebright.data.manifest import Sample
from eyebright.errors import ClusterError
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.compact.rows import Order, picked
from eyebright.runtime.progress import Task
from eyebright.training.cache.fill import not_shared
from eyebright.training.cache.store import SUMS, FeatureSpace, Rows
from eyebright.training.linear_probe.class_statistics import FeatureStatistics
from eyebright.training.linear_probe.features import FeatureExtractor, feature_spaces
from eyebright.types import FloatArray, IntArray, JsonObject, ShardJson
from eyebright.version import __version__

# A part's sums have D² / 2 numbers, as many as 1,800 rows where D is 3,632: a part must have many more.
PART_ROWS = 32_768
_CHUNK_ROWS = 2048

_ReadRows = Callable[[slice], Sequence[Rows]]


@dataclass(frozen=True)
class _Part:
    """Images of one fold: their places among all."""

    fold: int
    images: Order


def sums_of_folds(
    extractor: FeatureExtractor,
    samples: Sequence[Sample],
    truth: IntArray,
    weights: FloatArray | None,
    folds: IntArray,
    task: Task,
) -> list[FeatureStatistics]:
    """Return the additive statistics of each fold, over all views of its images.

    Args:
        extractor: has computed the features of ``samples``.
        samples: N images.
        truth: (N,) their classes.
        weights: (N,) of the images, 1 in the mean; None counts each once.
        folds: (N,) the images' folds.
        task: advances by N.

    Raises:
        DataError: features are not in the cache.
        ClusterError: a worker sees another cache than this machine.
    """
    width, classes = extractor.spaces[0].width, int(truth.max()) + 1
    parts = _parts(folds)
    totals = [FeatureStatistics.empty(width, classes) for _ in range(int(folds.max()) + 1)]
    cluster = cluster_in_use()
    found: Iterable[FeatureStatistics]
    if cluster is None:
        found = (
            _sums(
                _reader(extractor, samples, part, task),
                truth[part.images],
                None if weights is None else weights[part.images],
                width,
                classes,
            )
            for part in parts
        )
    else:
        found = _by_workers(cluster, extractor, samples, parts, truth, weights, task)
    for part, sums in zip(parts, found, strict=True):
        totals[part.fold] += sums
    return totals


def sums_shard(content: ShardJson) -> JsonObject:
    """Add up a part and write its sums, in a worker of a cluster.

    Raises:
        ClusterError: the worker lacks rows that the driver has.
    """
    folder, name = Path(content["folder"]), content["name"]
    if _stored(folder, name) is None:
        keys = [bytes.fromhex(key) for key in content["keys"]]
        spaces = _shared_spaces(content["cache"], json.dumps(content["spaces"]))
        weights = None if content["weights"] is None else np.array(content["weights"], np.float32)
        sums = _sums(
            lambda chunk: [_read(space, keys[chunk]) for space in spaces],
            np.array(content["truth"], np.int64),
            weights,
            spaces[0].width,
            content["classes"],
        )
        data = sums.to_bytes()
        write_bytes(folder / _file_name(name, data), data)
    return {}


def _parts(folds: IntArray) -> list[_Part]:
    parts = []
    for fold in range(int(folds.max()) + 1):
        images = np.flatnonzero(folds == fold).astype(np.int32)  # there are many millions
        for start in range(0, len(images), PART_ROWS):
            parts.append(_Part(fold, images[start : start + PART_ROWS]))
    return parts


def _sums(
    read: _ReadRows, truth: IntArray, weights: FloatArray | None, width: int, classes: int
) -> FeatureStatistics:
    """Return the sums over the rows of all views, which ``read`` gives for a chunk of the images."""
    found = FeatureStatistics.empty(width, classes)
    for start in range(0, len(truth), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        for rows in read(chunk):
            found.add(rows, truth[chunk], None if weights is None else weights[chunk])
    return found


def _reader(extractor: FeatureExtractor, samples: Sequence[Sample], part: _Part, task: Task) -> _ReadRows:
    def read(chunk: slice) -> list[Rows]:
        chosen = picked(samples, part.images[chunk])
        task.advance(len(chosen))
        return [extractor.read(chosen, extractor.taps, view) for view in range(len(extractor.spaces))]

    return read


def _read(space: FeatureSpace, keys: Sequence[bytes]) -> Rows:
    """Return rows of a space that others may have written since it was opened; the driver has checked them.

    Raises:
        ClusterError: they are not there.
    """
    with suppress(KeyError):
        return space.read(keys)
    space.refresh()
    try:
        return space.read(keys)
    except KeyError:
        raise not_shared(space.folder) from None


def _by_workers(
    cluster: Cluster,
    extractor: FeatureExtractor,
    samples: Sequence[Sample],
    parts: Sequence[_Part],
    truth: IntArray,
    weights: FloatArray | None,
    task: Task,
) -> Iterator[FeatureStatistics]:
    """Yield the sums of the parts in their order; what a worker has written is then removed.

    What is finished when the driver is killed stays, and is found by the next one.
    """
    space, classes = extractor.spaces[0], int(truth.max()) + 1
    names: list[str] = []

    def shards() -> Iterator[Shard]:
        for number, part in enumerate(parts):
            content: JsonObject = {
                "cache": str(space.folder.parent.absolute()),
                "spaces": [extractor.definition, space.width, len(extractor.spaces)],
                "keys": [sample.key.hex() for sample in picked(samples, part.images)],
                "truth": truth[part.images].tolist(),
                "weights": None if weights is None else weights[part.images].tolist(),
                "classes": classes,
            }
            facts = json.dumps([__version__, number, content])
            names.append(blake2b(facts.encode(), digest_size=16).hexdigest())
            place: JsonObject = {"name": names[-1], "folder": str(space.folder.absolute())}
            yield Shard(names[-1], content | place)

    done: set[str] = set()
    position = 0
    for shard, _ in cluster.map(shards(), sums_shard):
        done.add(shard.name)
        while position < len(names) and names[position] in done:
            yield _taken(space.folder, names[position], space.width, classes)
            task.advance(len(parts[position].images))
            position += 1
    # The second worker of a slow part may have written it once more since it was taken; it has ended now.
    for path in space.folder.glob(f"*.{SUMS}"):
        if path.name.partition(".")[0] in done:
            path.unlink(missing_ok=True)


def _taken(folder: Path, name: str, width: int, classes: int) -> FeatureStatistics:
    """Return the sums that a worker has written, and remove them.

    Raises:
        ClusterError: they are not there, or not as they were written.
    """
    data = _stored(folder, name)
    if data is None:
        raise ClusterError(
            "Rows that a worker writes must be readable here. {path} is missing or damaged. Set "
            "EYEBRIGHT_CACHE to a folder that every machine mounts under the same path, and run again.",
            path=folder / name,
        )
    for path in folder.glob(f"{name}.*.{SUMS}"):
        path.unlink(missing_ok=True)
    return FeatureStatistics.from_bytes(data, width, classes)


def _stored(folder: Path, name: str) -> bytes | None:
    """Return the sums of a part, if they are there as they were written."""
    for path in folder.glob(f"{name}.*.{SUMS}"):
        with suppress(OSError):
            data = path.read_bytes()
            if path.name == _file_name(name, data):
                return data
    return None


def _file_name(name: str, data: bytes) -> str:
    return f"{name}.{zlib.crc32(data):08x}.{SUMS}"


@lru_cache(maxsize=1)
def _shared_spaces(cache: str, facts: str) -> list[FeatureSpace]:
    """Return the spaces of a worker, whose keys stay in memory for the next part."""
    definition, width, views = json.loads(facts)
    return feature_spaces(Path(cache), definition, width, views)
