"""The names that people give to splits: of folders, and in the column of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from eyebright.types import Split

_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "训练", "训练集"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "validating", "dev", "development", "验证", "验证集"),
        "val",
    ),
    **dict.fromkeys(("test", "tests", "testing", "tst", "测试", "测试集"), "test"),
}
# What stands beside those words and says nothing: seg_train, train_images, TestSet, val_split.
_IMAGES = frozenset(["image", "images", "img", "imgs", "photo", "photos"])
_FILLING = _IMAGES | {"set", "sets", "split", "data", "dataset", "seg", "part", "folder"}
_EMPTY = frozenset(["unknown", "unlabelled", "unlabeled", "unlabel", "all", "none", "dummy"])
_NUMBERED = frozenset(["fold", "split", "part", "batch", "subset", "chunk", "shard"])
_YEAR = re.compile(r"(19|20)\d\d")
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def named_split(name: str) -> Split | None:
    """Return the split that a name stands for, such as `test` for `Test_Images`; None of any other name."""
    if word := _WORDS.get(name.strip().casefold()):
        return word
    pieces = [_without_set(piece) for piece in _pieces(name)]
    telling = [piece for piece in pieces if piece not in _FILLING and not _YEAR.fullmatch(piece)]
    return _WORDS.get(telling[0]) if len(telling) == 1 else None


def is_no_class(name: str) -> bool:
    """Return whether a name says nothing of what images show: `images`, `test`, `unlabelled_data`."""
    return all(
        piece in _FILLING or piece in _EMPTY or piece in _WORDS for piece in map(_without_set, _pieces(name))
    )


def numbered_splits(names: Sequence[str]) -> bool:
    """Return whether several names are those of folds or batches: alike but for a number, such as `fold1`."""
    stems = {re.sub(r"\d+", "#", name.casefold()) for name in names}
    pieces = {_without_set(piece) for name in names for piece in _pieces(name)}
    return len(names) > 1 and len(stems) == 1 and not pieces.isdisjoint((*_NUMBERED, *_WORDS))


def _pieces(name: str) -> list[str]:
    return [piece.casefold() for piece in _PIECES.findall(name)]


def _without_set(piece: str) -> str:
    """Return `test` of `testset`."""
    shorter = piece.removesuffix("set")
    return shorter if shorter in _WORDS else piece
