"""Images that a table or another list names: looked for, hashed and measured; what is wrong is listed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from pathlib import Path

import numpy as np

from eyebright.data.checks import naming
from eyebright.data.contents import with_contents
from eyebright.data.header import Header
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.read_headers import read_headers
from eyebright.data.storage.places import is_remote, resolved
from eyebright.data.table.columns import LabelTable, Row
from eyebright.data.table.paths import ImagePaths
from eyebright.data.texts import with_texts_beside
from eyebright.data.walk import image_files
from eyebright.errors import DataError, ImageError
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import Mapped, changed, compact, kept, ordered, remade, values
from eyebright.runtime.context import progress_task
from eyebright.runtime.progress import Task
from eyebright.types import Skipped

# With so many of its images listed under several labels, a table is one of a line for each label.
_CONTRADICTIONS = 0.1
_AT_ONCE = 4096


@dataclass(frozen=True)
class ListedImages:
    """What a source says of its images.

    Attributes:
        source: the table or whatever lists the images, for the sentences.
        root: what the paths of the rows are relative to.
        table: the rows.
        skipped: what the source holds and cannot be used.
        complete: whether every row is known to have its image, and the root to hold no others.
    """

    source: Path
    root: Path
    table: LabelTable
    skipped: tuple[Skipped, ...] = ()
    complete: bool = False


def read_listed(listed: ListedImages) -> tuple[Manifest, bool]:
    """Return all images that are listed, without a split as training images, and whether any has a split.

    Raises:
        DataError: none can be used, or many are listed with different labels.
    """
    table, folder = listed.table, listed.root
    skipped = list(listed.skipped)
    there = _with_files(listed, skipped)
    notes = (*table.notes, *_outside(listed, there), *_unnamed(listed, there))
    rows = _usable(listed, there, skipped)
    del there  # of millions of rows, memory is needed now
    files = Mapped(rows, attrgetter("label", "path"))

    def found(task: Task) -> Iterator[Sample | None]:
        waiting = iter(rows)
        for some, headers in read_headers(folder, files):
            for row, header in zip(islice(waiting, len(some)), headers, strict=True):
                if isinstance(header, ImageError):
                    skipped.append(Skipped(row.path, header.template, header.values))
                    yield None
                else:
                    yield _sample(row, header)
            task.advance(len(some))

    with progress_task("Reading images", total=len(files)) as task:
        read = remade(rows, found(task))
    if not read:
        raise naming(_nothing_usable(listed), skipped)
    samples, deep = with_contents(folder, read)
    samples = ordered(_grouped(samples), "path")
    manifest = Manifest(
        resolved(folder), samples, tuple(skipped), (*notes, *deep), table.label_set, columns=table.columns
    )
    if table.texts_beside:
        manifest = with_texts_beside(manifest)
    return manifest, any(values(table.rows, "split"))


def _sample(row: Row, header: Header) -> Sample:
    return Sample(
        row.path,
        row.label,
        row.split or "train",
        header.sha,
        header.width,
        header.height,
        row.group,
        header.white_level,
        header.content,
        time=row.time,
        weight=row.weight,
        text=row.text,
    )


def _with_files(listed: ListedImages, skipped: list[Skipped]) -> Sequence[Row]:
    """Return the rows whose files are there, with the paths of these; ``skipped`` gets the others."""
    if listed.complete:
        return listed.table.rows
    paths = ImagePaths(listed.root)

    def found() -> Iterator[Row]:
        for row in listed.table.rows:
            path = paths.find(row.path)
            if isinstance(path, Skipped):
                skipped.append(path)
            else:
                yield row if path == row.path else replace(row, path=path)

    return compact(found())


def _usable(listed: ListedImages, rows: Sequence[Row], skipped: list[Skipped]) -> Sequence[Row]:
    """Return one row for each image; ``skipped`` gets those without a label, and those that come again.

    Raises:
        DataError: many images are listed with different labels.
    """
    table = listed.table
    repeats = Repeats(values(rows, "path"), len(rows))
    found: dict[str, Row] = {}
    rivals: dict[str, str] = {}
    flags = np.zeros(len(rows), np.bool_)
    for place, row in enumerate(rows):
        path = row.path
        if table.label_set is None and not row.label:
            skipped.append(Skipped(path, "The table gives no label for this image."))
        elif path not in repeats:
            flags[place] = True
        elif path not in found:
            found[path] = row
            flags[place] = True
        elif found[path].label == row.label:
            skipped.append(
                Skipped(path, "The image is listed more than once with the same labels. One row was used.")
            )
        else:
            rivals.setdefault(path, row.label)
            skipped.append(
                Skipped(
                    path,
                    "The image is listed more than once, also with the labels {other}. The first row "
                    "was used.",
                    {"other": row.label or "-"},
                )
            )
    if len(rivals) > _CONTRADICTIONS * np.count_nonzero(flags):
        path, other = next(iter(rivals.items()))
        raise DataError(
            "A table must have one row for each image. {table} lists {count:image|images} with different "
            "labels, for example {path} with {first} and {other}. If images have several labels, write them "
            "into one row, separated with semicolons, in a column named labels; else correct them.",
            table=listed.source,
            count=len(rivals),
            path=path,
            first=found[path].label or "-",
            other=other or "-",
        )
    return kept(rows, flags)


def _nothing_usable(listed: ListedImages) -> DataError:
    """Return why no row of the table can be used."""
    table, folder = listed.table, listed.root
    if table.label_set is None and not any(row.label for row in table.rows):
        return DataError(
            "A table must give labels. In {path}, the label of all {count:row|rows} is empty. Fill in the "
            "labels; `eyebright predict` needs none.",
            path=listed.source,
            count=len(table.rows),
        )
    first = table.rows[0].path
    if (elsewhere := ImagePaths(folder).elsewhere(first)) is not None:
        return DataError(
            "Paths in a table must be relative to its folder. {path} lists {first}, which is not there, but "
            "{elsewhere} is. Correct the paths.",
            path=listed.source,
            first=first,
            elsewhere=elsewhere,
        )
    return DataError(
        "The table must list readable images. None of the images in {path} ({count}) can be "
        "read. Paths are relative to its folder; the first is {first}. Correct the paths.",
        count=len(table.rows),
        path=listed.source,
        first=first or "-",
    )


def _outside(listed: ListedImages, rows: Sequence[Row]) -> list[Skipped]:
    """Return a note on images that lie elsewhere than in the table's folder."""
    paths = values(rows, "path")
    outside = {path for path in paths if os.path.isabs(path) or ".." in path.split("/")}
    if not outside:
        return []
    reason = "{count:image lies|images lie} outside the folder of the table, such as {path}."
    return [Skipped(listed.source.name, reason, {"count": len(outside), "path": min(outside)})]


def _unnamed(listed: ListedImages, rows: Sequence[Row]) -> list[Skipped]:
    """Return a note on images, in class folders perhaps, that no row of the table names."""
    if listed.complete or is_remote(listed.root) or not rows:  # where looking for more would take long
        return []
    folder = listed.root
    # By 8 bytes for each: of two paths, one in 10^19 has the hash of the other.
    named = (hash(os.path.normpath(folder / path)) for path in values(rows, "path"))
    known, count = np.sort(np.fromiter(named, np.int64, len(rows))), 0
    found = (hash(os.path.normpath(path)) for path in image_files(folder))
    while some := list(islice(found, _AT_ONCE)):
        asked = np.array(some, np.int64)
        count += int((known[np.minimum(known.searchsorted(asked), len(known) - 1)] != asked).sum())
    if not count:
        return []
    reason = "Not listed in {name}, so not used: {count:image|images} in its folder."
    return [Skipped(".", reason, {"name": listed.source.name, "count": count})]


def _grouped(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples with groups that share an image joined to one."""
    if not any(values(samples, "group")):
        return samples
    repeats = Repeats(values(samples, "identity"), len(samples))
    if not repeats:  # what no two groups share joins none
        return samples
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    copied = kept(samples, (identity in repeats for identity in values(samples, "identity")))
    for s in copied:
        first, second = (
            root(f"sha {s.identity}"),
            root(f"group {s.group}" if s.group else f"sha {s.identity}"),
        )
        parent[max(first, second)] = min(first, second)
    names: dict[str, set[str]] = defaultdict(set)
    for s in copied:
        names[root(f"sha {s.identity}")].add(s.group)
    joint = {place: min(some - {""}, default="") for place, some in names.items()}

    def group(sample: Sample) -> str:
        own = f"group {sample.group}" if sample.group else f"sha {sample.identity}"
        return joint[root(own)] if own in parent else sample.group

    return changed(samples, (replace(s, group=group(s)) for s in samples))
