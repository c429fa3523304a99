"""Images with what annotation tools say of them, brought to the shape of a table."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from eyebright.data.checks import naming
from eyebright.data.storage.places import is_file, is_folder, is_remote
from eyebright.data.table.cells import table_of
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.listed import ListedImages
from eyebright.errors import DataError
from eyebright.types import Skipped, Split

#: Names of columns that stand for what a file of annotations says.
PATH, LABELS, SPLIT = "image", "labels", "split"
_LOOKED_AT = 20
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


@dataclass
class Annotations:
    """What one file of annotations says.

    Attributes:
        path: of that file.
        images: the names of the images, as the file has them.
        labels: of each image, any number.
        splits: of each image, where the file says so.
        skipped: images that cannot be used, and why.
        further: other columns, by their names.
    """

    path: Path
    images: list[str] = field(default_factory=list)
    labels: list[Sequence[str]] = field(default_factory=list)
    splits: list[Split | None] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    further: dict[str, list[str]] = field(default_factory=dict)


def listed_images(
    source: Path, root: Path, files: Sequence[Annotations], chosen: Columns, *, multilabel: bool
) -> ListedImages:
    """Return the images of one or several files of annotations as those of one table.

    Args:
        source: for the sentences.
        root: the data's folder; the images are looked for in the usual places around each file.
        files: what they say.
        chosen: columns that the user names.
        multilabel: see `find_meaning`.

    Raises:
        DataError: no image is annotated, or it is open what the labels are.
    """
    columns: dict[str, list[str]] = {PATH: [], LABELS: [], SPLIT: []}
    further = dict.fromkeys(name for one in files for name in one.further if name not in (PATH, LABELS))
    skipped: list[Skipped] = []
    for one in files:
        columns[PATH] += _found(one, root)
        columns[LABELS] += [json.dumps(sorted(set(some)), ensure_ascii=False) for some in one.labels]
        given = [split or "" for split in one.splits]
        columns[SPLIT] += given if any(given) else one.further.get(SPLIT, given)
        for name in further:
            if name != SPLIT:
                columns.setdefault(name, [])
                columns[name] += one.further.get(name, [""] * len(one.images))
        skipped += one.skipped
    if not all(columns[SPLIT]):
        del columns[SPLIT]
    if not columns[PATH]:
        error = DataError(
            "There must be annotated images. {path} has none that can be used. Annotate some.", path=source
        )
        raise naming(error, skipped)
    wanted = replace(chosen, path=PATH, label=(LABELS,))
    meant = find_meaning(table_of(source, columns), multilabel=multilabel, chosen=wanted)
    return ListedImages(source, root, meant, tuple(skipped))


def _found(annotations: Annotations, root: Path) -> list[str]:
    """Return the paths of the images relative to the root, in the folder where most of the first ones lie.

    Tools know images by paths of their own: those of another machine, a web server or an upload, which puts
    eight digits before the name. What is left of a path when its first folders are taken away is tried too.
    """
    beside = annotations.path.parent
    inner = [split for split in dict.fromkeys(annotations.splits) if split]
    stem = annotations.path.stem
    tops = [beside, beside / "images", beside.parent, beside.parent / "images"]
    places = [*tops, *(top / name for top in tops for name in (stem.rpartition("_")[2], stem, *inner))]
    places = [place for place in dict.fromkeys(places) if place.is_relative_to(root) and is_folder(place)]
    first = [name.replace("\\", "/") for name in annotations.images[:_LOOKED_AT]]
    forms = [
        _Form(place, less, uploaded)
        for uploaded in (False, True)
        for less in range(1 + max((name.count("/") for name in first), default=0))
        for place in places
    ]

    def hits(form: _Form) -> int:
        paths = [form.path(root, name) for name in first]
        return sum(not is_remote(path) and is_file(root / path) for path in paths)

    best = max(forms, key=hits, default=None)
    return (
        list(annotations.images) if best is None else [best.path(root, name) for name in annotations.images]
    )


@dataclass(frozen=True)
class _Form:
    """Where an image may lie: below a folder, by its path less its first parts or the digits of an upload."""

    place: Path
    less: int
    uploaded: bool

    def path(self, root: Path, name: str) -> str:
        parts = name.replace("\\", "/").split("/")
        parts = parts[min(self.less, len(parts) - 1) :]
        if self.uploaded:
            parts[-1] = _UPLOADED.sub("", parts[-1])
        if parts[0] == "":  # an absolute path
            return "/".join(parts)
        folder = self.place.relative_to(root).as_posix()
        return "/".join(parts if folder == "." else [folder, *parts])
