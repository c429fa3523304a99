"""Images and texts that a table lists, for a model that reads both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path, PurePath
from typing import Any

from eyebright.data.storage.places import exists, is_folder, read_bytes
from eyebright.data.table.chosen import BESIDE
from eyebright.data.table.columns import find_path_column
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.paths import ImagePaths
from eyebright.data.table.read import JSON_LINES, read_table
from eyebright.data.texts import text_of, unreadable
from eyebright.errors import ConfigError, DataError, nearest
from eyebright.runs.messages import say_warning
from eyebright.runtime.context import say
from eyebright.sealed.model import SealedModel
from eyebright.types import Skipped
from eyebright.verbs.predict.image_paths import image_paths

_TABLES = (".csv", ".tsv", *JSON_LINES, ".json", ".parquet")


@dataclass(frozen=True)
class TextedImage:
    """An image with its text.

    Attributes:
        image: its path, or the image itself; None of a text without an image.
        text: empty where there is none.
        name: as the answer names it.
    """

    image: Any
    text: str
    name: str | None


def texted_images(
    images: Sequence[Any], model: SealedModel, path: str | None, text: Sequence[str], *, null: bool = False
) -> Iterator[TextedImage | Skipped]:
    """Return an iterator over images with their texts, and over what cannot be looked into.

    Args:
        images: files, folders, patterns, tables, or images in memory.
        model: that answers.
        path: the column of tables with the paths of images; None to find it by its name.
        text: columns of texts, or `txt`; none for those that the model learned from.
        null: whether paths on standard input end with a NUL instead of a line's end.

    Raises:
        NotFoundError, DataError, ConfigError: a name matches nothing, a table cannot be used, or the model
            reads no texts; raised before the first image.
    """
    columns = text_columns(model, text)
    several: list[Iterator[TextedImage | Skipped]] = []
    for table, names in groupby(images, is_table):
        if table:
            several += [table_rows(Path(name), path, columns, model) for name in names]
        else:
            found = image_paths(list(names), null)
            several.append(with_text_beside(name, columns) for name in found)
    return chain.from_iterable(several)


def is_table(name: object) -> bool:
    """Return whether a name is that of a table, by its extension."""
    return (
        isinstance(name, str)
        and name.lower().endswith(_TABLES)
        and exists(name)
        and not is_folder(name)  # a Parquet file with images inside
    )


def text_columns(model: SealedModel, named: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of texts: those that are named, else those that the model learned from.

    Raises:
        ConfigError: some are named, and the model reads no texts.
    """
    if named and not model.has_text:
        raise ConfigError(
            "The model must read texts for --text. {path} reads images only. Train it with --text, or "
            "leave --text out.",
            path=model.path,
        )
    return tuple(named) or model.text_columns


def with_text_beside(name: str | Skipped | Any, columns: Sequence[str]) -> TextedImage | Skipped:
    """Return an image with the text in the file beside it, where texts lie there."""
    if isinstance(name, Skipped):
        return name
    text: str | None = ""
    if BESIDE in columns and isinstance(name, str):
        text = _beside(Path(name))
    return TextedImage(name, text or "", name if isinstance(name, str) else None)


def _beside(path: Path) -> str | None:
    try:
        return text_of([read_bytes(path.with_suffix(".txt")).decode("utf-8-sig", "replace")])
    except OSError:
        return ""


def table_rows(
    place: Path, path_column: str | None, columns: Sequence[str], model: SealedModel
) -> Iterator[TextedImage | Skipped]:
    """Return an iterator over the rows of a table.

    Args:
        place: of the table.
        path_column: with the paths of images; None to find it by its name.
        columns: of the texts.
        model: a row without an image is answered from its text, where the model reads texts.

    Raises:
        DataError: it is no table, or has no such columns; raised before the first row.
    """
    table = read_table(place)
    header = list(table.header)
    paths = path_column or find_path_column(header)
    wanted = [name for name in columns if name != BESIDE or name in header]
    for option, names in (("--path", [paths] if paths else []), ("--text", wanted)):
        for name in names:
            if name not in header:
                raise DataError(
                    "{option} must name a column of the table. {path} has no column {name}; the closest are: "
                    "{nearest}.",
                    option=option,
                    path=place,
                    name=name,
                    nearest=nearest(name, header),
                )
    if paths is None and not wanted:
        raise DataError(
            "{path} must have a column named path with the image paths. Its columns are: {columns}. Name "
            "that column with --path, or rename it.",
            path=place,
            columns=", ".join(header),
        )
    if model.has_text and not wanted and BESIDE not in columns:
        say("The texts are not known: images alone are answered. Name their columns with --text.")
    return _rows(place, table, None if paths is None else header.index(paths), wanted, columns, model)


def _rows(
    place: Path,
    table: DataTable,
    paths: int | None,
    wanted: Sequence[str],
    columns: Sequence[str],
    model: SealedModel,
) -> Iterator[TextedImage | Skipped]:
    finder = ImagePaths(place.parent)
    header = list(table.header)
    texts = [table.column(header.index(name)) for name in wanted]
    names = [""] * len(table.rows) if paths is None else table.column(paths)
    beside = BESIDE in columns and BESIDE not in header
    for number, line in enumerate(table.lines):
        shown = names[number] or f"{place.name}:{line}"
        text = text_of([cells[number] for cells in texts])
        if text is None:
            say_warning(unreadable(shown))
            text = ""
        if not names[number]:
            yield _without_image(text, shown, model)
            continue
        found = finder.find(names[number])
        if isinstance(found, Skipped):
            yield found
            continue
        path = os.fspath(place.parent / found) if not PurePath(found).is_absolute() else found
        if beside:
            text = "\n".join(filter(None, (text, _beside(Path(path)))))
        yield TextedImage(path, text, path)


def _without_image(text: str, name: str, model: SealedModel) -> TextedImage | Skipped:
    if text and model.has_text:
        return TextedImage(None, text, name)
    reason = (
        "The row has no image." if model.has_text else "The row has no image, and the model reads no texts."
    )
    return Skipped(name, reason)
