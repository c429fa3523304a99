"""Data on other machines: a real S3 server, and a file system of fsspec."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_images import write_classes
from pyarrow import fs
from s3_server import BUCKET, KEY, SECRET, client, s3_server
from source_formats import WRITERS

from eyebright.data.image_properties import camera
from eyebright.data.source import scan
from eyebright.data.storage import places, remote
from eyebright.errors import DataError, NotFoundError

KINDS = ("zip_folders", "hf_parquet", "hf_folder", "webdataset", "coco")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("photos"), {"cat": 12, "dog": 12})


@pytest.fixture
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_OPEN", type(places._OPEN)())


@pytest.fixture(scope="module")
def bucket(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The images as class folders, and in other formats beside them; the server's address."""
    labels = {p.relative_to(images).as_posix(): p.parent.name for p in sorted(images.rglob("*.png"))}
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        sources = tmp_path_factory.mktemp("sources")
        found = {kind: WRITERS[kind](images, labels, sources / kind) for kind in KINDS}
        server = client(address)
        for top, name in [(images, "folders"), *((sources / kind, kind) for kind in found)]:
            for path in sorted(p for p in top.rglob("*") if p.is_file()):
                with server.open_output_stream(f"{BUCKET}/{name}/{path.relative_to(top).as_posix()}") as file:
                    file.write(path.read_bytes())
        yield address


@pytest.fixture
def keys(bucket: str, nothing_open: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{bucket}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_bucket_is_read_like_a_folder(images: Path) -> None:
    expected = scan(images).digest
    for name in ("folders", "zip_folders/set.zip", *KINDS[1:]):
        manifest = scan(Path(f"s3://{BUCKET}/{name}"))
        assert (name, manifest.digest) == (name, expected)
        assert str(manifest.root).startswith(f"s3:/{BUCKET}")
        assert camera(manifest.root / manifest.samples[0].path) == ""


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_wrong_keys_and_what_is_not_there_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="must exist"):
        scan(Path(f"s3://{BUCKET}/nothing"))
    monkeypatch.setattr(places, "_OPEN", type(places._OPEN)())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(DataError, match="ACCESS_DENIED"):
        scan(Path(f"s3://{BUCKET}/folders"))


@pytest.mark.usefixtures("nothing_open")
def test_a_server_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(DataError, match="must be reachable"):
        scan(Path("s3://bucket/photos"))


@pytest.mark.usefixtures("nothing_open")
def test_what_fsspec_reads_is_read(images: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(images), "/bucket/photos", recursive=True)
    manifest = scan(Path("memory://bucket/photos"))
    assert manifest.digest == scan(images).digest


def test_addresses_in_somebodys_data_are_not_followed(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*place: str) -> None:
        raise AssertionError(place)

    monkeypatch.setattr(places, "RemoteStorage", refuse)
    rows = [f"{path},{path.parent.name}" for path in sorted(images.rglob("*.png"))]
    (tmp_path / "t.csv").write_text(
        "\n".join(["path,label", *rows, "s3://bucket/x.png,cat", "https://host/x.png,cat"])
    )
    manifest = scan(tmp_path / "t.csv")
    assert len(manifest.samples) == len(rows)
    assert {(s.path, "not followed" in s.reason) for s in manifest.skipped} == {
        ("s3://bucket/x.png", True),
        ("https://host/x.png", True),
    }
    names = [{"id": i, "file_name": f"s3://bucket/{i}.png"} for i in range(4)]
    content = {
        "images": names,
        "annotations": [{"image_id": i, "category_id": i % 2} for i in range(4)],
        "categories": [{"id": i, "name": str(i)} for i in range(2)],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="readable images"):
        scan(tmp_path / "coco.json")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(images.rglob("*.png")):
            archive.write(path, path.relative_to(images))
        archive.writestr("s3:/bucket/x.png", b"")
    assert [entry.path for entry in scan(tmp_path / "set.zip").skipped] == ["s3:/bucket/x.png"]
    cells = [
        {"bytes": None, "path": "s3://bucket/x.png"},
        *({"bytes": p.read_bytes()} for p in images.rglob("*.png")),
    ]
    table = pa.table({"image": cells, "label": [f"{i % 2}" for i in range(len(cells))]})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert len(scan(tmp_path / "rows.parquet").skipped) == 1


def test_keys_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(DataError, match="environment") as raised:
        scan(Path("s3://key:secret@bucket/photos"))
    assert "secret" not in str(raised.value)


def test_the_container_is_part_of_a_path_in_azure() -> None:
    system, top = remote._connect("abfs", "photos@account.dfs.core.windows.net")
    assert (type(system).__name__, top) == ("AzureFileSystem", "photos/")


def test_remote_paths_are_known_also_behind_a_folder(tmp_path: Path) -> None:
    assert places.resolved(Path("s3://bucket/x").absolute()) == Path("s3:/bucket/x")
    assert places.is_remote(tmp_path / "s3:" / "bucket")
    assert not places.is_remote(tmp_path / "a:b" / "c")
    assert not places.is_remote("C:/photos")


@pytest.fixture
def google(images: Path, nothing_open: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The bucket with the images of an emulator of Google's storage, the package `gcp-storage-emulator`."""
    beside = Path(sys.executable).with_name("gcp-storage-emulator")
    program = str(beside) if beside.exists() else shutil.which("gcp-storage-emulator")
    if program is None:
        pytest.skip("needs gcp-storage-emulator")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=photos"]
    server = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{port}")
        system = fs.GcsFileSystem(anonymous=True, endpoint_override=f"127.0.0.1:{port}", scheme="http")
        for path in sorted(images.rglob("*.png")):  # the client waits until the server answers
            with system.open_output_stream(f"photos/{path.relative_to(images).as_posix()}") as file:
                file.write(path.read_bytes())
        yield "gs://photos"
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_a_bucket_of_google_is_read_as_the_folder_is(google: str, images: Path) -> None:
    there, here = scan(Path(google)), scan(images)
    assert [(s.path, s.sha, s.label) for s in there.samples] == [
        (s.path, s.sha, s.label) for s in here.samples
    ]
