"""A folder with `labels.csv` as a manifest: the table says which image has which labels."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from eyebright.data.checks import conflicts, copies, leaks, naming, require_classes, require_labels
from eyebright.data.contents import with_contents
from eyebright.data.fixes import Fixes
from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.read_headers import read_headers
from eyebright.data.splits.drawing import BY_CHANCE, Drawing, draw
from eyebright.data.table.columns import LabelTable, Row, find_meaning
from eyebright.data.table.delimited import read_delimited
from eyebright.data.table.paths import ImagePaths
from eyebright.data.walk import image_files, require_folder
from eyebright.errors import DataError, ImageError, NotFoundError
from eyebright.runtime.context import progress_task
from eyebright.types import Skipped, Split

NAME = "labels.csv"
_SHARE_VAL = 0.2
# With so many of its images listed under several labels, a table is one of a line for each label.
_CONTRADICTIONS = 0.1


def has_table(folder: Path) -> bool:
    """Return whether ``folder`` holds the table that says what its images are, or a pipe of its name."""
    path = folder / NAME
    return os.path.lexists(path) and not os.path.isdir(path)


def scan_table(
    folder: Path,
    *,
    val: Path | float | None = None,
    test: Path | float | None = None,
    seed: int = 0,
    multilabel: bool = False,
    fixes: Fixes | None = None,
    drawing: Drawing = BY_CHANCE,
) -> Manifest:
    """Return the manifest to train on: every image that the table names and that can be read.

    Args:
        folder: holds the table, and the images where it says.
        val: share of the images to hold out for validation, where the table has no parts (default: 0.2).
        test: the same for the test split (default: none).
        seed: of the split.
        multilabel: whether a multi-label model is to understand the table.
        fixes: applied before anything is held out.
        drawing: how images are held out.

    Raises:
        DataError: the table cannot be used, or leaves nothing sensible to train on.
    """
    manifest, given = _read(folder, multilabel)
    if isinstance(val, Path) or isinstance(test, Path) or (given and (val or test)):
        raise DataError(
            "With {name}, the splits come from its split column, or from shares if it has none. Got "
            "--val or --test. Remove them, or delete the column and give shares such as 0.2.",
            name=NAME,
        )
    if fixes is not None:
        manifest = fixes.applied(manifest)
    manifest = manifest.without(leaks(manifest.samples)) if given else manifest
    few = _require(manifest, folder)
    warnings = (*manifest.warnings, *few, *conflicts(manifest.samples), *copies(manifest.samples))
    shares: dict[Split, float] = {}
    if not manifest.of("val"):
        shares = {"val": _SHARE_VAL if val is None else val, "test": test or 0.0}
    manifest = draw(replace(manifest, warnings=warnings), shares, seed, drawing)
    if drawing.by != "folds":
        _require_groups(manifest, folder)
    return manifest


def scan_table_as_given(folder: Path, multilabel: bool = False) -> tuple[Manifest, bool]:
    """Return every image of the table, nothing held out, and whether the table names splits.

    Args:
        folder: holds the table.
        multilabel: whether a multi-label model is to understand the table.

    Raises:
        DataError: the table cannot be used.
    """
    return _read(folder, multilabel)


def scan_table_part(
    folder: Path, wanted: Split | None, *, multilabel: bool = False
) -> tuple[Manifest, Split]:
    """Return the images of one split, and which that is: the requested one, else test, validation or all.

    Raises:
        NotFoundError: the table has no images of that part.
        DataError: the table cannot be used.
    """
    manifest, given = _read(folder, multilabel)
    there: list[Split] = ["test", "val"] if given else []
    there = [split for split in there if manifest.of(split)]
    if wanted is not None and (not given or not manifest.of(wanted)):
        raise NotFoundError(
            "The data must contain the requested split. {path} lists no readable {split} image. Omit "
            "--split, or correct the column split.",
            path=folder / NAME,
            split=wanted,
        )
    part: Split = wanted or (there[0] if there else "test")
    taken = (s for s in manifest.samples if s.split == part or not (wanted or there))
    samples = tuple(replace(s, split=part) for s in taken)
    warnings = (*manifest.warnings, *conflicts(samples), *copies(samples))
    return replace(manifest, samples=samples, warnings=warnings), part


def _read(folder: Path, multilabel: bool) -> tuple[Manifest, bool]:
    """Return all images of the table, without a split as training images, and whether it names splits."""
    table = find_meaning(read_delimited(require_folder(folder) / NAME), multilabel=multilabel)
    skipped: list[Skipped] = []
    named: set[str] = set()
    rows = _usable(folder, table, skipped, named)
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
                    )
                )
            task.advance(len(some))
    if not samples:
        raise naming(_nothing_usable(folder, table, skipped), skipped)
    samples, found = with_contents(folder, samples)
    ordered = sorted(_grouped(samples), key=lambda s: s.path)
    notes = (*table.notes, *_unnamed(folder, named), *found)
    manifest = Manifest(folder.resolve(), tuple(ordered), tuple(skipped), notes, table.label_set)
    return manifest, any(row.split for row in table.rows)


def _usable(folder: Path, table: LabelTable, skipped: list[Skipped], named: set[str]) -> dict[str, Row]:
    """Return the rows by the paths of their images; ``named`` gets the paths of all files that rows name.

    Those of no image, or of one that came before, are skipped.

    Raises:
        DataError: many images are listed with different labels.
    """
    paths = ImagePaths(folder)
    found: dict[str, Row] = {}
    rivals: dict[str, str] = {}
    for row in table.rows:
        path = paths.find(row.path)
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
            table=folder / NAME,
            count=len(rivals),
            path=path,
            first=found[path].label or "-",
            other=other or "-",
        )
    return found


def _nothing_usable(folder: Path, table: LabelTable, skipped: Sequence[Skipped]) -> DataError:
    """Return why no row of the table can be used."""
    if table.label_set is None and not any(row.label for row in table.rows):
        return DataError(
            "A table must give labels. In {path}, the label of all {count:row|rows} is empty. Fill in the "
            "labels; `eyebright predict` needs none.",
            path=folder / NAME,
            count=len(table.rows),
        )
    first = table.rows[0].path
    if (elsewhere := ImagePaths(folder).elsewhere(first)) is not None:
        return DataError(
            "Paths in a table must be relative to its folder. {path} lists {first}, which is not there, but "
            "{elsewhere} is. Correct the paths.",
            path=folder / NAME,
            first=first,
            elsewhere=elsewhere,
        )
    return DataError(
        "The table must list readable images. None of the images in {path} ({count}) can be "
        "read. Paths are relative to its folder; the first is {first}. Correct the paths.",
        count=len(table.rows),
        path=folder / NAME,
        first=first or "-",
    )


def _unnamed(folder: Path, named: Iterable[str]) -> list[Skipped]:
    """Return a note on images, in class folders perhaps, that no row of the table names."""
    known = {os.path.normpath(folder / path) for path in named}
    count = sum(os.path.normpath(path) not in known for path in image_files(folder))
    if not count:
        return []
    reason = "Not listed in {name}, so not used: {count:image|images} in its folder."
    return [Skipped(".", reason, {"name": NAME, "count": count})]


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


def _require(manifest: Manifest, folder: Path) -> Sequence[Skipped]:
    if manifest.label_set is not None:
        return require_labels([s.labels for s in manifest.of("train")], manifest.label_set, folder / NAME)
    counts = {split: Counter(s.label for s in manifest.of(split)) for split in SPLITS}
    require_classes(counts, folder / NAME, manifest.skipped)
    return []


def _require_groups(manifest: Manifest, folder: Path) -> None:
    """Refuse groups of which none could be held out, from training or within it."""
    counts = {split: len({s.together for s in manifest.of(split)}) for split in SPLITS}
    if counts["train"] < 2 or not counts["val"]:
        raise DataError(
            "Images of one group stay together, so there must be at least 2 groups for training and 1 for "
            "validation. {path} leaves {train} for training and {val} for validation. Correct the column "
            "group, or remove it.",
            path=folder / NAME,
            train=counts["train"],
            val=counts["val"],
        )
