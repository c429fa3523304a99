"""Texts beside images: read from the folder, taken as they arrive, kept by the image's hash, written out."""

from __future__ import annotations

import csv
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from data_images import encoded, photograph, write_classes
from PIL import Image

from eyebright.data.source import scan_as_given
from eyebright.data.table.chosen import Columns
from eyebright.errors import DataError
from eyebright.labelling.features import features_of
from eyebright.labelling.intake import Intake
from eyebright.labelling.label_files import write_labels
from eyebright.labelling.project import Project


def jpeg(left: int = 0) -> bytes:
    return encoded(photograph().crop((left, 0, left + 64, 64)), "JPEG")


def cut_off(kind: str) -> bytes:
    """Return the first half of an image file, whose header is whole."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    return whole[: len(whole) // 2]


def write_table(folder: Path, columns: str) -> None:
    for number in range(2):
        (folder / f"{number}.jpg").write_bytes(jpeg(30 * number))
    rows = ["0.jpg,cat,a tabby,1200", "1.jpg,dog,,15"]
    (folder / "labels.csv").write_text("\n".join([f"path,label,{columns}", *rows]), encoding="utf-8")


def texts(project: Project) -> list[str]:
    return [sample.text for sample in project.samples]


def test_a_column_text_and_files_beside_images_are_read(tmp_path: Path):
    write_table(tmp_path, "text,price")
    (tmp_path / "1.txt").write_text("a hound", encoding="utf-8")
    project = Project(tmp_path)
    assert texts(project) == ["a tabby", "a hound"]
    with write_labels(project, "csv").open(encoding="utf-8") as file:
        assert [(row["label"], row["text"]) for row in csv.DictReader(file)] == [
            ("cat", "a tabby"),
            ("dog", "a hound"),
        ]
    folders = write_labels(project, "folders")
    assert (folders / "cat" / "0.txt").read_text(encoding="utf-8") == "a tabby"
    manifest, _ = scan_as_given(project.folder, columns=Columns(text=("text",)))
    assert [sample.text for sample in manifest.samples] == ["a tabby", "a hound"]
    project.store.close()


def test_other_columns_are_named_and_must_be_there(tmp_path: Path):
    write_table(tmp_path, "note,price")
    for named, found in (
        ([], ["", ""]),
        (["note"], ["a tabby", ""]),
        (["note", "price"], ["a tabby\n1200", "15"]),
    ):
        with (project := Project(tmp_path, named)).store:
            assert texts(project) == found
    with pytest.raises(DataError, match="no column words"):
        Project(tmp_path, ["words"])


def test_a_folder_without_texts_has_no_such_column(tmp_path: Path):
    write_classes(tmp_path, {"cat": 1, "dog": 1})
    with (project := Project(tmp_path)).store:
        assert write_labels(project, "csv").read_text(encoding="utf-8").startswith("path,label\n")


def test_a_text_arrives_with_its_image_and_both_are_known_by_one_hash(tmp_path: Path):
    project = Project(tmp_path)
    intake, content, text = Intake(project), jpeg(), "粗麻布 coarse".encode()
    together = sha256(content + text).hexdigest()
    assert intake.take([("a/1.jpg", content)]).texts == 0
    assert intake.missing([sha256(content).hexdigest(), together]) == [together]
    arrived = intake.take([("a/1.txt", text), ("a/1.jpg", content), ("b/1.txt", b"of none")])
    assert (arrived.new, arrived.known, arrived.texts) == (0, 1, 1)
    assert [(entry.path, "Send both" in entry.reason) for entry in arrived.refused] == [("b/1.txt", True)]
    binary = intake.take([("1.jpg", content), ("1.txt", b"\x00\x01")])
    assert [entry.path for entry in binary.refused] == ["1.txt"]
    assert texts(project) == ["粗麻布 coarse"]
    project.store.close()
    with (again := Project(tmp_path)).store:  # after a restart, too
        assert texts(again) == ["粗麻布 coarse"]
        assert Intake(again).missing([together]) == []


def test_texts_arrive_in_an_archive(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    packed = tmp_path / "some.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("cat/1.txt", "a tabby")
        archive.writestr("cat/1.jpg", jpeg())
        archive.writestr("README.txt", "no image")
    with (project := Project(tmp_path / "photos")).store:
        arrived = Intake(project).take_zip(packed, "some.zip")
        assert (arrived.new, arrived.texts, [e.path for e in arrived.refused]) == (1, 1, ["README.txt"])
        assert texts(project) == ["a tabby"]


def test_an_image_that_is_cut_off_is_refused_as_it_arrives(tmp_path: Path):
    with (project := Project(tmp_path)).store:
        for name, kind in (("1.jpg", "JPEG"), ("1.png", "PNG")):
            arrived = Intake(project).take([(name, cut_off(kind))])
            assert (arrived.new, [entry.path for entry in arrived.refused]) == (0, [name])
        assert list(project.received.iterdir()) == []


@pytest.mark.usefixtures("feature_cache")
def test_an_image_of_the_folder_that_is_cut_off_is_named(tmp_path: Path):
    for name, content in (("1.jpg", jpeg()), ("2.jpg", jpeg(40)), ("cut.jpg", cut_off("JPEG"))):
        (tmp_path / name).write_bytes(content)
    with (project := Project(tmp_path)).store:
        features, lost = features_of(project.root, project.samples)
        assert (len(features.shas), [entry.path for entry in lost]) == (2, ["cut.jpg"])
