"""Which source a path is, told by evidence: names, first bytes and keys. What fits twice is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from eyebright.data.sources import coco, cvat, huggingface, label_studio
from eyebright.data.sources.annotated import Annotations, listed_images
from eyebright.data.sources.rows import from_parquet, from_saved, holds_images
from eyebright.data.sources.webdataset import from_shards, is_shard
from eyebright.data.splits.names import named_split
from eyebright.data.storage.places import exists, is_file, is_folder, open_binary, scandir, storage_at
from eyebright.data.storage.rows import RowStorage
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.listed import ListedImages
from eyebright.data.table.read import SUFFIXES, read_table
from eyebright.data.walk import AnyEntry, require_folder
from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.stored import MOST_TEXT_BYTES, reason_of

#: Reads the images that a source lists.
Reader: TypeAlias = Callable[[Columns, bool], ListedImages]

TABLES = ("labels.csv", "labels.tsv", "labels.jsonl", "labels.parquet")
_SAVED = ("dataset_dict.json", "state.json")
_HEAD_BYTES = 2**16


@dataclass(frozen=True)
class Source:
    """One way to read the data.

    Attributes:
        name: of what says so, such as `labels.csv`.
        read: reads it.
    """

    name: str
    read: Reader


def find_listing(data: Path) -> tuple[Path, Source | None]:
    """Return where the data begins, and what lists its images; None where only class folders can.

    An archive whose only entry is a folder begins in that folder.

    Raises:
        NotFoundError: it does not exist.
        DataError: it is nothing that can be read, or two lists fit.
    """
    if is_folder(data):
        storage = storage_at(data) if is_file(data) else None
        if storage is not None and isinstance(storage[0], RowStorage):
            return data.parent, _row_file(data)
        if storage is not None and data.suffix.lower() != ".zip" and is_shard(data):
            return data, _shards(data, ["."])
        data = _unwrapped(data) if storage is not None else data
        return data, _in_folder(data)
    if is_file(data):
        return data.parent, _in_file(data)
    if exists(data):
        raise DataError(
            "The data must be a folder, an archive or a table. {path} is a pipe or device. Write it to a "
            "file.",
            path=data,
        )
    require_folder(data)  # which says why there is none
    raise NotFoundError("The data must exist. {path} does not. Check the path.", path=data)


def _unwrapped(data: Path) -> Path:
    while True:
        with scandir(data) as entries:
            found = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
        if len(found) != 1 or not found[0].is_dir():
            return data
        data = data / found[0].name


def _row_file(path: Path) -> Source:
    """Return a Parquet or Arrow file with images in it, or as a table."""
    if path.suffix.lower() != ".parquet" or holds_images(path):
        return Source(
            path.name,
            lambda columns, multilabel: from_parquet(
                path, path.parent, [path.name], columns, multilabel=multilabel
            ),
        )
    return _table(path)


def _table(path: Path) -> Source:
    def read(columns: Columns, multilabel: bool) -> ListedImages:
        table = read_table(path)
        return ListedImages(path, path.parent, find_meaning(table, multilabel=multilabel, chosen=columns))

    return Source(path.name, read)


def _shards(root: Path, names: Sequence[str]) -> Source:
    return Source(
        names[0] if names[0] != "." else root.name,
        lambda columns, multilabel: from_shards(root, root, names, columns, multilabel=multilabel),
    )


def _in_file(path: Path) -> Source:
    head = _head(path)
    if (source := _annotations(path.parent, [(path, head)])) is not None:
        return source
    if path.suffix.lower() in SUFFIXES:
        return _table(path)
    raise DataError(
        "The data must be a folder of images, an archive (ZIP, tar), a table (CSV, TSV, JSON Lines, "
        "Parquet), or annotations of COCO, Label Studio or CVAT. {path} is none of them. Convert it, or give "
        "the folder.",
        path=path,
    )


def _in_folder(folder: Path) -> Source | None:
    files, folders = _names(folder)
    found = [_table(folder / name) for name in files if name in TABLES]
    tables = [name for name in files if name in huggingface.NAMES] or [
        f"{inner}/{name}"
        for inner in folders
        if named_split(inner)
        for name in huggingface.NAMES
        if is_file(folder / inner / name)
    ]
    if tables and all(huggingface.FILE_NAME in read_table(folder / name).header for name in tables):
        found.append(
            Source(
                tables[0],
                lambda columns, multilabel: huggingface.from_metadata(
                    folder, tables, columns, multilabel=multilabel
                ),
            )
        )
    if any(name in files for name in _SAVED) and ("dataset_info.json" in files or _SAVED[0] in files):
        found.append(
            Source(
                next(name for name in _SAVED if name in files),
                lambda columns, multilabel: from_saved(folder, columns, multilabel=multilabel),
            )
        )
    found += _bulk(folder, files, folders)
    if (source := _annotations(folder, _annotation_files(folder, files, folders))) is not None:
        found.append(source)
    if len(found) > 1:
        raise DataError(
            "One list must say what the images are. {path} holds several that could: {names}. Give the right "
            "one as the data, such as {example}, or remove the others.",
            path=folder,
            names=", ".join(source.name for source in found),
            example=folder / found[0].name,
        )
    return found[0] if found else None


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files and of the folders in a folder, sorted.

    Raises:
        DataError: the system does not let us look into it.
    """
    try:
        with scandir(folder) as entries:
            found = [(entry.name, _is_folder(entry)) for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(
            "The data folders must be readable. {path}: {reason}. Check the permissions.",
            path=folder,
            reason=error.strerror,
        ) from None
    return sorted(n for n, inner in found if not inner), sorted(n for n, inner in found if inner)


def _is_folder(entry: AnyEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _bulk(folder: Path, files: Sequence[str], folders: Sequence[str]) -> list[Source]:
    """Return Parquet files with images in them, and shards, in the folder or in the folders of it."""
    every = [*files]
    if not any(name.endswith((".parquet", ".tar")) for name in files):
        for inner in folders:
            every += [f"{inner}/{name}" for name in _names(folder / inner)[0]]
    found = []
    parquet = [
        name for name in every if name.endswith(".parquet") and name not in (*TABLES, *huggingface.NAMES)
    ]
    if parquet and holds_images(folder / parquet[0]):
        found.append(
            Source(
                parquet[0],
                lambda columns, multilabel: from_parquet(
                    folder, folder, parquet, columns, multilabel=multilabel
                ),
            )
        )
    shards = [name for name in every if name.endswith(".tar")]
    if shards and is_shard(folder / shards[0]):
        found.append(_shards(folder, shards))
    return found


def _annotation_files(folder: Path, files: Sequence[str], folders: Sequence[str]) -> list[tuple[Path, bytes]]:
    """Return files that may be annotations, and their beginnings."""
    found = [folder / name for name in files if name.lower().endswith((".json", ".xml"))]
    for inner in folders:
        if inner.lower() in ("annotations", "labels") or named_split(inner):
            names = [name for name in _names(folder / inner)[0] if name.lower().endswith((".json", ".xml"))]
            # A file for each image is something else.
            found += [folder / inner / name for name in names] if len(names) <= 10 else []
    return [(path, _head(path)) for path in found]


def _annotations(root: Path, files: Sequence[tuple[Path, bytes]]) -> Source | None:
    """Return annotations of one kind as one source; of several files each must be a split."""
    kinds: dict[str, list[Path]] = {}
    for path, head in files:
        kind = _kind(head)
        if kind:
            kinds.setdefault(kind, []).append(path)
    if not kinds:
        return None
    (kind, paths), *others = kinds.items()
    if others:
        raise DataError(
            "One list must say what the images are. {path} holds several that could: {names}. Give the right "
            "one as the data, such as {example}, or remove the others.",
            path=root,
            names=", ".join(path.relative_to(root).as_posix() for some in kinds.values() for path in some),
            example=paths[0],
        )

    def read(columns: Columns, multilabel: bool) -> ListedImages:
        parts = [_read(kind, path, columns) for path in paths]
        splits = [set(one.splits) for one in parts]
        if len(parts) > 1 and (any(None in some for some in splits) or len(set.union(*splits)) < len(parts)):
            raise DataError(
                "Of several files of annotations, each must be named like its split. {path} holds {names}. "
                "Give one of them as the data.",
                path=root,
                names=", ".join(path.relative_to(root).as_posix() for path in paths),
            )
        if len(parts) == 1:  # of one file, the split that its name says is no split
            parts[0].splits = [None] * len(parts[0].images) if len(splits[0]) < 2 else parts[0].splits
        source = paths[0] if len(paths) == 1 else root
        return listed_images(source, root, parts, columns, multilabel=multilabel)

    return Source(paths[0].relative_to(root).as_posix(), read)


def _kind(head: bytes) -> str:
    if coco.is_coco(head):
        return "coco"
    if label_studio.is_label_studio(head):
        return "label_studio"
    return "cvat" if cvat.is_cvat(head) else ""


def _read(kind: str, path: Path, columns: Columns) -> Annotations:
    text = _text(path)
    if kind == "coco":
        return coco.read_coco(path, text)
    if kind == "label_studio":
        return label_studio.read_label_studio(path, text, columns)
    return cvat.read_cvat(path, text)


def _text(path: Path) -> bytes:
    try:
        with open_binary(path) as file:
            text = file.read(MOST_TEXT_BYTES + 1)
    except OSError as error:
        raise DataError(
            "Annotations must be readable. {path} is not ({reason}). Check its permissions.",
            path=path,
            reason=reason_of(error),
        ) from None
    if len(text) > MOST_TEXT_BYTES:
        raise DataError(
            "Annotations must have at most {most} MB. {path} has more. Convert them to a table.",
            most=MOST_TEXT_BYTES >> 20,
            path=path,
        )
    return text


def _head(path: Path) -> bytes:
    """Return where a file of annotations has its keys: its beginning, but all of JSON."""
    try:
        with open_binary(path) as file:
            return file.read(MOST_TEXT_BYTES) if path.suffix.lower() == ".json" else file.read(_HEAD_BYTES)
    except OSError:
        return b""
