"""A manifest's images written in another format: whole or not at all, every image with its own bytes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from eyebright.data.header import read_image
from eyebright.data.licence import data_licence
from eyebright.data.manifest import Manifest
from eyebright.data.writing.base import FURTHER, DataFacts, DataWriter
from eyebright.data.writing.coco import CocoWriter
from eyebright.data.writing.croissant import write_croissant
from eyebright.data.writing.folders import FolderWriter
from eyebright.data.writing.rows import ParquetWriter
from eyebright.data.writing.shards import ShardWriter
from eyebright.data.writing.tables import CsvWriter, HuggingFaceWriter
from eyebright.errors import ConfigError, ImageError, NotFoundError
from eyebright.runtime.atomic import storage_errors
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.types import Skipped

WRITERS: Mapping[str, type[DataWriter]] = {
    "folder": FolderWriter,
    "csv": CsvWriter,
    "parquet": ParquetWriter,
    "hf": HuggingFaceWriter,
    "coco": CocoWriter,
    "webdataset": ShardWriter,
}


def write_data(manifest: Manifest, kind: str, out: Path, *, name: str, splits: bool) -> list[Skipped]:
    """Write the images of a manifest into a new folder, with `croissant.json` beside them.

    Args:
        manifest: the images.
        kind: a key of :data:`WRITERS`.
        out: the folder, which must not exist or be empty.
        name: of the data.
        splits: whether the splits are the data's own.

    Returns:
        The images that could not be read.

    Raises:
        ConfigError: the folder holds something.
        DataError: the format cannot hold these labels, or what else is known.
        StorageError: the disk is full or must not be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            "The folder to write must not exist, or be empty. {path} is not. Choose another with --out.",
            path=out,
        )
    facts = DataFacts(
        name=name,
        labels=manifest.labels,
        multilabel=manifest.task.multilabel,
        splits=splits,
        further=_further(manifest),
        licence=data_licence(manifest.root),
    )
    temporary = out.absolute().with_name(f".{out.absolute().name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with storage_errors(out):
            temporary.mkdir(parents=True)
            skipped = _write(manifest, WRITERS[kind](temporary, facts))
            if out.exists():
                out.rmdir()
            temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return skipped


def _further(manifest: Manifest) -> tuple[str, ...]:
    """Return which fields are written: those that any image has, times only where a column gave them.

    Other times lie in the images themselves.
    """
    from_column = manifest.columns is not None and bool(manifest.columns.time)
    there = {
        "group": any(sample.group for sample in manifest.samples),
        "text": any(sample.text for sample in manifest.samples),
        "weight": any(sample.weight != 1 for sample in manifest.samples),
        "time": from_column and any(sample.time for sample in manifest.samples),
    }
    return tuple(name for name in FURTHER if there[name])


def _write(manifest: Manifest, writer: DataWriter) -> list[Skipped]:
    skipped = []
    samples = sorted(manifest.samples, key=lambda sample: sample.place)
    with progress_task("Writing images", total=len(samples)) as task:

        def read(index: int) -> bytes | ImageError | NotFoundError:
            try:
                return read_image(manifest.root / samples[index].path, samples[index].sha)
            except (ImageError, NotFoundError) as error:
                return error.with_traceback(None)

        for sample, data in zip(samples, parallel(read, range(len(samples))), strict=True):
            if isinstance(data, bytes):
                writer.add(sample, data)
            else:
                skipped.append(Skipped(sample.path, data.template, data.values))
            task.advance()
    write_croissant(writer.folder, writer.facts, writer.finish())
    return skipped
