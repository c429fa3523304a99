"""Files of annotations around the images: of which tool they are, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eyebright.data.sources import coco, cvat, label_studio
from eyebright.data.sources.annotated import Annotations, listed_images
from eyebright.data.sources.base import Source, names_in, which_list
from eyebright.data.splits.names import named_split
from eyebright.data.storage.places import open_binary
from eyebright.data.table.chosen import Columns
from eyebright.data.table.listed import ListedImages
from eyebright.errors import DataError
from eyebright.runtime.stored import MOST_TEXT_BYTES, reason_of

#: Folders that hold annotations of images that lie beside them.
ANNOTATION_FOLDERS = ("annotations", "labels")
_HEAD_BYTES = 2**16


def annotation_files(folder: Path, files: Sequence[str], folders: Sequence[str]) -> list[Path]:
    """Return files that may be annotations: in the folder, in one of a split, or in `annotations/`."""
    found = [folder / name for name in files if name.lower().endswith((".json", ".xml"))]
    for inner in folders:
        if inner.lower() in ANNOTATION_FOLDERS or named_split(inner):
            names = [name for name in names_in(folder / inner)[0] if name.lower().endswith((".json", ".xml"))]
            # A file for each image is something else.
            found += [folder / inner / name for name in names] if len(names) <= 10 else []
    return found


def annotated_source(root: Path, files: Sequence[Path]) -> Source | None:
    """Return annotations of one kind as one source, if there are any; of several files each must be a split.

    Raises:
        DataError: there are annotations of several kinds.
    """
    kinds: dict[str, list[Path]] = {}
    for path in files:
        if kind := _kind(_head(path)):
            kinds.setdefault(kind, []).append(path)
    if not kinds:
        return None
    (kind, paths), *others = kinds.items()
    if others:
        every = [path.relative_to(root).as_posix() for some in kinds.values() for path in some]
        raise which_list(root, every)

    def read(columns: Columns, multilabel: bool) -> ListedImages:
        parts = [_read(kind, path, columns) for path in paths]
        splits = [set(one.splits) for one in parts]
        if len(parts) > 1 and (any(None in some for some in splits) or len(set.union(*splits)) < len(parts)):
            raise DataError(
                "Of several files of annotations, each must be named like its split. {path} holds {names}. "
                "Give one of them as the data.",
                path=root,
                names=", ".join(path.relative_to(root).as_posix() for path in paths),
            )
        if len(parts) == 1:  # of one file, the split that its name says is no split
            parts[0].splits = [None] * len(parts[0].images) if len(splits[0]) < 2 else parts[0].splits
        source = paths[0] if len(paths) == 1 else root
        return listed_images(source, root, parts, columns, multilabel=multilabel)

    return Source(paths[0].relative_to(root).as_posix(), read)


def _kind(head: bytes) -> str:
    if coco.is_coco(head):
        return "coco"
    if label_studio.is_label_studio(head):
        return "label_studio"
    return "cvat" if cvat.is_cvat(head) else ""


def _read(kind: str, path: Path, columns: Columns) -> Annotations:
    text = _text(path)
    if kind == "coco":
        return coco.read_coco(path, text)
    if kind == "label_studio":
        return label_studio.read_label_studio(path, text, columns)
    return cvat.read_cvat(path, text)


def _text(path: Path) -> bytes:
    try:
        with open_binary(path) as file:
            text = file.read(MOST_TEXT_BYTES + 1)
    except OSError as error:
        raise DataError(
            "Annotations must be readable. {path} is not ({reason}). Check its permissions.",
            path=path,
            reason=reason_of(error),
        ) from None
    if len(text) > MOST_TEXT_BYTES:
        raise DataError(
            "Annotations must have at most {most} MB. {path} has more. Convert them to a table.",
            most=MOST_TEXT_BYTES >> 20,
            path=path,
        )
    return text


def _head(path: Path) -> bytes:
    """Return where a file of annotations has its keys: its beginning, but all of JSON."""
    try:
        with open_binary(path) as file:
            return file.read(MOST_TEXT_BYTES) if path.suffix.lower() == ".json" else file.read(_HEAD_BYTES)
    except OSError:
        return b""
