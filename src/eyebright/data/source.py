"""Labelled images from wherever they come: a folder of class folders, or one with `labels.csv`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from eyebright.data import folder as folders
from eyebright.data.checks import few_images
from eyebright.data.layout import evaluation_part
from eyebright.data.manifest import Manifest
from eyebright.data.table import has_table, scan_table, scan_table_part
from eyebright.types import Split


def scan(
    data: Path, *, val: Path | float | None = None, test: Path | float | None = None, seed: int = 0
) -> Manifest:
    """Return the manifest to train on; see :func:`eyebright.data.folder.scan`.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: there is nothing, or nothing sensible, to train on.
    """
    read = scan_table if has_table(data) else folders.scan
    manifest = read(data, val=val, test=test, seed=seed)
    return replace(manifest, warnings=(*manifest.warnings, *few_images(manifest)))


def scan_part(
    data: Path,
    wanted: Split | Literal["auto"],
) -> tuple[Manifest, Split]:
    """Return the images to evaluate on, and their split: "auto" is test, else validation, else all.

    Raises:
        NotFoundError: the data does not exist, or has no such part.
        DataError: it holds no images.
    """
    if has_table(data):
        part = None if wanted == "auto" else wanted
        return scan_table_part(data, part)
    where, split = evaluation_part(data, wanted)
    return folders.scan_part(where, split), split
