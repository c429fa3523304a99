"""Labels written out: `labels.csv`, class folders, and the JSON of Label Studio."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias, get_args

from eyebright.data.manifest import Sample
from eyebright.errors import ConfigError
from eyebright.labelling.label_state import LabelState
from eyebright.labelling.project import TEXT, Project
from eyebright.runtime.atomic import storage_errors, write_text
from eyebright.runtime.context import progress_task
from eyebright.types import Json

LabelFormat: TypeAlias = Literal["csv", "folders", "label-studio"]
FORMATS: tuple[LabelFormat, ...] = get_args(LabelFormat)
_TABLE, _FOLDERS, _TASKS = "labels.csv", "class-folders", "label-studio.json"


def write_labels(project: Project, kind: LabelFormat) -> Path:
    """Write the labels that count below the studio's folder, and return where.

    Raises:
        ConfigError: class folders are asked for, and an image may have several labels.
        StorageError: the disk is full or must not be written.
    """
    if kind == "folders":
        if project.multilabel:
            raise ConfigError(
                "An image lies in the folder of one class. Here an image may have several labels. Write "
                "labels.csv instead."
            )
        return _write_folders(project, project.folder / _FOLDERS)
    if kind == "label-studio":
        with project.store.reading() as state:
            tasks = [_task(project, state, sample) for sample in project.samples]
        path = project.folder / _TASKS
        write_text(path, json.dumps(tasks, indent=1, ensure_ascii=False))
        return path
    return write_table(project)


def table(project: Project) -> Path:
    """Return where `labels.csv` lies, the data to train on."""
    return project.folder / _TABLE


def write_table(project: Project) -> Path:
    """Write `labels.csv` into the studio's folder.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    samples = project.labelled()
    groups, splits = any(sample.group for sample in samples), bool(project.splits)
    texts = any(sample.text for sample in samples)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    # As JSON lists, in a column of this name, they are read as lists whatever the names hold.
    named = "labels" if project.multilabel else "label"
    writer.writerow(["path", named, *["group"] * groups, *["split"] * splits, *[TEXT] * texts])
    for sample in samples:
        label = json.dumps(sample.labels, ensure_ascii=False) if project.multilabel else sample.label
        row = [path_in_table(project, sample), label]
        row += [*[sample.group] * groups, *[sample.split] * splits, *[sample.text] * texts]
        writer.writerow(row)
    path = table(project)
    write_text(path, buffer.getvalue())
    return path


def path_in_table(project: Project, sample: Sample) -> str:
    """Return the path of an image as `labels.csv`, and with it an audit, names it."""
    return os.path.relpath(project.path(sample), project.folder).replace(os.sep, "/")


def _write_folders(project: Project, folder: Path) -> Path:
    """Copy every labelled image into a folder of its class, its text beside it.

    What was written there before is replaced.
    """
    new = folder.with_name(f".{folder.name}.tmp")
    samples = project.labelled()
    places = _folder_names({sample.label for sample in samples})
    with storage_errors(folder), progress_task("Copying images", total=len(samples)) as task:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for sample, name in _named(samples):
            target = new / places[sample.label] / name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(project.path(sample), target)
            if sample.text:
                target.with_suffix(".txt").write_text(sample.text, encoding="utf-8")
            task.advance()
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    return folder


def _named(samples: Sequence[Sample]) -> Iterator[tuple[Sample, str]]:
    """Yield images with file names that are unique in their class."""
    taken: set[tuple[str, str]] = set()
    for sample in samples:
        path = PurePosixPath(sample.path)
        name, stem = path.name, path.stem.casefold()  # a text beside an image has its name but for the end
        if (sample.label, stem) in taken:
            name = f"{sample.sha[:8]}-{name}"
        taken.add((sample.label, stem))
        yield sample, name


def _folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a folder's name for each label, no two alike."""
    found: dict[str, str] = {}
    for label in sorted(labels):
        name = re.sub(r'[\x00-\x1f/\\:*?"<>|]+', "-", label).strip(" .") or "-"
        while name.casefold() in {taken.casefold() for taken in found.values()}:
            name += "-"
        found[label] = name
    return found


def _task(project: Project, state: LabelState, sample: Sample) -> Json:
    """Return an image as a task of Label Studio, with an annotation for each person."""
    people = state.by_person(sample.sha)
    counted = state.label(sample.sha)
    labels = dict(people) if people else ({} if counted is None else {"": counted})
    return {
        "data": {"image": f"/data/local-files/?d={sample.path}"},
        "annotations": [
            {
                "completed_by": who,
                "result": [
                    {
                        "from_name": "class",
                        "to_name": "image",
                        "type": "choices",
                        "value": {"choices": list(project.names(label))},
                    }
                ],
            }
            for who, label in sorted(labels.items())
        ],
    }
