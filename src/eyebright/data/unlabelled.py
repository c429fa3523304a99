"""Images without labels: every image below a folder, or all that a table names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from eyebright.data.contents import with_contents
from eyebright.data.folder import scan_ood
from eyebright.data.manifest import Manifest
from eyebright.data.storage.places import is_file, is_folder
from eyebright.data.table.columns import LabelTable, Row, find_path_column
from eyebright.data.table.listed import ListedImages, read_listed
from eyebright.data.table.read import SUFFIXES, read_table
from eyebright.errors import DataError, NotFoundError

#: Stands for the class of an image whose label, if it has one, is not looked at.
NO_LABEL = "-"


def scan_unlabelled(place: Path, path_column: str | None = None) -> Manifest:
    """Return every image of a folder, an archive or a table; splits and labels mean nothing.

    Args:
        place: a folder with class folders or without, or a table.
        path_column: that of a table which holds the paths; None to find it by its name.

    Raises:
        NotFoundError: it does not exist.
        DataError: it holds no images, or it is open where a table has the paths.
    """
    require_place(place)
    if is_folder(place):
        return scan_ood(place)
    table = read_table(place)
    name = path_column or find_path_column(table.header)
    if name not in table.header:
        raise DataError(
            "{path} must have a column named path with the image paths. Its columns are: {columns}. "
            "Name that column with --path, or rename it.",
            path=place,
            columns=", ".join(table.header),
        )
    cells = dict.fromkeys(table.column(table.header.index(name)))
    rows = tuple(Row(cell, NO_LABEL, None, "") for cell in cells if cell)
    found, _ = read_listed(ListedImages(place, place.parent, LabelTable(rows, None)))
    return found


def require_place(place: Path) -> None:
    """Refuse what is no folder, archive or table, before anything is computed.

    Raises:
        NotFoundError: it does not exist.
        DataError: it is another kind of file.
    """
    if is_folder(place):
        return
    if not is_file(place):
        raise NotFoundError(
            "The unlabelled images must be a folder or a table. {path} does not exist. Check the path.",
            path=place,
        )
    if place.suffix.lower() not in SUFFIXES:
        raise DataError(
            "The unlabelled images must be a folder, an archive or a table ({kinds}). {path} is none of "
            "them. Give the folder that holds the images.",
            kinds=", ".join(SUFFIXES),
            path=place,
        )


def distinct(unlabelled: Manifest, known: Manifest) -> tuple[Manifest, dict[str, str]]:
    """Return unlabelled images, each picture once, with the hashes of their pixels beside those of ``known``.

    Args:
        unlabelled: the images.
        known: labelled images, which may be the same pictures in other files.

    Returns:
        The images, and the identities of the labelled ones by their paths.
    """
    ours = [replace(s, path=str(known.root / s.path)) for s in known.samples]
    theirs = [replace(s, path=str(unlabelled.root / s.path)) for s in unlabelled.samples]
    samples, _ = with_contents(unlabelled.root, [*ours, *theirs])
    labelled, others = samples[: len(ours)], samples[len(ours) :]
    level = known.white_level
    identities = {before.path: s.identity for before, s in zip(known.samples, labelled, strict=True)}
    once: dict[str, int] = {}
    for place, sample in enumerate(others):
        once.setdefault(sample.identity, place)
    kept = tuple(
        replace(
            unlabelled.samples[place],
            content=others[place].content,
            white_level=unlabelled.samples[place].white_level and (level or others[place].white_level),
        )
        for place in once.values()
    )
    return replace(unlabelled, samples=kept), identities
