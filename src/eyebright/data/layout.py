"""Which folder holds which part: class folders alone, or train/, val/ and test/, or those the user names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from eyebright.data.walk import is_text, printable, subfolders
from eyebright.errors import DataError, NotFoundError
from eyebright.types import Skipped, Split

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Mapping[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_PART_OF = {word: split for split, words in _NAMES.items() for word in words}
_DEFAULT_SHARE_VAL = 0.2


@dataclass(frozen=True)
class Layout:
    """Where each part lies, and the shares of the training folder that become parts of their own."""

    folders: dict[Split, Path]
    shares: dict[Split, float]
    notes: list[Skipped] = field(default_factory=list)


def find_layout(folder: Path, val: Path | float | None, test: Path | float | None) -> Layout:
    """Return the layout of ``folder``.

    It has parts if it holds a train folder (any case) and nothing else, or beside val or test. What the user
    asks for with ``val`` and ``test`` replaces a part of the folder's own, with a note. Without any
    validation split, 0.2 of the training images become one.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: a path is no folder, a share is not between 0 and 1, or there are test and validation
            folders without one for training.
    """
    names = subfolders(require_folder(folder))
    folders, notes = _own_parts(folder, names)
    shares: dict[Split, float] = {}
    requested: dict[Split, Path | float | None] = {"val": val, "test": test}
    for split, wish in requested.items():
        if wish is None:
            continue
        if split in folders:
            notes.append(
                Skipped(
                    folders.pop(split).name,
                    "An option names another source for this split, so this folder was ignored.",
                )
            )
        if isinstance(wish, Path):
            folders[split] = require_folder(wish).resolve()
        else:
            shares[split] = _share(split, wish)
    if "val" not in folders:
        shares.setdefault("val", _DEFAULT_SHARE_VAL)
    return Layout(folders, shares, notes)


def evaluation_part(folder: Path, wanted: Split | Literal["auto"]) -> tuple[Path, Split]:
    """Return the folder of class folders to evaluate, and which split it is.

    Args:
        folder: of class folders, or with train/, val/ or test/ in it.
        wanted: a part, or "auto": test/, else val/, else the folder itself as a test split.

    Raises:
        NotFoundError: the folder does not exist, or has no such part.
    """
    parts: dict[Split, Path] = {}
    for name in subfolders(require_folder(folder)):
        if (split := _PART_OF.get(name.casefold())) and subfolders(folder / name):
            parts.setdefault(split, folder / name)
    if wanted != "auto" and wanted not in parts:
        raise NotFoundError(
            "The data must contain the requested split. {path} has no {split}/ with class folders. "
            "Omit --split, or give the folder of that split.",
            path=folder,
            split=wanted,
        )
    order: tuple[Split, ...] = ("test", "val") if wanted == "auto" else (wanted,)
    return next(((parts[split], split) for split in order if split in parts), (folder, "test"))


def require_folder(folder: Path) -> Path:
    """Return ``folder``, if it is one.

    Raises:
        NotFoundError: it does not exist.
        DataError: it is not a folder, or its path is not text, so that no table could name it.
    """
    if not is_text(str(folder.absolute())):
        raise DataError(
            "The data path must be valid UTF-8. {path} uses another encoding. Rename its folders.",
            path=printable(str(folder)),
        )
    if folder.is_dir():
        return folder
    if folder.exists():
        raise DataError(
            "The data must be a folder. {path} is a file. Give a folder with one subfolder for each class.",
            path=folder,
        )
    raise NotFoundError("The data folder must exist. {path} does not. Check the path.", path=folder)


def _own_parts(folder: Path, names: list[str]) -> tuple[dict[Split, Path], list[Skipped]]:
    parts: dict[Split, Path] = {}
    others = []
    for name in names:
        split = _PART_OF.get(name.casefold())
        if split is None or split in parts:
            others.append(name)
        else:
            parts[split] = folder / name
    if "train" not in parts:
        _refuse_lonely(parts)
        return {"train": folder}, []
    # Beside bus/ and car/, train/ is a class.
    if others and (len(parts) == 1 or not subfolders(parts["train"])):
        return {"train": folder}, []
    return parts, [
        Skipped(name, "Only val/ and test/ are read beside train/. This folder was ignored.")
        for name in others
    ]


def _refuse_lonely(parts: dict[Split, Path]) -> None:
    lonely = [path for path in parts.values() if subfolders(path)]
    if lonely:
        raise DataError(
            "A folder with val/ or test/ must also have train/. There is no train/ beside {path}. "
            "Move the other class folders into train/, or move this folder elsewhere and pass it "
            "with --val or --test.",
            path=lonely[0],
        )


def _share(split: Split, share: float) -> float:
    if not 0 < share < 1:
        raise DataError(
            "The share to hold out must be between 0 and 1. Got --{split} {share}. Use a value such "
            "as 0.2, or a folder.",
            split=split,
            share=share,
        )
    return float(share)
