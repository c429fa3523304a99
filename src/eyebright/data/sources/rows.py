"""Parquet and Arrow files with images in their rows, as Hugging Face's `datasets` writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq
from pydantic import BaseModel, TypeAdapter

from eyebright.data.splits.names import named_split
from eyebright.data.storage.places import is_remote, open_binary, storage_at
from eyebright.data.storage.rows import RowStorage, image_columns
from eyebright.data.table.cells import one_below_the_other, table_of
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.listed import ListedImages
from eyebright.data.table.read import columns_of
from eyebright.errors import DataError
from eyebright.runtime.compact.rows import compact_values
from eyebright.runtime.stored import parse_json
from eyebright.types import Split

# data/train-00000-of-00002.parquet, with the hash that older files have; or train/0000.parquet.
_SHARD = re.compile(r"(.+?)(-\d{5}-of-\d{5})?(-[0-9a-f]{16})?")
_NUMBER = re.compile(r"\d+")
#: Names that no column of the user has: where each image lies, and the split that its file's name says.
_PATH, _SPLIT = "(image)", "(split)"


class _State(BaseModel):
    class DataFile(BaseModel):
        filename: str

    data_files: list[DataFile]

    model_config = {"alias_generator": lambda name: f"_{name}"}


class _Splits(BaseModel):
    splits: list[str]


_STATE, _SPLITS = TypeAdapter(_State), TypeAdapter(_Splits)
Stored = TypeVar("Stored")


def holds_images(path: Path) -> bool:
    """Return whether a Parquet file has a column of images."""
    try:
        with open_binary(path) as file:
            return bool(image_columns(pq.read_schema(file)))
    except (OSError, ValueError):
        return False


def from_parquet(
    source: Path, root: Path, files: Sequence[str], columns: Columns, *, multilabel: bool
) -> ListedImages:
    """Return the images in Parquet files, whose names say the split where all of them do.

    Args:
        source: for the sentences.
        root: what ``files`` are relative to.
        files: the Parquet files.
        columns: those that the user names.
        multilabel: see `find_meaning`.

    Raises:
        DataError: a file is damaged, or it is open what a column means.
    """
    splits = [_split_of(name) for name in files]
    known = splits if all(splits) and len(set(splits)) > 1 else [None] * len(files)
    return _from_files(source, root, list(zip(files, known, strict=True)), columns, multilabel=multilabel)


def from_saved(folder: Path, columns: Columns, *, multilabel: bool) -> ListedImages:
    """Return the images in a folder that `save_to_disk` of `datasets` wrote.

    Raises:
        DataError: a file is damaged or missing, or it is open what a column means.
    """
    files: list[tuple[str, Split | None]] = []
    if (names := _read(folder / "dataset_dict.json", _SPLITS)) is not None:
        for name in names.splits:
            files += [(f"{name}/{file}", named_split(name)) for file in _data_files(folder / name)]
        if not all(split for _, split in files):
            files = [(file, None) for file, _ in files]
    else:
        files = [(file, None) for file in _data_files(folder)]
    return _from_files(folder, folder, files, columns, multilabel=multilabel)


def _data_files(folder: Path) -> list[str]:
    state = _read(folder / "state.json", _STATE)
    return [] if state is None else [file.filename for file in state.data_files]


def _read(path: Path, kind: TypeAdapter[Stored]) -> Stored | None:
    try:
        with open_binary(path) as file:
            return parse_json(kind, file.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(
            "A folder of save_to_disk must be whole. {path} is damaged ({error}). Save it again.",
            path=path,
            error=error,
        ) from None


def _split_of(file: str) -> Split | None:
    path = Path(file)
    stem = path.parent.name if _NUMBER.fullmatch(path.stem) else path.stem
    match = _SHARD.fullmatch(stem)
    return named_split(match[1]) if match else None


def _from_files(
    source: Path,
    root: Path,
    files: Iterable[tuple[str, Split | None]],
    chosen: Columns,
    *,
    multilabel: bool,
) -> ListedImages:
    parts: list[dict[str, Sequence[str]]] = []
    column = ""
    on_disk = os.path.isdir(root)  # no archive or remote place names a file of this machine
    for file, split in files:
        storage = _storage(root / file)
        column = _image_column(root / file, storage, chosen)
        prefix = "" if file == "." else f"{file}/"
        cells = columns_of(storage.others())
        elsewhere = storage.elsewhere(column) if on_disk else {}
        beside = {
            row: (Path(file).parent / path).as_posix()
            for row, path in elsewhere.items()
            if not is_remote(path)
        }
        cells[_PATH] = compact_values(
            beside.get(row) or f"{prefix}{column}/{name}" for row, name in enumerate(storage.names(column))
        )
        cells[_SPLIT] = compact_values(repeat(split or "", len(cells[_PATH])))
        parts.append(cells)
    merged = one_below_the_other(parts) if parts else {}
    if not any(merged.get(_SPLIT, ())):
        merged.pop(_SPLIT, None)
    column_of_splits = chosen.split or (_SPLIT if _SPLIT in merged else None)
    wanted = replace(chosen, path=_PATH, split=column_of_splits)
    meant = find_meaning(table_of(source, merged), multilabel=multilabel, chosen=wanted)
    # Where a file has several columns of images, another one like it is read by the same.
    meant = replace(meant, columns=replace(meant.columns, path=column))
    return ListedImages(source, root, meant, complete=True)


def _storage(path: Path) -> RowStorage:
    found = storage_at(path)
    if found is None or not isinstance(found[0], RowStorage):
        raise DataError(
            "Files with images in their rows must be Parquet or Arrow. {path} is not. Write it again.",
            path=path,
        )
    return found[0]


def _image_column(path: Path, storage: RowStorage, chosen: Columns) -> str:
    there = image_columns(storage.schema)
    for known in (chosen.path, chosen.remembered.path if chosen.remembered else None):
        if known in there:
            return str(known)
    if len(there) != 1:
        raise DataError(
            "One column must hold the images. {path} has {count}: {columns}. Name the right one with --path.",
            path=path,
            count=len(there),
            columns=", ".join(there) or "-",
        )
    return there[0]
