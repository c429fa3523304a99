"""Tables and folders whose meaning is known, drawn from a seed in the many ways people write them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

#: The labels of each image, and its split where the data says so.
Truth = Mapping[str, frozenset[str]]

_NAMES = (
    *(
        "cat",
        "dog",
        "polar bear",
        "brown bear",
        "bear",
        "red fox",
        "tench, Tinca tinca",
        "猫",
        "3",
        "yes",
        "no",
    ),
    *(
        "goldfish, Carassius auratus",
        "it's",
        "a/b",
        "hot dog",
        "N/A",
        "crane, bird",
        "crane, machine",
        "0",
        "1",
    ),
)
_WORDS = ("scratch", "stain", "dust", "hair", "crack")
_PATHS = ("path", "file", "filename", "Image", "image_path", "img", "File Name", "image_id")
_OTHER_NAMES = ("kind", "diagnosis", "target", "category", "species", "dx", "choice")


@dataclass(frozen=True)
class MeantData:
    """What was written, and what it means.

    Attributes:
        labels: of each image, by its path.
        several: whether an image may have several labels, or none.
        splits: of each image, where the data says so.
        recipe: how it was written, for whoever reads that it was misread.
    """

    labels: Truth
    several: bool
    splits: Mapping[str, str] = field(default_factory=dict)
    recipe: Sequence[object] = ()


def write_table(folder: Path, images: Sequence[str], seed: int) -> MeantData:
    """Write a `labels.csv` about some of the images below ``folder``."""
    rng = np.random.default_rng(seed)
    chosen = [images[i] for i in rng.permutation(len(images))[: rng.integers(20, len(images) + 1)]]
    several = bool(rng.random() < 0.5)
    names = _drawn(rng, _WORDS if several else _NAMES, int(rng.integers(2, 5)))
    labels = {path: _labels_of(rng, names, several, i) for i, path in enumerate(chosen)}
    columns: dict[str, list[str]] = {}
    if rng.random() < 0.3:
        columns[_one(rng, ("", "Unnamed: 0", "index"))] = [str(i) for i in range(len(chosen))]
    columns[_one(rng, _PATHS)] = [_PATH_FORMS[int(rng.integers(len(_PATH_FORMS)))](path) for path in chosen]
    form = _one(rng, list(_MULTI if several else _SINGLE))
    columns |= (_MULTI if several else _SINGLE)[form](rng, list(labels.values()), names)
    splits: dict[str, str] = {}
    if rng.random() < 0.3:
        splits = {path: _one(rng, ("train", "val")) if i > 9 else "train" for i, path in enumerate(chosen)}
        columns |= _split_column(rng, [splits[path] for path in chosen])
    further = _further_columns(rng, len(chosen))
    if form in ("flags", "one-hot"):  # among which one of another meaning cannot be told
        further.pop("sex", None)
    columns |= further
    written = _write(rng, folder / "labels.csv", columns)
    return MeantData(labels, several, splits, (form, list(columns), *written))


def _labels_of(rng: np.random.Generator, names: Sequence[str], several: bool, i: int) -> frozenset[str]:
    if not several:
        return frozenset([names[i % len(names)]])
    if i < 2:  # so that it can be seen: one image with several, one with none
        return frozenset(names if i else ())
    return frozenset(name for name in names if rng.random() < 0.5)


def _split_column(rng: np.random.Generator, splits: Sequence[str]) -> dict[str, list[str]]:
    if rng.random() < 0.4:
        return {"is_valid": [str(split == "val") for split in splits]}
    words = {"train": _one(rng, ("train", "Training")), "val": _one(rng, ("val", "valid", "dev"))}
    return {_one(rng, ("split", "Split", "subset")): [words[split] for split in splits]}


def _further_columns(rng: np.random.Generator, count: int) -> dict[str, list[str]]:
    """Columns that mean nothing here: each could be taken for a label."""
    further = {
        "patient_id": [f"p{i // 3}" for i in range(count)],
        "sex": [str(value) for value in rng.integers(0, 2, count)],
        "age": [str(value) for value in rng.integers(20, 80, count)],
        "camera": ["left"] * count,
        "annotator": [_one(rng, ("Ann", "Bob")) for _ in range(count)],
        "id": [str(i + 1) for i in range(count)],
        "notes": ["" if i % 2 else f"see {i}, please" for i in range(count)],
    }
    return {name: cells for name, cells in further.items() if rng.random() < 0.12}


_Labels = Sequence[frozenset[str]]
_Form = Callable[[np.random.Generator, _Labels, Sequence[str]], dict[str, list[str]]]


def _in_column(names: Sequence[str], cell: Callable[[list[str]], str]) -> _Form:
    return lambda rng, labels, _: {_one(rng, names): [cell(_shuffled(rng, some)) for some in labels]}


def _flags(rng: np.random.Generator, labels: _Labels, names: Sequence[str]) -> dict[str, list[str]]:
    no, yes = (("0", "1"), ("0", "1"), ("N", "Y"), ("F", "T"))[int(rng.integers(4))]
    words = {"0": "0", "1": "1", "N": "no", "Y": "Yes", "F": "False", "T": "True"}
    return {name: [words[yes if name in some else no] for some in labels] for name in names}


_LISTS = ("labels", "tags", "classes", "Labels")
_SINGLE: Mapping[str, _Form] = {
    "label": _in_column(("label", "class", "Label"), lambda some: some[0]),
    "of another name": _in_column(_OTHER_NAMES, lambda some: some[0]),
    "labels": _in_column(_LISTS, lambda some: some[0]),
    "a list of one": _in_column(_LISTS, lambda some: json.dumps(some)),
    "one-hot": _flags,
}
_MULTI: Mapping[str, _Form] = {
    "flags": _flags,
    "semicolons": _in_column(_LISTS, ";".join),
    "bars": _in_column(_LISTS, "|".join),
    "commas": _in_column(_LISTS, ", ".join),
    "blanks": _in_column(_LISTS, " ".join),
    "JSON": _in_column(_LISTS, json.dumps),
    "Python": _in_column(_LISTS, str),
}
_PATH_FORMS: Sequence[Callable[[str], str]] = (
    str,
    lambda path: path.replace("/", "\\"),
    lambda path: path.removesuffix(".png"),
    lambda path: f"./{path}",
)


def _write(rng: np.random.Generator, path: Path, columns: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    delimiter, encoding = _one(rng, ",;\t|"), _one(rng, ("utf-8", "utf-8-sig", "utf-16"))
    end = _one(rng, ("\n", "\r\n"))
    text = io.StringIO(newline="")
    quoting: Literal[0, 1] = 1 if rng.random() < 0.3 else 0  # all cells, or those that need it
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(row)
        if rng.random() < 0.03:
            text.write(end)
    path.write_bytes(text.getvalue().encode(encoding))
    return delimiter, encoding, repr(end)


def write_folders(folder: Path, image: Callable[[Path], object], seed: int) -> MeantData:
    """Write folders of images.

    Args:
        folder: an empty one.
        image: writes an image that is like no other.
        seed: of the layout.
    """
    rng = np.random.default_rng(seed)
    classes = _drawn(rng, [name for name in _NAMES if "/" not in name], int(rng.integers(2, 5)))
    layout = _one(rng, list(_LAYOUTS))
    labels: dict[str, frozenset[str]] = {}
    splits: dict[str, str] = {}
    for split, top in _LAYOUTS[layout](rng).items():
        for name in classes:
            inner = _one(rng, ("", "2024/", "old/"))
            for i in range(int(rng.integers(3, 6))):
                path = f"{top}{name}/{inner}{i}.png"
                image(folder / path)
                labels[path] = frozenset([name])
                if split != "all":
                    splits[path] = split
    if layout != "classes" and rng.random() < 0.3:
        for i in range(3):
            image(folder / _one(rng, ("test", "unlabelled", "test/images")) / f"{i}.png")
    return MeantData(labels, False, splits, (layout, classes))


_LAYOUTS: Mapping[str, Callable[[np.random.Generator], dict[str, str]]] = {
    "classes": lambda _: {"all": ""},
    "splits": lambda rng: {
        "train": _one(rng, ("train/", "Training/", "training_set/", "seg_train/", "train_images/")),
        "val": _one(rng, ("val/", "valid/", "dev/", "validation_set/", "VAL/")),
    },
    "unclear splits": lambda rng: {
        "train": "train/",
        "val": _one(rng, ("eval/", "holdout/", "extra/", "part2/")),
    },
    "train alone": lambda _: {"all": "train/"},
    "one too high": lambda rng: {"all": _one(rng, ("photos/", "photos/train/", "train/images/"))},
    "folds": lambda rng: {str(i): f"{_one(rng, ('fold', 'part_', 'fold'))}{i}/" for i in range(3)},
    "sites": lambda _: {"a": "Leipzig/", "b": "Jena/"},
}


def _drawn(rng: np.random.Generator, names: Sequence[str], count: int) -> list[str]:
    return [names[i] for i in rng.permutation(len(names))[:count]]


def _shuffled(rng: np.random.Generator, some: frozenset[str]) -> list[str]:
    return _drawn(rng, sorted(some), len(some))


def _one(rng: np.random.Generator, among: Sequence[str]) -> str:
    return among[int(rng.integers(len(among)))]
