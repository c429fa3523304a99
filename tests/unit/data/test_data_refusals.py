"""Folders that cannot be trained on: each is refused with a sentence that names what is wrong."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest
from data_images import write_classes, write_image

from eyebright.data.folder import scan
from eyebright.errors import DataError, NotFoundError

TWO = {"cat": 5, "dog": 5}


def test_missing_folder_or_a_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="none does not"):
        scan(tmp_path / "none")
    with pytest.raises(DataError, match=r"a.png is a file"):
        scan(write_image(tmp_path / "a.png", 0))
    write_classes(tmp_path, TWO)
    with pytest.raises(NotFoundError, match="none does not"):
        scan(tmp_path, val=tmp_path / "none")


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must contain images"):
        scan(tmp_path)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.txt").write_text("no image")
    with pytest.raises(DataError, match="must contain images"):
        scan(tmp_path)


@pytest.mark.parametrize("place", ["", "train"])
def test_no_class_folders(place: str, tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / place / f"{number}.png", number)
    with pytest.raises(DataError, match="contains 3 images and no class folder"):
        scan(tmp_path)


def test_one_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains only one: cat"):
        scan(write_classes(tmp_path, {"cat": 5}))


def test_too_few_images_names_every_such_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ant \(1\), bee \(1\)\."):
        scan(write_classes(tmp_path, {"cat": 5, "ant": 1, "bee": 1}))


def test_images_that_cannot_be_read_do_not_count(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO | {"ant": 1})
    (tmp_path / "ant" / "b.png").write_text("no image")
    (tmp_path / "bee").mkdir()
    for name in "ab":
        (tmp_path / "bee" / f"{name}.png").write_text("no image")
    with pytest.raises(DataError, match=r"ant \(1\), bee \(0\)\.") as caught:
        scan(tmp_path)
    named = " ".join(caught.value.__notes__)
    assert all(name in named for name in ("ant/b.png", "bee/a.png", "bee/b.png"))


def test_two_images_are_enough(tmp_path: Path) -> None:
    manifest = scan(write_classes(tmp_path, {"cat": 2, "dog": 2}))
    assert manifest.counts()["train"] == manifest.counts()["val"] == {"cat": 1, "dog": 1}


def test_classes_that_only_validation_has(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", TWO)
    write_classes(tmp_path / "val", TWO | {"fish": 2, "newt": 1}, first=100)
    with pytest.raises(DataError, match="Found only in validation or test: fish, newt"):
        scan(tmp_path)


@pytest.mark.parametrize("pair", [("Cat", "cat"), ("STRASSE", "straße")])
def test_names_alike_but_for_case(pair: tuple[str, str], tmp_path: Path) -> None:
    write_classes(tmp_path, dict.fromkeys(pair, 3))
    with pytest.raises(DataError, match=f"{pair[0]} and {pair[1]} do not"):
        scan(tmp_path)


def test_names_alike_but_for_case_across_parts(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", TWO)
    write_classes(tmp_path / "val", {"Cat": 3}, first=100)
    with pytest.raises(DataError, match="Cat and cat do not"):
        scan(tmp_path)


def test_names_alike_but_for_unicode_form_are_told_apart(tmp_path: Path) -> None:
    write_classes(tmp_path, {normalize("NFC", "é"): 3, normalize("NFD", "é"): 3})
    with pytest.raises(DataError) as raised:
        scan(tmp_path)
    assert "'\\xe9'" in str(raised.value)
    assert "'e\\u0301'" in str(raised.value)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 7.0])
def test_shares_out_of_range(share: float, tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    with pytest.raises(DataError, match=f"Got --test {share}"):
        scan(tmp_path, test=share)


def test_one_folder_for_two_parts(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    with pytest.raises(DataError, match="was given for two"):
        scan(tmp_path, val=tmp_path)
