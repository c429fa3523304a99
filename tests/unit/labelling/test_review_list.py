"""Lists of images to look at: found by path or content, kept over a restart, and refused in one sentence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_images import write_classes

from eyebright.errors import DataError, NotFoundError
from eyebright.labelling.project import Project
from eyebright.labelling.review_list import read_review_list, write_review_list


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    opened = Project(write_classes(tmp_path / "photos", {"cat": 2, "dog": 2}))
    yield opened
    opened.store.close()


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_images_are_found_however_they_are_named_and_what_is_not_there_is_told(
    project: Project, tmp_path: Path
):
    shutil.copyfile(project.root / "cat/0.png", project.root / "copy.png")
    lines = [
        f"{project.root}/cat/0.png,0.9,unknown",
        "photos/cat/1.png,0.5,Drifted",
        "dog/0.png,0.25,near the border of two classes",
        "copy.png,0.1,doubtful",
        "../elsewhere.png,1,unknown",
        ",1,unknown",
    ]
    found = read_review_list(write(tmp_path / "list.csv", "path,score,reason", *lines), project, tmp_path)
    named = [(i.reason, i.value, i.note) for i in found.items]
    assert named == [
        ("unknown", 0.9, ""),
        ("drifted", 0.5, ""),
        ("listed", 0.25, "near the border of two classes"),
    ]
    assert list(found.missing) == ["../elsewhere.png", ""]
    write_review_list(project.folder / "kept.csv", project, found.items)
    again = read_review_list(project.folder / "kept.csv", project, project.folder)
    assert list(again.items) == list(found.items)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("image,score", "cat/0.png,1"), "must have a column path"),
        (("path,score", "cat/0.png,high"), "Line 2 of list.csv has 'high'"),
        (("path,score", "cat/0.png,nan"), "must be a number"),
        (("path", "bird/0.png"), "must be in the folder"),
    ],
)
def test_what_is_no_such_list_is_refused(
    project: Project, tmp_path: Path, lines: tuple[str, ...], sentence: str
):
    with pytest.raises(DataError) as caught:
        read_review_list(write(tmp_path / "list.csv", *lines), project, tmp_path)
    assert sentence in caught.value.text()
    with pytest.raises(NotFoundError):
        read_review_list(tmp_path / "none.csv", project, tmp_path)
