"""Labelled images from wherever they come: a folder of class folders, or one with `labels.csv`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from eyebright.data import folder as folders
from eyebright.data.checks import few_images
from eyebright.data.fixes import Fixes
from eyebright.data.manifest import Manifest
from eyebright.data.splits.drawing import BY_CHANCE, Drawing
from eyebright.data.splits.layout import evaluation_part
from eyebright.data.table.scan import has_table, scan_table, scan_table_as_given, scan_table_part
from eyebright.types import Split


def scan(
    data: Path,
    *,
    val: Path | float | None = None,
    test: Path | float | None = None,
    seed: int = 0,
    multilabel: bool = False,
    fixes: Fixes | None = None,
    drawing: Drawing = BY_CHANCE,
) -> Manifest:
    """Return the manifest to train on; see :func:`eyebright.data.folder.scan`.

    With ``multilabel``, a table is read as one for a multi-label model, even where each image has one label.
    ``fixes`` are applied before anything is held out, as ``drawing`` says.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: there is nothing, or nothing sensible, to train on.
    """
    if has_table(data):
        manifest = scan_table(
            data, val=val, test=test, seed=seed, multilabel=multilabel, fixes=fixes, drawing=drawing
        )
    else:
        manifest = folders.scan(data, val=val, test=test, seed=seed, fixes=fixes, drawing=drawing)
    return replace(manifest, warnings=(*manifest.warnings, *few_images(manifest)))


def scan_as_given(
    data: Path, fixes: Fixes | None = None, *, multilabel: bool = False
) -> tuple[Manifest, bool]:
    """Return every image with the split that the data gives it, and whether the data has splits of its own.

    Nothing is held out, and no copy is left out. With ``multilabel``, a table is read as one for a
    multi-label model, even where each image has one label.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: the data holds no images, or cannot be understood.
    """
    if has_table(data):
        manifest, given = scan_table_as_given(data, multilabel)
    else:
        manifest, given = folders.scan_as_given(data)
    return (manifest if fixes is None else fixes.applied(manifest)), given


def scan_part(
    data: Path, wanted: Split | Literal["auto"], *, multilabel: bool = False
) -> tuple[Manifest, Split]:
    """Return the images to evaluate on, and their split: "auto" is test, else validation, else all.

    With ``multilabel``, a table is read as one for a multi-label model, even where each image has one label.

    Raises:
        NotFoundError: the data does not exist, or has no such part.
        DataError: it holds no images.
    """
    if has_table(data):
        part = None if wanted == "auto" else wanted
        return scan_table_part(data, part, multilabel=multilabel)
    where, split = evaluation_part(data, wanted)
    return folders.scan_part(where, split), split
