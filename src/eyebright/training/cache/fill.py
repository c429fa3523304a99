"""Rows of the cache, computed by a cluster: each shard of images becomes one segment of each space.

The driver cuts the images that the cache lacks into shards. A worker reads its images itself, computes their
rows and writes them, whole or not at all, under a name that follows from the images' hashes. So a shard that
is done twice is written once, and whoever comes after a driver that was killed computes the rest alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.cluster.base import Shard, ShardTask
from eyebright.cluster.cluster import Cluster
from eyebright.data.manifest import Sample, place_of
from eyebright.data.storage.places import is_file, resolved
from eyebright.errors import ClusterError, EyebrightError, NotFoundError
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import kept, ordered, values
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.training.cache.segment import KEY_BYTES, write_segment
from eyebright.training.cache.store import CLUSTER, Space
from eyebright.types import JsonObject, ShardJson

#: How many images a shard has at most and, where they are many, at least.
MOST_IMAGES, LEAST_IMAGES = 5000, 64
_SHARDS_A_WORKER = 8
_MOST_BYTES = 256 * 2**20  # of a shard's rows: a worker has them in memory twice

#: The rows (D,) of an image, one for each space; or why there are none.
ImageRows: TypeAlias = Sequence[npt.NDArray[Any]] | EyebrightError


def fill(
    cluster: Cluster,
    task: ShardTask,
    job: JsonObject,
    root: Path,
    samples: Sequence[Sample],
    spaces: Sequence[Space[Any]],
    progress: Task,
) -> float:
    """Have rows of images computed and written into the cache; images that cannot be read have none.

    Args:
        cluster: does it.
        task: gives its content to :func:`compute_rows`.
        job: what the task must know besides the images.
        root: of the images.
        samples: N images that the spaces lack.
        spaces: to fill, in the order of the rows.
        progress: advances by one for each image that has its rows.

    Returns:
        The seconds that the workers took, all together.

    Raises:
        ClusterError: workers see other files than this machine.
    """
    absent: str | None = None
    seconds = 0.0
    for shard, answer in cluster.map(cut(root, samples, cluster.workers, job, spaces), task):
        progress.advance(answer["rows"])
        absent = absent or answer["absent"]
        seconds += answer["seconds"]
        _require_written(shard, answer["rows"], spaces)
    for space in spaces:
        space.refresh()
    if absent is not None and is_file(root / absent):
        raise ClusterError(
            "All workers must see the images under the same path. {path} is there on this machine and not on "
            "a worker. Put the images into a folder that every machine mounts, or into a bucket (s3://).",
            path=root / absent,
        )
    return seconds


def cut(
    root: Path, samples: Sequence[Sample], workers: int, job: JsonObject, spaces: Sequence[Space[Any]]
) -> Cut:
    """Return shards of images that lie together, so that archives and tables are read in their order."""
    fitting = max(1, _MOST_BYTES // sum(space.row_bytes for space in spaces))
    size = min(fitting, shard_size(len(samples), workers))
    folders = [str(space.folder.absolute()) for space in spaces]
    job = job | {"root": str(resolved(root)), "folders": folders}
    return Cut(ordered(samples, "path", key=place_of), size, job)


@dataclass(frozen=True)
class Cut:
    """Shards, each of which is made when a worker is free: paths and hashes of all of them would need memory.

    Attributes:
        samples: as they lie in their folders, or in files of many.
        size: images of a shard, the last of which may have fewer.
        job: what all shards have in common.
    """

    samples: Sequence[Sample]
    size: int
    job: JsonObject

    def __len__(self) -> int:
        return -(-len(self.samples) // self.size)

    def __iter__(self) -> Iterator[Shard]:
        waiting = iter(self.samples)
        while chosen := list(islice(waiting, self.size)):
            name = blake2b(b"".join(sorted({s.key for s in chosen})), digest_size=16).hexdigest()
            images: JsonObject = {
                "name": name,
                "images": [[s.path, s.sha, s.white_level] for s in chosen],
            }
            yield Shard(name, self.job | images)


def distinct(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples less those with the pixels of an earlier one."""
    repeats = Repeats(values(samples, "key"), len(samples))
    if not repeats:
        return samples
    seen: set[bytes] = set()

    def is_first(key: bytes) -> bool:
        if key not in repeats:
            return True
        before = len(seen)
        seen.add(key)
        return len(seen) > before

    return kept(samples, map(is_first, values(samples, "key")))


def shard_size(count: int, workers: int) -> int:
    """Return how many of ``count`` images make a shard: few enough that no worker is left idle at the end."""
    return min(MOST_IMAGES, max(LEAST_IMAGES, -(-count // (_SHARDS_A_WORKER * workers))))


def compute_rows(
    content: ShardJson, compute: Callable[[Path, Sample], ImageRows], threads: int
) -> JsonObject:
    """Compute and write the rows of a shard, in a worker.

    Args:
        content: of the shard.
        compute: gives the rows of an image; is called from several threads.
        threads: how many.

    Returns:
        The number of images that have rows, the path of the first that is not there, None if all are, and
        the seconds that this took.
    """
    start = time.perf_counter()
    folders = [Path(folder) for folder in content["folders"]]
    name: str = content["name"]
    root = Path(content["root"])
    samples = [
        Sample(path, "", "train", sha, 0, 0, white_level=white) for path, sha, white in content["images"]
    ]
    distinct = list({sample.key: sample for sample in samples}.values())
    keys: list[bytes] = []
    columns: list[list[npt.NDArray[Any]]] = [[] for _ in folders]
    absent: str | None = None
    for sample, rows in zip(distinct, parallel(lambda s: compute(root, s), distinct, threads), strict=True):
        if isinstance(rows, EyebrightError):
            if isinstance(rows, NotFoundError):
                absent = absent or sample.path
            continue
        keys.append(sample.key)
        for column, row in zip(columns, rows, strict=True):
            column.append(row)
    if keys:
        table = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
        for folder, column in zip(folders, columns, strict=True):
            write_segment(folder, table, np.stack(column), name)
    return {"rows": len(keys), "absent": absent, "seconds": time.perf_counter() - start}


def shared_file(cache: Path, data: bytes) -> Path:
    """Return a file with ``data`` in the cache, where workers find it; it is named by its hash."""
    path = cache.absolute() / CLUSTER / f"{blake2b(data, digest_size=16).hexdigest()}.onnx"
    if not path.is_file():
        write_bytes(path, data)
    return path


def read_shared(path: Path) -> bytes:
    """Return the content of a file of :func:`shared_file`.

    Raises:
        ClusterError: this machine does not see it, or it is another.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise not_shared(path) from error
    if blake2b(data, digest_size=16).hexdigest() != path.stem:
        raise not_shared(path)
    return data


def _require_written(shard: Shard, rows: int, spaces: Sequence[Space[Any]]) -> None:
    """Require that the worker wrote into the folders that this machine reads."""
    for space in spaces:
        if rows and not any(space.folder.glob(f"{shard.name}.*.keys.npy")):
            raise not_shared(space.folder)


def not_shared(path: Path) -> ClusterError:
    """Return the error of a worker or a driver that sees another cache than the other."""
    return ClusterError(
        "All workers must see the same feature cache. {path} differs between this machine and a worker. Set "
        "EYEBRIGHT_CACHE to a folder that every machine mounts under the same path.",
        path=path,
    )
