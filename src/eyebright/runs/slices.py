"""Slices: the metrics by image properties, files, folders, and the columns of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eyebright.data.image_properties import LOOKS, camera
from eyebright.data.manifest import Sample
from eyebright.data.table.columns import find_path_column
from eyebright.data.table.delimited import DataTable, read_delimited
from eyebright.errors import DataError
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.slices import Column, Slice, slices
from eyebright.runs.scoring import Predictions
from eyebright.runtime.compact.rows import picked, values
from eyebright.runtime.parallel import parallel
from eyebright.sealed.image_statistics import ImageStatistics
from eyebright.types import IntArray, Split

_FORMATS = {"jpg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}
# A column of numbers with fewer distinct values names things: sites, batches, yes or no.
_NUMBERS_FROM = 12
_MOST_FOLDERS = 20


@dataclass(frozen=True)
class ColumnsFile:
    """A CSV file of image properties, whose paths are relative to ``folder`` or the manifest's root."""

    path: Path
    folder: Path


def find_slices(
    predictions: Predictions,
    split: Split,
    root: Path,
    statistics: ImageStatistics,
    columns: ColumnsFile | None = None,
) -> tuple[Slice, ...]:
    """Return the slices of one split, by image properties, files and folders, and by further columns.

    Of copies the first counts, for they are no further evidence.

    Args:
        predictions: of the sealed model.
        split: the evaluated one.
        root: of the images.
        statistics: of the images; those that it lacks are measured now.
        columns: a file of further properties.
    """
    places = predictions.of(split)
    samples = picked(predictions.samples, places)
    further = [] if columns is None else read_columns(columns.path, samples, (root, columns.folder))
    first = _first_of_copies(samples)
    kept = places[first]
    distinct = picked(predictions.samples, kept)
    chosen = [Column(c.name, _some(c.values, first.tolist())) for c in further]
    found = [*_columns(distinct, root, statistics), *chosen]
    return slices(found, predictions.correct[kept], predictions.kinds[kept], predictions.groups(kept))


def _first_of_copies(samples: Sequence[Sample]) -> IntArray:
    """Return the places (n,) of the first sample of each hash, in the order of the hashes."""
    shas = np.fromiter((sha.encode() for sha in values(samples, "sha")), "S32", len(samples))
    return np.unique(shas, return_index=True)[1]


def read_columns(path: Path, samples: Sequence[Sample], folders: Sequence[Path]) -> list[Column]:
    """Read the columns of a CSV file for N samples; values of samples that it lacks are empty, or NaN.

    Args:
        path: has a column `path` or the like, relative to one of ``folders``, and others.
        samples: relative to the first of ``folders``.
        folders: the manifest's root, and where else paths may begin.

    Raises:
        NotFoundError: there is no such file.
        DataError: it has no such columns, or names none of the samples.
    """
    table = read_delimited(path)
    place = _path_column(table)
    found: dict[str, Sequence[str]] = {}
    for row in table.rows:
        for folder in folders:
            found.setdefault(str((folder / row[place].replace("\\", "/")).absolute()), row)
    mine = [found.get(str((folders[0] / sample.path).absolute()), ()) for sample in samples]
    if not any(mine):
        raise DataError(
            "The column path must name images relative to {folder}. None of the {count:row|rows} of "
            "{path} does, for example {example}. Correct the paths.",
            folder=folders[-1],
            count=len(table.rows),
            path=path,
            example=table.rows[0][place],
        )
    return [
        _column(table, name, [row[i] if row else "" for row in mine])
        for i, name in enumerate(table.header)
        if name and i != place
    ]


def _path_column(table: DataTable) -> int:
    name = find_path_column(table.header)
    if name is None:
        raise DataError(
            "The columns file must have a column path and at least one other. {path} has: {columns}. "
            "Add what is missing.",
            path=table.source,
            columns=", ".join(table.header),
        )
    return list(table.header).index(name)


def _column(table: DataTable, name: str, values: list[str]) -> Column:
    try:
        numbers = np.array([table.number(value) if value else np.nan for value in values])
    except ValueError:
        return Column(name, values)
    many = len(np.unique(numbers[np.isfinite(numbers)])) >= _NUMBERS_FROM
    return Column(name, numbers) if many else Column(name, values)


def _columns(samples: Sequence[Sample], root: Path, statistics: ImageStatistics) -> list[Column]:
    """Return the properties that every image has."""
    table = statistics.table(root, samples).astype(np.float64)
    width, height = np.array([(s.width, s.height) for s in samples], np.float64).T
    return [
        *(Column(name, table[:, i]) for i, name in enumerate(LOOKS)),
        Column("pixels", width * height),
        Column("aspect", width / height),
        Column("folder", _folders(samples)),
        Column("format", [_format(sample.path) for sample in samples]),
        Column("camera", list(parallel(partial(_camera, root), samples))),
    ]


def _camera(root: Path, sample: Sample) -> str:
    return camera(root / sample.path)


def _format(path: str) -> str:
    suffix = path.rpartition(".")[2].lower()
    return _FORMATS.get(suffix, suffix.upper())


def _folders(samples: Sequence[Sample]) -> list[str]:
    """Return the folders below those of the classes; of very many the first level."""
    inner = [_below_class(sample) for sample in samples]
    if len(set(inner)) > _MOST_FOLDERS:
        inner = [folder.split("/")[0] for folder in inner]
    return inner


def _below_class(sample: Sample) -> str:
    *folders, _ = sample.path.split("/")
    if sample.label in folders:
        folders = folders[folders.index(sample.label) + 1 :]
    return "/".join(folders) or "."


def _some(values: Float64Array | Sequence[str], places: Sequence[int]) -> Float64Array | Sequence[str]:
    if isinstance(values, np.ndarray):
        return np.asarray(values[places])
    return [values[i] for i in places]
