"""A folder of images as a manifest: found, hashed, measured, split; all that was left out is listed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from eyebright.data.checks import conflicts, copies, leaks, require_classes
from eyebright.data.contents import with_contents
from eyebright.data.fixes import Fixes
from eyebright.data.header import Header
from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.passed_over import no_images, other_files
from eyebright.data.read_headers import read_headers
from eyebright.data.splits.drawing import BY_CHANCE, Drawing, draw
from eyebright.data.splits.layout import Layout, find_layout
from eyebright.data.splits.parts import SHOWN, classes_beside
from eyebright.data.storage.places import resolved
from eyebright.data.walk import (
    FolderListing,
    Identity,
    has_images,
    identity,
    list_images,
    printable,
    require_folder,
    subfolders,
)
from eyebright.errors import DataError, ImageError
from eyebright.runtime.compact.rows import compact, ordered
from eyebright.runtime.context import progress_task
from eyebright.runtime.progress import Task
from eyebright.text.format import listed
from eyebright.types import Skipped, Split


def scan(
    folder: Path,
    *,
    val: Path | float | None = None,
    test: Path | float | None = None,
    seed: int = 0,
    fixes: Fixes | None = None,
    drawing: Drawing = BY_CHANCE,
) -> Manifest:
    """Return the manifest to train on: every image under ``folder`` with its class and its split.

    The folder holds class folders, or train/, val/ (or valid/, validation/) and optionally test/. Files that
    cannot be used are listed with the reason. No image lies in two splits: our own split keeps copies
    together, and in the user's the copies are left out of training first, then of validation.

    Args:
        folder: the data.
        val: folder of the validation split, or the share of training images to hold out (default: val/ if
            there is one, else 0.2).
        test: the same for the test split (default: test/ if there is one, else none).
        seed: seed of the split.
        fixes: applied before anything is held out.
        drawing: how images are held out.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: there is nothing, or nothing sensible, to train on.
    """
    layout = find_layout(folder, val, test)
    listings = _list_parts(layout)
    counts = {split: Counter(label for label, _ in found.files) for split, found in listings.items()}
    where = layout.folders["train"]
    require_classes(counts, where)
    manifest = _read(folder, layout, listings)
    del listings  # of millions of files, memory is needed now
    if fixes is not None:
        manifest = fixes.applied(manifest)
    samples = manifest.samples
    manifest = manifest.without(leaks(samples))
    require_classes(_recount(manifest, counts), where, manifest.skipped)
    warnings = (*manifest.warnings, *conflicts(samples), *copies(manifest.samples))
    by_path = ordered(manifest.samples, "path")
    return draw(replace(manifest, samples=by_path, warnings=warnings), layout.shares, seed, drawing)


def scan_as_given(folder: Path) -> tuple[Manifest, bool]:
    """Return every image under ``folder`` in the part where it lies, and whether there is more than one part.

    Nothing is held out, and no copy is left out.

    Raises:
        NotFoundError: the folder does not exist.
        DataError: it holds no images in class folders, or it is open which folders are the classes.
    """
    layout = find_layout(folder, None, None)
    manifest = _read(folder, layout, _list_parts(layout))
    return replace(manifest, samples=ordered(manifest.samples, "path")), len(layout.folders) > 1


def scan_one_class(
    folder: Path, *, val: Path | float | None = None, test: Path | float | None = None
) -> tuple[Manifest, dict[Split, float]]:
    """Return every image under ``folder`` in the part where it lies, and the shares to hold out of it.

    Training images that lie in no class folder have an empty label. Nothing is required of the classes, and
    nothing is held out yet.

    Args:
        folder: the data, as for :func:`scan`.
        val: as for :func:`scan`.
        test: as for :func:`scan`.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: it holds no images, or it is open which folders are the classes.
    """
    layout = find_layout(folder, val, test)
    manifest = _read(folder, layout, _list_parts(layout, loose=True))
    return replace(manifest, samples=ordered(manifest.samples, "path")), layout.shares


def training_classes(folder: Path, val: Path | float | None, test: Path | float | None) -> list[str]:
    """Return the names of the class folders of the training split of ``folder``; see :func:`scan`.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: it is open which folders are the classes.
    """
    layout = find_layout(folder, val, test)
    train = layout.folders["train"]
    others = {identity(path) for split, path in layout.folders.items() if split != "train"}
    found = [name for name in subfolders(train) if identity(train / name) not in others]
    return [name for name in found if has_images(train / name)]


def _read(folder: Path, layout: Layout, listings: dict[Split, FolderListing]) -> Manifest:
    """Return the images that are listed, each in the part where it lies."""
    root = resolved(folder)
    skipped: list[Skipped] = []
    total = sum(len(listing.files) for listing in listings.values())

    def found(task: Task) -> Iterator[Sample]:
        for split, listing in listings.items():
            prefix = _prefix(layout.folders[split], root)
            skipped.extend(replace(s, path=prefix + s.path) for s in listing.skipped)
            for files, headers in read_headers(layout.folders[split], listing.files):
                yield from _collected(files, headers, split, prefix, skipped)
                task.advance(len(files))

    with progress_task("Reading images", total=total) as task:
        read = compact(found(task))
    samples, notes = with_contents(root, read)
    others = other_files(sum((found.others for found in listings.values()), Counter()))
    return Manifest(root, samples, tuple(skipped), (*layout.notes, *others, *notes))


def scan_part(
    folder: Path,
    split: Split = "test",
) -> Manifest:
    """Return every image under a folder of class folders, as one split; one class or one image is enough.

    Raises:
        NotFoundError: the folder does not exist.
        DataError: it is no folder, or holds no images in class folders.
    """
    listing = _list_part(require_folder(folder), set())
    skipped = list(listing.skipped)
    samples, _ = with_contents(folder, _read_part(folder, listing.files, split, skipped))
    warnings = other_files(listing.others) + conflicts(samples) + copies(samples)
    return Manifest(resolved(folder), samples, tuple(skipped), tuple(warnings))


def scan_ood(
    folder: Path,
) -> Manifest:
    """Return every image under a folder as one test split, whether it has class folders or not.

    Raises:
        NotFoundError: the folder does not exist.
        DataError: it is no folder, or holds no images.
    """
    listing = list_images(require_folder(folder), set())
    files = [*listing.files, *(("", name) for name in listing.loose)]
    if not files:
        raise no_images(folder, listing.others)
    skipped = list(listing.skipped)
    samples = _read_part(folder, files, "test", skipped)
    return Manifest(resolved(folder), samples, tuple(skipped))


def _read_part(
    folder: Path, files: Sequence[tuple[str, str]], split: Split, skipped: list[Skipped]
) -> Sequence[Sample]:
    """Return the images of one split that can be read; ``skipped`` gets the others."""

    def found(task: Task) -> Iterator[Sample]:
        for some, headers in read_headers(folder, files):
            yield from _collected(some, headers, split, "", skipped)
            task.advance(len(some))

    with progress_task("Reading images", total=len(files)) as task:
        return compact(found(task))


def _list_parts(layout: Layout, *, loose: bool = False) -> dict[Split, FolderListing]:
    # Training last: a validation folder inside the data's folder is then no class of it.
    seen: set[Identity] = set()
    found = {}
    for split in reversed(SPLITS):
        if split in layout.folders:
            if identity(layout.folders[split]) in seen:
                raise DataError(
                    "Each split must have its own folder. {path} was given for two splits. Give "
                    "another folder, or a share such as 0.2.",
                    path=layout.folders[split],
                )
            found[split] = _list_part(layout.folders[split], seen, loose=loose and split == "train")
    return found


def _list_part(folder: Path, seen: set[Identity], *, loose: bool = False) -> FolderListing:
    """Return the images of a part by their class folders; with ``loose`` also those in none."""
    elsewhere = set(seen)
    listing = list_images(folder, seen)
    if loose:
        listing.files += [("", name) for name in listing.loose]
        listing.loose = []
    if not listing.files:
        raise _no_classes(folder, listing)
    listing.skipped += [
        Skipped(name, "The image is not in a class folder. Move it into one.") for name in listing.loose
    ]
    named = {label for label, _ in listing.files} | {s.path for s in listing.skipped}
    listing.skipped += [
        Skipped(name, "This folder contains no images, so it is not a class of the model.")
        for name in subfolders(folder)
        if printable(name) not in named and identity(folder / name) not in elsewhere
    ]
    return listing


def _no_classes(folder: Path, listing: FolderListing) -> DataError:
    """Return why there is no image in a class folder."""
    if not listing.loose:
        return no_images(folder, listing.others)
    if beside := classes_beside(folder):
        return DataError(
            "Images must be in one folder per class. {path} contains {count:image|images} and no "
            "class folder. If it is a class itself, like the folders beside it ({beside}), use {parent}. If "
            "all show good parts, use --task anomaly.",
            path=folder,
            count=len(listing.loose),
            beside=listed(sorted(beside), SHOWN),
            parent=folder.resolve().parent,
        )
    return DataError(
        "Images must be in one folder per class. {path} contains {count:image|images} and no "
        "class folder. Create a folder for each class, and move the images into them. If all show good "
        "parts, use --task anomaly.",
        path=folder,
        count=len(listing.loose),
    )


def _collected(
    files: Sequence[tuple[str, str]],
    headers: Sequence[Header | ImageError],
    split: Split,
    prefix: str,
    skipped: list[Skipped],
) -> Iterator[Sample]:
    """Yield the samples of files that could be read; ``skipped`` gets the others."""
    for (label, path), header in zip(files, headers, strict=True):
        if isinstance(header, ImageError):
            skipped.append(Skipped(prefix + path, header.template, header.values))
        else:
            yield Sample(
                prefix + path,
                label,
                split,
                header.sha,
                header.width,
                header.height,
                white_level=header.white_level,
                content=header.content,
            )


def _recount(manifest: Manifest, before: dict[Split, Counter[str]]) -> dict[Split, dict[str, int]]:
    found = manifest.tally
    return {split: {label: found[split][label] for label in before.get(split, ())} for split in SPLITS}


def _prefix(folder: Path, root: Path) -> str:
    """Return the prefix of a split's paths: nothing, its folder below the root, or its absolute path."""
    real = Path(os.path.abspath(folder))
    for base, place in ((root, real), (root, resolved(real))):
        if place.is_relative_to(base):
            inside = place.relative_to(base).as_posix()
            return "" if inside == "." else f"{inside}/"
    return f"{real.as_posix()}/"
