"""Slices: the metrics by image properties, files, folders, and the columns of a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eyebright.data.image_properties import LOOKS, camera
from eyebright.data.manifest import Sample
from eyebright.errors import DataError, NotFoundError
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.slices import Column, Slice, slices
from eyebright.runs.scoring import Predictions
from eyebright.runtime.parallel import parallel
from eyebright.sealed.image_statistics import ImageStatistics
from eyebright.types import Split

_PATH = "path"
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
    samples = [predictions.samples[i] for i in places]
    further = [] if columns is None else read_columns(columns.path, samples, (root, columns.folder))
    _, first = np.unique([sample.sha for sample in samples], return_index=True)
    kept = places[first]
    distinct = [predictions.samples[i] for i in kept]
    chosen = [Column(c.name, _some(c.values, first.tolist())) for c in further]
    found = [*_columns(distinct, root, statistics), *chosen]
    return slices(found, predictions.correct[kept], predictions.kinds[kept], predictions.groups(kept))


def read_columns(path: Path, samples: Sequence[Sample], folders: Sequence[Path]) -> list[Column]:
    """Read the columns of a CSV file for N samples; values of samples that it lacks are empty, or NaN.

    Args:
        path: has a column `path`, relative to one of ``folders``, and others.
        samples: relative to the first of ``folders``.
        folders: the manifest's root, and where else paths may begin.

    Raises:
        NotFoundError: there is no such file.
        DataError: it has no such columns, or names none of the samples.
    """
    rows = _rows(path)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        for folder in folders:
            found.setdefault(str((folder / row[_PATH]).absolute()), row)
    mine = [found.get(str((folders[0] / sample.path).absolute()), {}) for sample in samples]
    if not any(mine):
        raise DataError(
            "The column path must name images relative to {folder}. None of the {count:row|rows} of "
            "{path} does, for example {example}. Correct the paths.",
            folder=folders[-1],
            count=len(rows),
            path=path,
            example=rows[0][_PATH] if rows else "-",
        )
    names = [name for name in rows[0] if name and name != _PATH]
    return [_column(name, [row.get(name) or "" for row in mine]) for name in names]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            rows = [{str(k): str(v or "") for k, v in row.items()} for row in reader]
    except FileNotFoundError:
        raise NotFoundError(
            "The columns file must exist. {path} does not. Check the path.", path=path
        ) from None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            "The columns file must be readable CSV in UTF-8. {path}: {reason}. Correct the file.",
            path=path,
            reason=getattr(error, "strerror", None) or error,
        ) from None
    if _PATH not in columns or len(columns) < 2:
        raise DataError(
            "The columns file must have a column path and at least one other. {path} has: {columns}. "
            "Add what is missing.",
            path=path,
            columns=", ".join(columns) or "-",
        )
    return rows


def _column(name: str, values: list[str]) -> Column:
    try:
        numbers = np.array([float(value) if value else np.nan for value in values])
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
