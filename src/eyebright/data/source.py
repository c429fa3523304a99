"""Labelled images from wherever they come: class folders, or whatever lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from eyebright.data import folder as folders
from eyebright.data.checks import few_images, with_weight
from eyebright.data.fixes import Fixes
from eyebright.data.manifest import Manifest
from eyebright.data.sources.base import Source
from eyebright.data.sources.recognise import find_listing
from eyebright.data.splits.drawing import BY_CHANCE, Drawing
from eyebright.data.splits.layout import evaluation_part
from eyebright.data.storage.places import left_out
from eyebright.data.table.chosen import ANY_COLUMNS, BESIDE, ROLES, Columns
from eyebright.data.table.listed import ListedImages, read_listed
from eyebright.data.table.scan import scan_listed, scan_listed_part
from eyebright.data.texts import with_texts_beside
from eyebright.errors import DataError
from eyebright.runtime.context import progress
from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.types import Split

#: Columns of one meaning that are printed; the rest is counted.
_MOST_SHOWN = 10


def scan(
    data: Path,
    *,
    val: Path | float | None = None,
    test: Path | float | None = None,
    seed: int = 0,
    multilabel: bool = False,
    fixes: Fixes | None = None,
    columns: Columns = ANY_COLUMNS,
    drawing: Drawing = BY_CHANCE,
) -> Manifest:
    """Return the manifest to train on; see :func:`eyebright.data.folder.scan`.

    With ``multilabel``, a list is read as one for a multi-label model, even where each image has one label.
    ``fixes`` are applied before anything is held out, as ``drawing`` says. ``columns`` are those that the
    user names.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: there is nothing, or nothing sensible, to train on.
    """
    columns = replace(columns, needs_time=drawing.by == "time")
    place, source = _find(data, columns)
    if source is None:
        beside = _texts_beside(columns)
        drawing = replace(drawing, texts_beside=beside)
        manifest = folders.scan(place, val=val, test=test, seed=seed, fixes=fixes, drawing=drawing)
        manifest = replace(manifest, columns=Columns(text=(BESIDE,)) if beside else None)
    else:
        manifest = scan_listed(
            _listed(source, columns, multilabel), val=val, test=test, seed=seed, fixes=fixes, drawing=drawing
        )
    manifest = with_weight(_with_left_out(manifest, data))
    return replace(manifest, warnings=(*manifest.warnings, *few_images(manifest)))


def scan_as_given(
    data: Path,
    fixes: Fixes | None = None,
    columns: Columns = ANY_COLUMNS,
    *,
    multilabel: bool = False,
) -> tuple[Manifest, bool]:
    """Return every image with the split that the data gives it, and whether the data has splits of its own.

    Nothing is held out, and no copy is left out. With ``multilabel``, a table is read as one for a
    multi-label model, even where each image has one label.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: the data holds no images, or cannot be understood.
    """
    place, source = _find(data, columns)
    if source is None:
        manifest, given = folders.scan_as_given(place)
        manifest = _with_texts(manifest, columns)
    else:
        manifest, given = read_listed(_listed(source, columns, multilabel))
    manifest = _with_left_out(manifest, data)
    return (manifest if fixes is None else fixes.applied(manifest)), given


def scan_part(
    data: Path,
    wanted: Split | Literal["auto"],
    *,
    multilabel: bool = False,
    columns: Columns = ANY_COLUMNS,
) -> tuple[Manifest, Split]:
    """Return the images to evaluate on, and their split: "auto" is test, else validation, else all.

    With ``multilabel``, a list is read as one for a multi-label model, even where each image has one label.

    Raises:
        NotFoundError: the data does not exist, or has no such part.
        DataError: it holds no images.
    """
    place, source = _find(data, columns)
    if source is not None:
        part = None if wanted == "auto" else wanted
        manifest, split = scan_listed_part(_listed(source, columns, multilabel), part)
    else:
        where, split = evaluation_part(place, wanted)
        manifest = _with_texts(folders.scan_part(where, split), columns)
    return _with_left_out(manifest, data), split


def _find(data: Path, columns: Columns) -> tuple[Path, Source | None]:
    """Return where the data begins and what lists its images; named columns need such a list."""
    place, source = find_listing(data)
    if source is None and replace(columns, text=tuple(name for name in columns.text if name != BESIDE)):
        raise DataError(
            "Columns can be named only where a table lists the images. {path} has class folders. Do without "
            "{options}, or give the table as the data.",
            path=data,
            options=", ".join(f"--{role}" for role in ROLES if getattr(columns, role)),
        )
    return place, source


def _texts_beside(columns: Columns) -> bool:
    """Return whether texts lie beside the images of class folders, by the user or by an earlier run."""
    known = columns.text or (columns.remembered.text if columns.remembered else ())
    return BESIDE in known


def _with_texts(manifest: Manifest, columns: Columns) -> Manifest:
    """Return the manifest with the texts beside its images; those of an earlier run may have none here."""
    if not _texts_beside(columns):
        return manifest
    found = with_texts_beside(manifest, required=bool(columns.text))
    return replace(found, columns=Columns(text=(BESIDE,)))


def _listed(source: Source, columns: Columns, multilabel: bool) -> ListedImages:
    """Read a list, and say what its columns were taken for."""
    listed = source.read(columns, multilabel)
    if roles := listed.table.roles:
        head = translate("Columns of {path}:", path=source.name)
        progress().say(f"{head}\n{table(_role_rows(roles))}")
    return listed


def _role_rows(roles: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return a row for each column and what it was taken for; of very many alike, how many more there are."""
    counts: Counter[str] = Counter()
    rows = []
    for name, role in roles:
        counts[role] += 1
        if counts[role] <= _MOST_SHOWN:
            rows.append([f"  {printable(name)}", _in_words(role)])
    for role, count in counts.items():
        if (more := count - _MOST_SHOWN) > 0:
            words = translate("{count:more column|more columns}", count=more)
            rows.append([f"  {words}", _in_words(role)])
    return rows


def _in_words(role: str) -> str:
    match role:
        case "path":
            return translate("the images")
        case "label":
            return translate("the label")
        case "group":
            return translate("the group")
        case "split":
            return translate("the split")
        case "weight":
            return translate("the weight in training")
        case "time":
            return translate("the time")
        case "text":
            return translate("a text")
        case _:
            return translate("not used")


def _with_left_out(manifest: Manifest, data: Path) -> Manifest:
    """Return the manifest with what an archive holds that cannot be used."""
    return replace(manifest, skipped=(*manifest.skipped, *left_out(data)))
