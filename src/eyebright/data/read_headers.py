"""Headers of many image files, read by several threads, or by a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

from eyebright import errors
from eyebright.cluster.base import Shard
from eyebright.cluster.choose import cluster_in_use
from eyebright.cluster.cluster import Cluster
from eyebright.data.header import Header, read_header
from eyebright.data.storage.places import resolved
from eyebright.errors import ImageError
from eyebright.runtime.parallel import parallel
from eyebright.types import Json, JsonObject, ShardJson

_CHUNK = 256
# Of a shard: an answer has 100 bytes for each file.
_SHARD = 4096

_Files = Sequence[tuple[str, str]]


def read_headers(folder: Path, files: _Files) -> Iterator[tuple[_Files, list[Header | ImageError]]]:
    """Yield files (label, path below ``folder``) with their headers, in chunks and in their order."""
    top = os.fspath(folder)
    cluster = cluster_in_use()
    if cluster is not None and len(files) > _CHUNK:
        yield from _on_cluster(cluster, folder, files)
        return
    yield from parallel(lambda chunk: (chunk, _headers(top, chunk)), _chunks(files, _CHUNK), _threads())


def header_shard(content: ShardJson) -> JsonObject:
    """Read the headers of a shard's files, in a worker of a cluster."""
    paths: list[str] = content["paths"]
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with ThreadPoolExecutor(_threads()) as pool:
        found = pool.map(lambda chunk: _headers(content["folder"], [("", path) for path in chunk]), chunks)
        return {"headers": [_told(header) for headers in found for header in headers]}


def _on_cluster(
    cluster: Cluster, folder: Path, files: _Files
) -> Iterator[tuple[_Files, list[Header | ImageError]]]:
    size = min(_SHARD, max(_CHUNK, -(-len(files) // (4 * cluster.workers))))
    top = os.fspath(resolved(folder))
    shards = (
        Shard(str(number), {"folder": top, "paths": [path for _, path in chunk]})
        for number, chunk in enumerate(_chunks(files, size))
    )
    early: dict[int, list[Header | ImageError]] = {}
    after = 0
    for shard, answer in cluster.map(shards, header_shard):
        early[int(shard.name)] = [_heard(told) for told in answer["headers"]]
        while after in early:
            yield files[after * size : (after + 1) * size], early.pop(after)
            after += 1


def _chunks(files: _Files, size: int) -> Iterator[_Files]:
    return (files[start : start + size] for start in range(0, len(files), size))


def _headers(top: str, files: _Files) -> list[Header | ImageError]:
    return [_header(os.path.join(top, path)) for _, path in files]


def _header(path: str) -> Header | ImageError:
    try:
        return read_header(path)
    except ImageError as error:
        return error.with_traceback(None)  # which would keep the file's bytes alive


def _told(header: Header | ImageError) -> Json:
    """Return a header, or why there is none, as a worker tells it."""
    if isinstance(header, Header):
        return [*astuple(header)]
    values = {name: value if isinstance(value, int) else str(value) for name, value in header.values.items()}
    return {"error": type(header).__name__, "template": header.template, "values": values}


def _heard(told: ShardJson | list[str]) -> Header | ImageError:
    if isinstance(told, list):
        sha, width, height, white_level, content = told
        return Header(sha, int(width), int(height), int(white_level), content)
    found: ImageError = getattr(errors, told["error"])(told["template"], **told["values"])
    return found


def _threads() -> int:
    return min(8, (os.cpu_count() or 1) + 2)
