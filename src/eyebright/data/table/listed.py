"""Images that a table or another list names: looked for, hashed and measured; what is wrong is listed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.data.checks import naming
from eyebright.data.contents import with_contents
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.read_headers import read_headers
from eyebright.data.storage.places import is_remote, resolved
from eyebright.data.table.columns import LabelTable, Row
from eyebright.data.table.paths import ImagePaths
from eyebright.data.texts import with_texts_beside
from eyebright.data.walk import image_files
from eyebright.errors import DataError, ImageError
from eyebright.runtime.context import progress_task
from eyebright.types import Skipped

# With so many of its images listed under several labels, a table is one of a line for each label.
_CONTRADICTIONS = 0.1


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
    named: set[str] = set()
    rows = _usable(listed, skipped, named)
    samples: list[Sample] = []
    files = [(row.label, path) for path, row in rows.items()]
    with progress_task("Reading images", total=len(files)) as task:
        for some, headers in read_headers(folder, files):
            for (label, path), header in zip(some, headers, strict=True):
                if isinstance(header, ImageError):
                    skipped.append(Skipped(path, header.template, header.values))
                    continue
                row = rows[path]
                size = header.width, header.height
                samples.append(
                    Sample(
                        path,
                        label,
                        row.split or "train",
                        header.sha,
                        *size,
                        row.group,
                        header.white_level,
                        header.content,
                        time=row.time,
                        weight=row.weight,
                        text=row.text,
                    )
                )
            task.advance(len(some))
    if not samples:
        raise naming(_nothing_usable(listed), skipped)
    samples, found = with_contents(folder, samples)
    ordered = sorted(_grouped(samples), key=lambda s: s.path)
    notes = (*table.notes, *_outside(listed, named), *_unnamed(listed, named), *found)
    manifest = Manifest(
        resolved(folder), tuple(ordered), tuple(skipped), notes, table.label_set, columns=table.columns
    )
    if table.texts_beside:
        manifest = with_texts_beside(manifest)
    return manifest, any(row.split for row in table.rows)


def _usable(listed: ListedImages, skipped: list[Skipped], named: set[str]) -> dict[str, Row]:
    """Return the rows by the paths of their images; ``named`` gets the paths of all files that rows name.

    Those of no image, or of one that came before, are skipped.

    Raises:
        DataError: many images are listed with different labels.
    """
    paths, table = ImagePaths(listed.root), listed.table
    found: dict[str, Row] = {}
    rivals: dict[str, str] = {}
    for row in table.rows:
        path = row.path if listed.complete else paths.find(row.path)
        if isinstance(path, Skipped):
            skipped.append(path)
            continue
        named.add(path)
        if table.label_set is None and not row.label:
            skipped.append(Skipped(path, "The table gives no label for this image."))
        elif path not in found:
            found[path] = row
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
    if len(rivals) > _CONTRADICTIONS * len(found):
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
    return found


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


def _outside(listed: ListedImages, named: Iterable[str]) -> list[Skipped]:
    """Return a note on images that lie elsewhere than in the table's folder."""
    outside = sorted(path for path in named if os.path.isabs(path) or ".." in path.split("/"))
    if not outside:
        return []
    reason = "{count:image lies|images lie} outside the folder of the table, such as {path}."
    return [Skipped(listed.source.name, reason, {"count": len(outside), "path": outside[0]})]


def _unnamed(listed: ListedImages, named: Iterable[str]) -> list[Skipped]:
    """Return a note on images, in class folders perhaps, that no row of the table names."""
    if listed.complete or is_remote(listed.root):  # where looking for more would take long
        return []
    folder = listed.root
    known = {os.path.normpath(folder / path) for path in named}
    count = sum(os.path.normpath(path) not in known for path in image_files(folder))
    if not count:
        return []
    reason = "Not listed in {name}, so not used: {count:image|images} in its folder."
    return [Skipped(".", reason, {"name": listed.source.name, "count": count})]


def _grouped(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with groups that share an image joined to one."""
    if not any(s.group for s in samples):
        return list(samples)
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for s in samples:
        first, second = (
            root(f"sha {s.identity}"),
            root(f"group {s.group}" if s.group else f"sha {s.identity}"),
        )
        parent[max(first, second)] = min(first, second)
    names: dict[str, set[str]] = defaultdict(set)
    for s in samples:
        names[root(f"sha {s.identity}")].add(s.group)
    joint = {place: min(some - {""}, default="") for place, some in names.items()}
    return [replace(s, group=joint[root(f"sha {s.identity}")]) for s in samples]
