"""Predictions by a cluster: a shard of images becomes a file of rows; the files are read in their order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from eyebright.cluster.base import Shard
from eyebright.cluster.cluster import Cluster
from eyebright.data.storage.places import resolved, status
from eyebright.errors import ClusterError, ImageError, NotFoundError
from eyebright.options.cluster import not_for_workers
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.parallel import parallel
from eyebright.runtime.stored import parse_json, read_stored
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.fill import MOST_IMAGES, read_shared, shared_file
from eyebright.training.cache.store import CLUSTER
from eyebright.types import JsonObject, Prediction, ShardJson, Skipped
from eyebright.verbs.predict.tables import TextedImage

if TYPE_CHECKING:
    from eyebright.monitoring.model_monitor import ModelMonitor

# The first rows come soon, and many images make few shards.
_FIRST, _GROWTH = 64, 2
_ROWS = TypeAdapter(list[Prediction | Skipped])
_SKIPPED = TypeAdapter(Skipped)


def predict_in_shards(
    cluster: Cluster, model: SealedModel, images: Iterator[TextedImage | Skipped], top: int, cache: Path
) -> Iterator[Prediction | Skipped]:
    """Yield predictions in the order of the images, as one process would make them.

    Rows of a shard stay in the cache until all of them have been read, so a second attempt with the same
    images does only what the first had not done.

    Args:
        cluster: does it.
        model: that predicts.
        images: files with their texts, and what cannot be looked into.
        top: how many classes are given.
        cache: a folder that all workers see.

    Raises:
        ConfigError: an image is no file.
        ClusterError: a worker writes elsewhere.
    """
    folder = cache.absolute() / CLUSTER
    shared = shared_file(cache, model.path.read_bytes())
    done: set[str] = set()
    asked: list[str] = []

    def shards() -> Iterator[Shard]:
        for chunk in _chunks(images):
            shard = _shard(chunk, shared, top, folder)
            asked.append(shard.name)
            yield shard

    position = 0
    for shard, _ in cluster.map(shards(), predict_shard):
        done.add(shard.name)
        while position < len(asked) and asked[position] in done:
            yield from _rows(folder / f"{asked[position]}.json")
            position += 1
    for name in asked:
        with suppress(OSError):
            (folder / f"{name}.json").unlink()


def predict_shard(content: ShardJson) -> JsonObject:
    """Predict the images of a shard and write the rows, in a worker of a cluster."""
    path = Path(content["rows"])
    if not path.is_file():
        model = _shared_model(content["model"])
        top: int = content["top"]
        found = parallel(lambda image: _predicted(model, image, top), content["images"])
        write_bytes(path, _ROWS.dump_json(list(found)))
    return {}


@lru_cache(maxsize=1)
def _shared_model(path: str) -> SealedModel:
    """Return the model of a worker, which stays for the next shard."""
    read_shared(Path(path))  # whether it is the same file
    return SealedModel(Path(path), threads=1)


def _predicted(model: SealedModel, image: ShardJson, top: int) -> Prediction | Skipped:
    if "reason" in image:
        return _SKIPPED.validate_python(image)
    found = predicted(model, TextedImage(image["path"], image["text"], image["name"]), top)
    return replace(found, path=image["name"])


def predicted(
    model: SealedModel, given: TextedImage, top: int, monitor: ModelMonitor | None = None
) -> Prediction | Skipped:
    """Return the prediction for an image, its text or both, or why there is none.

    Args:
        model: that predicts.
        given: the image.
        top: how many classes are given.
        monitor: records the prediction; None for none.
    """
    try:
        if given.image is None:
            return replace(model.predict_text(given.text, top), path=given.name)
        return (monitor or model).predict(given.image, top, given.text)
    except (ImageError, NotFoundError) as error:
        name = given.name or f"<{type(given.image).__name__}>"
        return Skipped(name, error.template, error.values)


def _shard(chunk: Sequence[TextedImage | Skipped], model: Path, top: int, folder: Path) -> Shard:
    images = [_told(given) for given in chunk]
    facts = json.dumps([model.name, top, images, [_state(given) for given in chunk]], default=str)
    name = blake2b(facts.encode(), digest_size=16).hexdigest()
    content: JsonObject = {
        "model": str(model),
        "top": top,
        "images": images,
        "rows": str(folder / f"{name}.json"),
    }
    return Shard(name, content)


def _told(given: TextedImage | Skipped) -> JsonObject:
    """Return an image as a worker finds it."""
    if isinstance(given, Skipped):
        values = {
            name: value if isinstance(value, int) else str(value)
            for name, value in given.reason_values.items()
        }
        return {"path": given.path, "reason": given.reason, "values": values}
    if given.image is not None and not isinstance(given.image, str):
        raise not_for_workers(given.image)
    place = None if given.image is None else str(resolved(Path(given.image)))
    return {"path": place, "text": given.text, "name": given.name}


def _state(given: TextedImage | Skipped) -> Sequence[int]:
    """Return what changes when a file does: rows of an earlier attempt are then not taken for its own."""
    if isinstance(given, Skipped) or given.image is None:
        return ()
    try:
        found = status(given.image)
    except (OSError, ValueError):  # the worker tells
        return ()
    return found.st_size, found.st_mtime_ns


def _chunks(images: Iterator[TextedImage | Skipped]) -> Iterator[list[TextedImage | Skipped]]:
    size = _FIRST
    while chunk := list(islice(images, size)):
        yield chunk
        size = min(MOST_IMAGES, size * _GROWTH)


def _rows(path: Path) -> list[Prediction | Skipped]:
    try:
        return parse_json(_ROWS, read_stored(path))
    except (OSError, ValueError):
        with suppress(OSError):
            path.unlink()
        raise ClusterError(
            "Rows that a worker writes must be readable here. {path} is missing or damaged. Set "
            "EYEBRIGHT_CACHE to a folder that every machine mounts under the same path, and run again.",
            path=path,
        ) from None
