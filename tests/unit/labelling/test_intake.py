"""Files that arrive: images are taken once, names stay inside, and archives cannot do harm."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from data_images import encoded, photograph, write_classes

from eyebright.errors import DataError, ImageError
from eyebright.labelling.intake import Intake, safe_name
from eyebright.labelling.label_files import write_labels
from eyebright.labelling.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "photos"
    folder.mkdir()
    opened = Project(folder)
    yield opened
    opened.store.close()


def jpeg(left: int = 0) -> bytes:
    return encoded(photograph().crop((left, 0, left + 64, 64)), "JPEG")


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_file_is_taken_once_and_known_by_its_hash_afterwards(project: Project):
    intake, content = Intake(project), jpeg()
    digest = sha256(content).hexdigest()
    assert intake.missing([digest]) == [digest]
    arrived = intake.take([("cat.jpg", content), ("copy.jpg", content), ("notes.txt", b"no")])
    assert (arrived.new, arrived.known, [entry.path for entry in arrived.refused]) == (1, 1, ["notes.txt"])
    assert intake.missing([digest]) == []
    assert Intake(project).missing([digest]) == []  # after a restart, too


def test_what_a_killed_studio_left_half_written_is_removed(tmp_path: Path):
    left = tmp_path / "studio" / "images" / "cat" / ".1.jpg.0a1b2c3d.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(jpeg()[:100])
    with Project(tmp_path).store:
        assert not left.exists()


def test_names_of_folders_are_offered_as_classes_and_one_alone_is_not(project: Project):
    intake = Intake(project)
    intake.take([("photos/cat/1.jpg", jpeg(0)), ("loose.jpg", jpeg(30))])
    assert project.folder_labels() == {}
    intake.take([("photos/dog/1.jpg", jpeg(60)), ("photos/dog/2.jpg", jpeg(90))])
    names = project.folder_labels()
    assert sorted(names.values()) == ["cat", "dog", "dog"]
    project.store.add("ann", list(names.items()))
    assert project.folder_labels() == {}
    assert project.classes() == ["cat", "dog"]


def test_two_files_of_one_name_are_both_kept(project: Project):
    Intake(project).take([("a/cat.jpg", jpeg(0)), ("a/cat.jpg", jpeg(90))])
    assert [s.path for s in project.samples] == ["studio/images/a/cat-2.jpg", "studio/images/a/cat.jpg"]


@pytest.mark.parametrize("name", ["../cat.jpg", "/cat.jpg", "a/../../cat.jpg", "C:\\cat.jpg", "\\cat.jpg"])
def test_a_name_that_leads_elsewhere_is_refused(name: str):
    with pytest.raises(ImageError, match="stay inside"):
        safe_name(name)


def test_of_an_archive_only_images_that_are_safe_are_taken(project: Project, tmp_path: Path):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    path = pack(
        tmp_path / "some.zip", {"in/cat.jpg": jpeg(), "../out.jpg": jpeg(90), "bomb.png": bytes(2**26 + 1)}
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    arrived = Intake(project).take_zip(path, "some.zip")
    assert arrived.new == 1
    assert {entry.path for entry in arrived.refused} == {"../out.jpg", "bomb.png", "link.jpg"}
    assert [sample.path for sample in project.samples] == ["studio/images/in/cat.jpg"]


def test_what_is_no_archive_is_said_to_be_none(project: Project, tmp_path: Path):
    (tmp_path / "some.zip").write_bytes(jpeg())
    with pytest.raises(DataError, match=r"some\.zip is not"):
        Intake(project).take_zip(tmp_path / "some.zip", "some.zip")


def test_labels_of_class_folders_are_there_and_leave_in_each_format(tmp_path: Path):
    folder = write_classes(tmp_path / "photos", {"cat": 2, "dog": 1})
    project = Project(folder)
    try:
        assert project.classes() == ["cat", "dog"]
        Intake(project).take([("new.jpg", jpeg())])
        assert (len(project), len(project.labelled())) == (4, 3)
        table = write_labels(project, "csv").read_text(encoding="utf-8").splitlines()
        assert table == ["path,label", "../cat/0.png,cat", "../cat/1.png,cat", "../dog/0.png,dog"]
        copied = write_labels(project, "folders")
        assert sorted(p.relative_to(copied).as_posix() for p in copied.rglob("*.png")) == [
            "cat/0.png",
            "cat/1.png",
            "dog/0.png",
        ]
        tasks = write_labels(project, "label-studio").read_text(encoding="utf-8")
        assert tasks.count('"choices": [\n') == 3
    finally:
        project.store.close()
    again = Project(folder)  # what the studio wrote is no class of the folder
    assert (len(again), again.classes()) == (4, ["cat", "dog"])
    again.store.close()
