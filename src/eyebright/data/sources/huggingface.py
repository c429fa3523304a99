"""Folders of images with `metadata.csv`, `.jsonl` or `.parquet`, as Hugging Face's `datasets` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eyebright.data.splits.names import named_split
from eyebright.data.table.cells import one_below_the_other, table_of
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.listed import ListedImages
from eyebright.data.table.read import read_table

#: The column that names the files, relative to the table.
FILE_NAME = "file_name"
NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SPLIT = "(split)"


def from_metadata(root: Path, tables: Sequence[str], chosen: Columns, *, multilabel: bool) -> ListedImages:
    """Return the images that such tables list; those in folders named like splits have that split.

    Args:
        root: the data's folder.
        tables: the tables, relative to it.
        chosen: columns that the user names.
        multilabel: see `find_meaning`.

    Raises:
        DataError: a table cannot be read, or it is open what a column means.
    """
    parts: list[dict[str, Sequence[str]]] = []
    splits = [named_split(Path(name).parent.name) for name in tables]
    for name, split in zip(tables, splits, strict=True):
        table = read_table(root / name)
        folder = Path(name).parent.as_posix()
        cells = {column: table.column(i) for i, column in enumerate(table.header)}
        column = chosen.path or FILE_NAME
        if folder != "." and column in cells:
            cells[column] = [f"{folder}/{path}" for path in cells[column]]
        if all(splits):
            cells[_SPLIT] = [str(split)] * len(table.rows)
        parts.append(cells)
    source = root / tables[0] if len(tables) == 1 else root
    column_of_splits = chosen.split or (_SPLIT if all(splits) else None)
    wanted = replace(chosen, path=chosen.path or FILE_NAME, split=column_of_splits)
    meant = find_meaning(table_of(source, one_below_the_other(parts)), multilabel=multilabel, chosen=wanted)
    return ListedImages(source, root, meant)
