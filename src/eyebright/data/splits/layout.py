"""Which folder holds which part: class folders alone, or train/, val/ and test/, or those the user names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eyebright.data.splits.parts import labelled_parts, training_parts
from eyebright.data.storage.places import resolved
from eyebright.data.walk import identity, require_folder
from eyebright.errors import DataError, NotFoundError
from eyebright.types import Skipped, Split

_DEFAULT_SHARE_VAL = 0.2


@dataclass(frozen=True)
class Layout:
    """Where each part lies, and the shares of the training folder that become parts of their own."""

    folders: dict[Split, Path]
    shares: dict[Split, float]
    notes: list[Skipped] = field(default_factory=list)


def find_layout(folder: Path, val: Path | float | None, test: Path | float | None) -> Layout:
    """Return the layout of ``folder``.

    It has parts if it holds a train folder, by any of its names, and nothing else, or beside val or test.
    What the user asks for with ``val`` and ``test`` replaces a part of the folder's own, with a note. Without
    any validation split, 0.2 of the training images become one.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: a path is no folder, a share is not between 0 and 1, or it is open which folders are the
            classes.
    """
    asked: dict[Split, Path | float | None] = {"val": val, "test": test}
    elsewhere = {identity(require_folder(wish)) for wish in asked.values() if isinstance(wish, Path)}
    folders, notes = training_parts(require_folder(folder), elsewhere)
    shares: dict[Split, float] = {}
    for split, wish in asked.items():
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
            folders[split] = resolved(wish)
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
    parts = labelled_parts(require_folder(folder))
    if wanted != "auto" and wanted not in parts:
        raise NotFoundError(
            "The data must contain the requested split. {path} has no {split}/ with class folders. "
            "Omit --split, or give the folder of that split.",
            path=folder,
            split=wanted,
        )
    order: tuple[Split, ...] = ("test", "val") if wanted == "auto" else (wanted,)
    return next(((parts[split], split) for split in order if split in parts), (folder, "test"))


def _share(split: Split, share: float) -> float:
    if not 0 < share < 1:
        raise DataError(
            "The share to hold out must be between 0 and 1. Got --{split} {share}. Use a value such "
            "as 0.2, or a folder.",
            split=split,
            share=share,
        )
    return float(share)
