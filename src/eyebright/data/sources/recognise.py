"""Which source a path is, told by evidence: names, first bytes and keys. What fits twice is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eyebright.data.sources import huggingface
from eyebright.data.sources.annotation_files import ANNOTATION_FOLDERS, annotated_source, annotation_files
from eyebright.data.sources.base import Source, names_in, which_list
from eyebright.data.sources.rows import from_parquet, from_saved, holds_images
from eyebright.data.sources.webdataset import from_shards, is_shard
from eyebright.data.splits.names import named_split
from eyebright.data.storage.places import exists, is_file, is_folder, scandir, storage_at
from eyebright.data.storage.rows import RowStorage
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.listed import ListedImages
from eyebright.data.table.read import SUFFIXES, read_table
from eyebright.data.walk import require_folder
from eyebright.errors import DataError, NotFoundError

TABLES = ("labels.csv", "labels.tsv", "labels.jsonl", "labels.parquet")
#: Most are ZIP archives inside, of no images.
_SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
_SAVED = ("dataset_dict.json", "state.json")
_HEAD_BYTES = 2**16


def find_listing(data: Path) -> tuple[Path, Source | None]:
    """Return where the data begins, and what lists its images; None where only class folders can.

    An archive whose only entry is a folder begins in that folder.

    Raises:
        NotFoundError: it does not exist.
        DataError: it is nothing that can be read, or two lists fit.
    """
    if data.suffix.lower() in _SPREADSHEETS and is_file(data):
        raise DataError(
            "A table must be text or Parquet. {path} is a spreadsheet. Save it as CSV (in Excel: CSV UTF-8), "
            "and give that file.",
            path=data,
        )
    if _is_folder(data):
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


def _is_folder(data: Path) -> bool:
    try:
        return is_folder(data)
    except OSError as error:  # an archive that may not be read
        raise DataError(
            "The data folders must be readable. {path}: {reason}. Check the permissions.",
            path=data,
            reason=error.strerror,
        ) from None


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
    # The images of `annotations/train.json` lie beside that folder.
    root = path.parent.parent if path.parent.name.lower() in ANNOTATION_FOLDERS else path.parent
    if (source := annotated_source(root, [path])) is not None:
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
    files, folders = names_in(folder)
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
    if (source := annotated_source(folder, annotation_files(folder, files, folders))) is not None:
        found.append(source)
    if len(found) > 1:
        raise which_list(folder, [source.name for source in found])
    return found[0] if found else None


def _bulk(folder: Path, files: Sequence[str], folders: Sequence[str]) -> list[Source]:
    """Return Parquet files with images in them, and shards, in the folder or in the folders of it."""
    every = [*files]
    if not any(name.endswith((".parquet", ".tar")) for name in files):
        for inner in folders:
            every += [f"{inner}/{name}" for name in names_in(folder / inner)[0]]
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
