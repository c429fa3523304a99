"""Which folders are splits and which are classes: read right or asked for, never guessed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from unicodedata import normalize

import pytest
from data_images import write_classes, write_image

from eyebright.data.manifest import Manifest
from eyebright.data.source import scan, scan_part
from eyebright.errors import DataError, NotFoundError
from eyebright.text.language import english

TWO = {"cat": 5, "dog": 5}


def laid_out(top: Path, tree: dict[str, dict[str, int] | int]) -> Path:
    """Folders with class folders, or with images directly in them."""
    for number, (name, inside) in enumerate(tree.items()):
        if isinstance(inside, dict):
            write_classes(top / name, inside, first=1000 * number)
        else:
            for i in range(inside):
                write_image(top / name / f"{i}.png", 1000 * number + i)
    return top


def splits(manifest: Manifest) -> dict[str, int]:
    return dict(Counter(s.split for s in manifest.samples))


def notes(manifest: Manifest) -> dict[str, str]:
    return {note.path: english(note.reason, **note.reason_values) for note in manifest.warnings}


@pytest.mark.parametrize(
    "names",
    [
        ("train", "dev", "test"),
        ("training_set", "validation_set", "test_set"),
        ("seg_train", "seg_val", "seg_test"),
        ("train_images", "val_images", "test_images"),
        ("Train", "valid", "TEST"),
        ("training", "val_split", "testing"),
        ("train2017", "val2017", "test2017"),
    ],
)
def test_splits_by_other_names(names: tuple[str, str, str], tmp_path: Path) -> None:
    manifest = scan(laid_out(tmp_path, dict.fromkeys(names, TWO)))
    assert manifest.labels == ("cat", "dog")
    assert splits(manifest) == {"train": 10, "val": 10, "test": 10}
    for split in ("val", "test"):
        assert len(scan_part(tmp_path, split)[0].samples) == 10


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "eval"), "also holds eval"),
        (("train", "holdout"), "also holds holdout"),
        (("fold1", "fold2", "fold3"), "those of folds"),
        (("home", "office"), "folders of the same names: cat, dog"),
        (("val", "test"), "must also have train/"),
        (("train", "training"), "both named like train"),
        (("train", "val", "dev"), "both named like val"),
    ],
)
def test_splits_of_unknown_names_are_asked_for(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        scan(laid_out(tmp_path, dict.fromkeys(names, TWO)))


def test_a_train_folder_says_which_level_the_classes_are(tmp_path: Path) -> None:
    for number, kind in enumerate(TWO):
        laid_out(tmp_path / "train" / kind, {"day": 5, "night": 5} if not number else {"day": 6, "night": 6})
    assert scan(tmp_path).labels == ("cat", "dog")
    with pytest.raises(DataError, match="move all class folders into a folder train/"):
        scan(tmp_path / "train")
    assert scan_part(tmp_path / "train", "auto")[0].labels == ("cat", "dog")


@pytest.mark.parametrize("inner", [("2023", "2024"), ("2024-05-01", "2024-05-02"), ("images",)])
def test_folders_in_classes_that_are_no_classes(inner: tuple[str, ...], tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        laid_out(tmp_path / kind, {name: 5 + len(kind) * i + (kind == "dog") for i, name in enumerate(inner)})
    assert scan(tmp_path).labels == ("cat", "dog")


def test_valid_beside_invalid_is_a_class(tmp_path: Path) -> None:
    assert scan(laid_out(tmp_path, {"valid": 5, "invalid": 5})).labels == ("invalid", "valid")


def test_splits_in_the_classes_are_asked_for(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        laid_out(tmp_path / kind, {"train": 5, "test": 4})
    with pytest.raises(DataError, match=r"Splits must contain the classes.*test/cat"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("photos", "holds only photos, which holds cat, dog. Give .*photos, or"),
        ("photos/train", "holds only photos, which holds train. Give"),
        ("train/images", "holds only images, which holds cat, dog"),
    ],
)
def test_one_folder_too_high(place: str, message: str, tmp_path: Path) -> None:
    write_classes(tmp_path / place, TWO)
    with pytest.raises(DataError, match=message):
        scan(tmp_path)


def test_one_folder_too_deep(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"folders beside it \(dog\), use .*data"):
        scan(write_classes(tmp_path / "data", TWO) / "cat")


@pytest.mark.parametrize("test", [{"test": 6}, {"test": {"images": 6}}, {"test_images": {"unknown": 6}}])
def test_images_without_classes_are_left_out_of_the_splits(test: dict[str, int], tmp_path: Path) -> None:
    manifest = scan(laid_out(tmp_path, {"train": TWO, **test}))
    assert splits(manifest) == {"train": 8, "val": 2}
    assert "6 images without class folders" in notes(manifest)[next(iter(test))]
    assert splits(scan(tmp_path, test=0.2)) == {"train": 6, "val": 2, "test": 2}
    with pytest.raises(NotFoundError, match="requested split"):
        scan_part(tmp_path, "test")


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"cat": 5, "dog": 5, "test": 5}, "lies beside the class folders cat, dog"),
        ({"train": TWO, "unlabelled": 5}, "also holds unlabelled"),
        ({"train": {"steam": 3, "electric": 3}, "bus": 5, "car": 5}, "if train is a class like them"),
        ({"part_1": 5, "part_2": 5}, "those of folds or batches"),
    ],
)
def test_folders_that_may_be_classes_or_not_are_asked_for(
    tree: dict[str, dict[str, int] | int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        scan(laid_out(tmp_path, tree))


@pytest.mark.parametrize(
    "tree", [{"images": 5}, {"train": 5, "test": 5}, {"img_part_1": 5, "img_part_2": 5}, {"": 5}]
)
def test_a_table_of_another_name_is_pointed_at(tree: dict[str, dict[str, int] | int], tmp_path: Path) -> None:
    laid_out(tmp_path, tree)
    (tmp_path / "train.csv").write_text("image,label\n")
    with pytest.raises(DataError, match=r"train\.csv\. If this table"):
        scan(tmp_path)


@pytest.mark.parametrize("mark", [".eyebright", "certificate.json", "manifest.parquet"])
@pytest.mark.parametrize("place", ["explanations/photos-1", "out", "cat/explanations/x"])
def test_our_own_output_is_no_class(mark: str, place: str, tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    write_image(tmp_path / place / "heat.png", 100)
    (tmp_path / place / mark).write_text("")
    manifest = scan(tmp_path)
    assert Counter(s.label for s in manifest.samples) == TWO
    assert "written by Eyebright" in {s.path: s.reason for s in manifest.skipped}[place]


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("hot dog", "hotdog", "'hot dog'?"),
        ("cat", "cat ", "'cat '"),
        ("cat", "cat\u200b", "'cat.u200b'"),
        ("Cat", "cat", "Cat"),
        ("猫(a)", "猫\uff08a\uff09", "uff08"),
        (normalize("NFC", "é"), normalize("NFD", "é"), "u0301"),
        ("1", "1.0", "1.0"),
    ],
)
def test_classes_alike_but_for_blanks_case_or_form(
    first: str, second: str, shown: str, tmp_path: Path
) -> None:
    write_classes(tmp_path, {first: 3, second: 3})
    with pytest.raises(DataError, match=f"differ by more than case.*{shown}"):
        scan(tmp_path)
