"""One archive from Drive: copied whole, unpacked safely."""

from __future__ import annotations

import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from eyebright.colab.archive import local_copy, unpacked
from eyebright.errors import ConfigError, DataError, NotFoundError


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_it_is_copied_once(tmp_path: Path):
    source = zipped(tmp_path / "photos.zip", **{"cat/1.jpg": b"1"})
    copy = local_copy(source, tmp_path / "local")
    assert copy.read_bytes() == source.read_bytes()
    stamp = copy.stat().st_mtime_ns
    assert local_copy(source, tmp_path / "local").stat().st_mtime_ns == stamp
    zipped(source, **{"cat/1.jpg": b"1", "cat/2.jpg": b"2"})
    assert local_copy(source, tmp_path / "local").read_bytes() == source.read_bytes()


def test_a_folder_and_nothing_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="in one archive"):
        local_copy(tmp_path, tmp_path / "local")
    with pytest.raises(NotFoundError):
        local_copy(tmp_path / "photos.zip", tmp_path / "local")


def test_the_one_folder_of_an_archive_is_its_content(tmp_path: Path):
    files = {"photos/cat/1.jpg": b"cat", "photos/dog/1.jpg": b"dog", "__MACOSX/photos/._1.jpg": b"-"}
    folder = unpacked(zipped(tmp_path / "set.zip", **files), tmp_path / "local")
    assert folder == tmp_path / "local" / "set" / "photos"
    assert (folder / "dog" / "1.jpg").read_bytes() == b"dog"
    assert unpacked(tmp_path / "set.zip", tmp_path / "local") == folder


def test_names_that_lead_out_and_links_stay_out(tmp_path: Path):
    path = tmp_path / "set.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("cat/1.jpg", "../escaped.jpg", "/root.jpg"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, BytesIO(b"cat"))
        link = tarfile.TarInfo("cat/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    unpacked(path, tmp_path / "local")
    found = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.jpg")]
    assert found == ["local/set/cat/1.jpg"]


def test_no_archive_is_refused(tmp_path: Path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8 no archive")
    with pytest.raises(DataError, match="ZIP or tar"):
        unpacked(tmp_path / "photo.jpg", tmp_path / "local")
