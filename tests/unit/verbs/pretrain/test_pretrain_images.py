"""Images to pretrain on lie in folders, archives and tables alike; each counts once."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import pytest

from eyebright.errors import DataError, NotFoundError
from eyebright.verbs.pretrain.images import PretrainImages, unlabelled_images


def _table(path: Path, column: str, images: list[Path]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", column, "note"])
        writer.writerows((number, image, "by hand") for number, image in enumerate(images))
    return path


def _content(images: PretrainImages) -> list[str]:
    return [sample.sha for sample in images.manifest.samples]


@pytest.fixture
def folder(textile: Path, tmp_path: Path) -> Path:
    """Four images of each class, one of them twice."""
    for kind in sorted((textile / "train").iterdir()):
        (tmp_path / "all" / kind.name).mkdir(parents=True)
        for image in sorted(kind.iterdir())[:4]:
            shutil.copyfile(image, tmp_path / "all" / kind.name / image.name)
    shutil.copyfile(image, image_copy := tmp_path / "all" / kind.name / "again.jpg")
    assert image_copy.is_file()
    return tmp_path / "all"


def test_an_archive_and_a_table_give_the_images_of_the_folder(folder, tmp_path):
    files = sorted(folder.rglob("*.jpg"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(folder))
    found = unlabelled_images(folder)
    assert len(_content(found)) == len(files) - 1
    packed = unlabelled_images(tmp_path / "all.zip")
    assert _content(packed) == _content(found)
    assert packed.classes == found.classes != ()
    table = _table(tmp_path / "images.csv", "path", [file.relative_to(tmp_path) for file in files])
    assert _content(unlabelled_images(table)) == _content(found)


def test_the_column_of_a_table_can_be_named(folder, tmp_path):
    files = sorted(folder.rglob("*.jpg"))
    table = _table(tmp_path / "images.csv", "photograph", [file.relative_to(tmp_path) for file in files])
    assert len(_content(unlabelled_images(table, "photograph"))) == len(files) - 1
    with pytest.raises(DataError, match="Its columns are: number, photograph, note"):
        unlabelled_images(table, "picture")


def test_what_holds_no_images_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="does not exist"):
        unlabelled_images(tmp_path / "none")
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(DataError, match="a folder, an archive or a table"):
        unlabelled_images(tmp_path / "notes.md")
