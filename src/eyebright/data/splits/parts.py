"""Which folders of a folder are splits, which are classes, and where that is open: then it is asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.data.splits.names import is_no_class, named_split, numbered_splits
from eyebright.data.storage.places import scandir
from eyebright.data.walk import Identity, has_images, identity, image_files, is_text, subfolders
from eyebright.errors import DataError
from eyebright.text.format import listed
from eyebright.types import Skipped, Split

SHOWN = 4
_YEAR = re.compile(r"(19|20)\d\d(\D|$)")


@dataclass(frozen=True)
class _Inside:
    """What a folder with images holds.

    Attributes:
        images: whether some lie directly in it.
        folders: its folders with images; not looked for where they do not matter.
    """

    images: bool
    folders: tuple[str, ...]


def labelled_parts(folder: Path) -> dict[Split, Path]:
    """Return the folders in ``folder`` that are named like a split and have class folders.

    Raises:
        DataError: two are named like the same split.
    """
    found = _look(folder, set())
    train = {name for name in found if named_split(name) == "train"}
    classes = {label for name in train for label in found[name].folders}
    return _as_parts(folder, [name for name in found if not _lacks_classes(found[name], classes)])


def training_parts(folder: Path, elsewhere: Collection[Identity]) -> tuple[dict[Split, Path], list[Skipped]]:
    """Return the splits in ``folder``, which is itself the training split where it holds the classes.

    Args:
        folder: the data.
        elsewhere: folders in it that are used otherwise.

    Returns:
        The folder of each split, and notes on folders that were left out.

    Raises:
        DataError: it is open which of its folders are splits and which are classes.
    """
    found = _look(folder, elsewhere)
    named = {name: inside for name, inside in found.items() if named_split(name)}
    others = [name for name in found if name not in named]
    train = [name for name in named if named_split(name) == "train"]
    _refuse_table(folder, found)
    flat_train = all(not found[name].folders for name in train)
    if not train:
        _refuse_lonely(folder, named, others)
        _require_classes_on_top(folder, found)
        return {"train": folder}, []
    if others and flat_train and len(named) == 1:  # beside bus/ and car/, train/ is a class
        return {"train": folder}, []
    classes = {label for name in train for label in found[name].folders}
    if others and (len(named) == 1 or any(not classes.isdisjoint(found[name].folders) for name in others)):
        raise DataError(
            "Beside train/ there must be nothing but val/ and test/. {path} also holds {others}. If "
            "these are splits, name them val and test; if {train} is a class like them, move all "
            "class folders into a folder train/; else move them elsewhere.",
            path=folder,
            others=listed(sorted(others), SHOWN),
            train=train[0],
        )
    return _with_train(folder, found, train[0], others)


def _with_train(
    folder: Path, found: dict[str, _Inside], train: str, others: Sequence[str]
) -> tuple[dict[Split, Path], list[Skipped]]:
    classes = set(found[train].folders)
    _require_several(folder / train, found[train])
    notes = [
        Skipped(name, "Only val/ and test/ are read beside train/. This folder was ignored.")
        for name in others
    ]
    parts = {}
    for name, inside in found.items():
        if named_split(name) is None:
            continue
        if name != train and classes and _lacks_classes(inside, classes):
            count = sum(1 for _ in image_files(folder / name))
            reason = (
                "{count:image|images} without class folders, so this split was ignored. `eyebright predict` "
                "labels such images; to hold out labelled ones, use --val or --test."
            )
            notes.append(Skipped(name, reason, {"count": count}))
        else:
            parts[name] = inside
    return _as_parts(folder, parts), notes


def _lacks_classes(inside: _Inside, classes: Collection[str]) -> bool:
    """Return whether the images of a split have no classes.

    Loaders that need a class folder make people put images without classes into a single one.
    """
    placeholder = len(inside.folders) == 1 and is_no_class(inside.folders[0])
    return not inside.folders or (placeholder and bool(classes) and inside.folders[0] not in classes)


def _as_parts(folder: Path, names: Collection[str]) -> dict[Split, Path]:
    parts: dict[Split, Path] = {}
    for name in names:
        split = named_split(name)
        if split is None:
            continue
        if split in parts:
            raise DataError(
                "Each split must have one folder. In {path}, {first} and {second} are both named "
                "like {split}. Merge them, or move one elsewhere.",
                path=folder,
                first=parts[split].name,
                second=name,
                split=split,
            )
        parts[split] = folder / name
    return parts


def _look(folder: Path, elsewhere: Collection[Identity]) -> dict[str, _Inside]:
    """Return what the folders with images in ``folder`` hold."""
    found = {}
    for name in subfolders(folder):
        path = folder / name
        if not is_text(name) or identity(path) in elsewhere:
            continue
        images = has_images(path, deep=False)
        if not images and not has_images(path):
            continue
        # Of class folders there may be thousands, with many files each.
        inner = () if images and named_split(name) is None else _folders_with_images(path)
        found[name] = _Inside(images, inner)
    return found


def _folders_with_images(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in subfolders(folder) if has_images(folder / name))


def _refuse_lonely(folder: Path, named: dict[str, _Inside], others: Sequence[str]) -> None:
    """Refuse val/ or test/ without train/."""
    for name, inside in named.items():
        if inside.folders:
            raise DataError(
                "A folder with val/ or test/ must also have train/. There is no train/ beside {path}. "
                "Move the other class folders into train/, or move this folder elsewhere and pass it "
                "with --val or --test.",
                path=folder / name,
            )
        if others and named_split(name) == "test":  # nobody validates without classes: valid/ beside invalid/
            raise DataError(
                "Splits must contain class folders. {path} has none, and lies beside the class "
                "folders {others}. If it is a class, move all class folders into a folder train/; if "
                "its images have no classes, move it elsewhere.",
                path=folder / name,
                others=listed(sorted(others), SHOWN),
            )


def _require_classes_on_top(folder: Path, found: dict[str, _Inside]) -> None:
    """Refuse folders that are rather splits, folds or sites, each with the classes in it."""
    nested = {name: inside.folders for name, inside in found.items() if not inside.images}
    if len(found) == 1:
        _require_several(folder, _Inside(False, tuple(found)))
    if numbered_splits(list(found)):
        raise DataError(
            "The folders in the data folder must be classes or splits. In {path}, the names {names} "
            "are those of folds or batches. Merge them, or name them train, val and test; if they "
            "are classes, move them into a folder train/.",
            path=folder,
            names=listed(sorted(found), SHOWN),
        )
    counts = Counter(name for inner in nested.values() for name in inner)
    shared = sorted(name for name, count in counts.items() if count > 1)
    if 2 * len(nested) <= len(found) or not shared or 2 * len(shared) < len(counts):
        return
    if all(map(named_split, shared)):
        raise DataError(
            "Splits must contain the classes. In {path}, the folders {outer} contain {inner}. Move "
            "the images, as in {example}.",
            path=folder,
            outer=listed(sorted(nested), SHOWN),
            inner=listed(sorted(shared), SHOWN),
            example=f"{shared[0]}/{next(iter(nested))}",
        )
    if len(shared) > 1 and not all(map(_YEAR.match, shared)):
        raise DataError(
            "It must be clear which folders are the classes. In {path}, the folders {outer} contain "
            "folders of the same names: {inner}. If {first} is a class, name the folders above "
            "train, val and test, or merge them; if {second} is a class, move all class folders into "
            "a folder train/.",
            path=folder,
            outer=listed(sorted(nested), SHOWN),
            inner=listed(sorted(shared), SHOWN),
            first=shared[0],
            second=next(iter(nested)),
        )


def _require_several(folder: Path, inside: _Inside) -> None:
    """Refuse a folder whose only folder holds folders: the classes, or splits, are one level further down."""
    if inside.images or len(inside.folders) != 1:
        return
    deeper = folder / inside.folders[0]
    inner = () if has_images(deeper, deep=False) else _folders_with_images(deeper)
    if inner:
        raise DataError(
            "The folders directly in the data folder must be the classes, or train/, val/ and test/. {path} "
            "holds only {name}, which holds {inner}. Give {deeper}, or move these folders up.",
            path=folder,
            name=deeper.name,
            inner=listed(sorted(inner), SHOWN),
            deeper=deeper,
        )


def _refuse_table(folder: Path, found: Mapping[str, _Inside]) -> None:
    """Refuse folders that say nothing of classes beside a table that may."""
    silent = len(found) < 2 or numbered_splits(list(found)) or all(map(named_split, found))
    if not silent or any(inside.folders for inside in found.values()):
        return
    with scandir(folder) as entries:
        tables = sorted(e.name for e in entries if e.name.lower().endswith((".csv", ".tsv")))
    if tables:
        raise DataError(
            "The classes must be the names of folders, or be listed in a table. {path} has no class folders, "
            "but {table}. If this table lists images and their labels, give it as the data: {table}.",
            path=folder,
            table=folder / tables[0],
        )


def classes_beside(folder: Path) -> list[str]:
    """Return the names of the folders beside ``folder`` that look like classes, as it does."""
    parent = folder.resolve().parent
    try:
        names = [name for name in subfolders(parent) if has_images(parent / name, deep=False)]
    except DataError:  # what lies above need not be readable
        return []
    return [] if any(map(named_split, names)) else [name for name in names if name != folder.resolve().name]
