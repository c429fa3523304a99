"""What is wrong with a source is a sentence, and the rest goes on."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_images import encoded, pixels, write_classes
from PIL import Image

from eyebright.data.header import read_image
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan
from eyebright.data.storage import rows
from eyebright.data.table.chosen import Columns
from eyebright.errors import DataError, NotFoundError
from eyebright.text.language import english


def png(number: int) -> bytes:
    return encoded(Image.fromarray(pixels(number)), "PNG")


def notes(manifest: Manifest) -> str:
    entries = (*manifest.skipped, *manifest.warnings)
    return "\n".join(f"{e.path}: {english(e.reason, **e.reason_values)}" for e in entries)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes, in folders that say nothing of them."""
    folder = tmp_path_factory.mktemp("bad")
    write_classes(folder, {"a": 8, "b": 8})
    return folder


def dumped(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_members_that_lead_out_links_and_bombs_are_left_out_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(12):
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", png(i))
        archive.writestr("../evil.png", png(50))
        archive.writestr("/etc/evil.png", png(51))
        archive.writestr("a/bomb.png", b"\0" * (2**26 + 1))
        link = zipfile.ZipInfo("a/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    manifest = scan(path)
    assert len(manifest.samples) == 12
    assert {entry.path for entry in manifest.skipped} == {
        "../evil.png",
        "/etc/evil.png",
        "a/bomb.png",
        "a/link.png",
    }
    assert notes(manifest).count("leads out of it") == 2
    assert "unpack to far more" in notes(manifest)


def test_members_that_lead_out_and_links_are_left_out_of_a_tar_and_a_cut_one_is_read_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("a/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for i, name in enumerate(["../evil.png", *(f"{'ab'[i % 2]}/{i}.png" for i in range(12))]):
            member = tarfile.TarInfo(name)
            member.size = len(png(i))
            archive.addfile(member, io.BytesIO(png(i)))
    assert len(scan(path).samples) == 12
    assert {entry.path for entry in scan(path).skipped} == {"../evil.png", "a/link.png"}
    cut = tmp_path / "cut.tar"
    cut.write_bytes(path.read_bytes()[:11_800])
    found = scan(cut)
    assert len(found.samples) >= 8
    assert "may be cut off behind its 10 files" in notes(found)


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz", "train.parquet"])
def test_a_damaged_archive_is_one_sentence(name: str, tmp_path: Path) -> None:
    start = {"set.zip": b"PK\x03\x04", "set.tar.gz": b"\x1f\x8b\x08\0", "train.parquet": b"PAR1"}[name]
    (tmp_path / name).write_bytes(start + b"\x07" * 700)
    with pytest.raises(DataError, match="whole"):
        scan(tmp_path / name)


def test_a_row_without_an_image_is_listed(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [{"bytes": png(i), "path": None} for i in range(12)]
    cells[3] = {"bytes": None, "path": None}
    table = pa.table({"image": cells, "label": [f"{'ab'[i % 2]}" for i in range(12)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=4)
    manifest = scan(tmp_path / "rows.parquet")
    assert len(manifest.samples) == 11
    assert "has no image" in notes(manifest)


def test_a_row_with_a_path_alone_stands_for_that_file(photos: Path, tmp_path: Path) -> None:
    paths = sorted(photos.rglob("*.png"))
    cells: list[dict[str, Any]] = [{"bytes": None, "path": str(path)} for path in paths]
    cells[0] = {"bytes": paths[0].read_bytes(), "path": "kept.png"}
    table = pa.table({"image": cells, "label": [path.parent.name for path in paths]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=5)
    manifest = scan(tmp_path / "rows.parquet")
    assert {s.path for s in manifest.samples} == {"rows.parquet/image/0.png", *map(str, paths[1:])}
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.write(tmp_path / "rows.parquet", "rows.parquet")
    with pytest.raises(DataError, match="At least 2 classes"):
        scan(tmp_path / "rows.zip")  # which names no file of this machine


def test_rows_beyond_the_memory_are_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells: list[dict[str, Any]] = [{"bytes": png(i), "path": None} for i in range(12)]
    cells[1]["bytes"] = None
    table = pa.table({"image": cells, "label": [f"{'ab'[i % 2]}" for i in range(12)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=3)
    monkeypatch.setattr(rows, "_KEPT_BYTES", 1)
    pieces: list[int] = []
    piece = rows.ParquetRows.piece

    def counted(self: rows.ParquetRows, number: int, column: str) -> pa.ChunkedArray:
        pieces.append(number)
        return piece(self, number, column)

    monkeypatch.setattr(rows.ParquetRows, "piece", counted)
    for _ in range(2):
        for i in (11, 0, 5, 3, 8, 2):
            assert read_image(tmp_path / "rows.parquet" / "image" / f"{i}.png") == png(i)
    with pytest.raises(NotFoundError):
        read_image(tmp_path / "rows.parquet" / "image" / "1.png")
    assert len(pieces) <= 5  # the last piece may be asked for once more


def test_two_columns_of_images_are_a_question(tmp_path: Path) -> None:
    cells = [{"bytes": png(i), "path": None} for i in range(12)]
    table = pa.table({"left": cells, "right": cells[::-1], "label": [f"{'ab'[i % 2]}" for i in range(12)]})
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"left, right.*--path"):
        scan(tmp_path / "rows.parquet")
    assert len(scan(tmp_path / "rows.parquet", columns=Columns(path="right")).samples) == 12


def test_two_lists_are_a_question(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\nx.png,a\n")
    (tmp_path / "metadata.csv").write_text("file_name,label\nx.png,a\n")
    with pytest.raises(DataError, match=r"labels\.csv, metadata\.csv"):
        scan(tmp_path)


def test_paths_outside_the_table_are_used_and_said_and_refused_in_an_archive(
    photos: Path, tmp_path: Path
) -> None:
    rows = [f"{p},{p.parent.name}" for p in sorted(photos.rglob("*.png"))]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows]))
    manifest = scan(tmp_path / "t.csv")
    assert len(manifest.samples) == 16
    assert "16 images lie outside the folder of the table" in notes(manifest)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(tmp_path / "t.csv", "labels.csv")
    with pytest.raises(DataError) as raised:
        scan(tmp_path / "t.zip")
    assert "leads out of its archive" in "\n".join(raised.value.__notes__)


def test_coco_may_lack_categories_and_images(photos: Path, tmp_path: Path) -> None:
    paths = sorted(p.relative_to(photos).as_posix() for p in photos.rglob("*.png"))
    content: dict[str, Any] = {
        "images": [{"id": i, "file_name": p} for i, p in enumerate(paths)],
        "annotations": [{"image_id": i, "category_id": 5 + 90 * (p[0] == "b")} for i, p in enumerate(paths)],
        "categories": [{"id": 5, "name": "a"}, {"id": 95, "name": "b"}, {"id": 6, "name": "never"}],
    }
    content["annotations"] += [{"image_id": 0, "category_id": 7}, {"image_id": 999, "category_id": 5}]
    manifest = scan(dumped(photos / "coco.json", content))
    assert manifest.labels == ("a", "b")
    assert "names the category 7" in notes(manifest)
    assert "such as 999" in notes(manifest)
    content["categories"].append({"id": 5, "name": "again"})
    with pytest.raises(DataError, match=r"categories must have an id of its own.*5 more than once"):
        scan(dumped(photos / "coco.json", content))
    content["categories"].pop()
    content["annotations"].append({"image_id": 0, "category_id": 95})
    assert scan(dumped(photos / "coco.json", content)).label_set == ("a", "b")
    (photos / "coco.json").unlink()


def answer(*choices: str, cancelled: bool = False) -> dict[str, Any]:
    result = (
        [{"type": "choices", "from_name": "kind", "value": {"choices": list(choices)}}] if choices else []
    )
    return {"result": result, "was_cancelled": cancelled}


def test_annotators_who_differ_or_were_none_are_named(photos: Path, tmp_path: Path) -> None:
    tasks: list[dict[str, Any]] = [
        {
            "data": {"image": f"/data/local-files/?d={p.relative_to(photos)}"},
            "annotations": [answer(p.parent.name)],
        }
        for p in sorted(photos.rglob("*.png"))
    ]
    tasks[0]["annotations"].append(answer("b"))
    tasks[1]["annotations"] = [answer(cancelled=True)]
    tasks[2]["annotations"] = []
    manifest = scan(dumped(photos / "export.json", tasks))
    with pytest.raises(DataError, match="must be annotated images"):
        scan(dumped(photos / "export.json", [{**task, "annotations": []} for task in tasks]))
    (photos / "export.json").unlink()
    assert len(manifest.samples) == 13
    assert "differ (a / b)" in notes(manifest)
    assert notes(manifest).count("Nobody has annotated it") == 2


def test_xml_with_entities_is_refused(photos: Path) -> None:
    text = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><annotations><image name="&a;"/></annotations>'
    )
    (photos / "cvat.xml").write_text(text)
    with pytest.raises(DataError, match="document type"):
        scan(photos / "cvat.xml")
    (photos / "cvat.xml").unlink()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.jsonl", '{"path": "a.png", "label": "x"}\n{"path": ', "Line 2"),
        ("t.json", '[{"path": "a.png", "label": "x"}, 7]', "list of objects"),
        ("t.csv", "path,label\n\xe4.png,\xe4\n", "UTF-8"),
        ("t.parquet", "nothing", "readable"),
        ("notes.docx", "nothing", "none of them"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(name: str, content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=says):
        scan(tmp_path / name)


def test_what_does_not_exist_or_lacks_a_column_is_said(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="must exist"):
        scan(tmp_path / "gone.csv")
    with pytest.raises(NotFoundError, match="begin with https: are not read"):
        scan(Path("https://example.com/photos.zip"))
    (tmp_path / "labels.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"spreadsheet\. Save it as CSV"):
        scan(tmp_path / "labels.xlsx")
    with pytest.raises(DataError, match="class folders"):
        scan(photos, columns=Columns(label=("x",)))
    (tmp_path / "t.csv").write_text("path,label\nx.png,a\n")
    with pytest.raises(DataError, match="closest are: label"):
        scan(tmp_path / "t.csv", columns=Columns(label=("labels_",)))


def labelled(folder: Path, photos: Path, column: Callable[[int], str]) -> Manifest:
    paths = sorted(photos.rglob("*.png"))
    lines = ["path,label,patient_id", *(f"{p},{p.parent.name},{column(i)}" for i, p in enumerate(paths))]
    (folder / "t.csv").write_text("\n".join(lines))
    return scan(folder / "t.csv")


def test_patients_stay_together_unasked_where_they_recur(photos: Path, tmp_path: Path) -> None:
    manifest = labelled(tmp_path, photos, lambda i: f"p{i // 2}")
    parts = {(s.group, s.split) for s in manifest.samples}
    assert len(parts) == len({group for group, _ in parts}) == 8
    assert {s.group for s in labelled(tmp_path, photos, str).samples} == {""}


def test_labels_stay_text(photos: Path, tmp_path: Path) -> None:
    names = ("007", "None", "true", "1.0")
    lines = [f"{p},{names[i % 4]}" for i, p in enumerate(sorted(photos.rglob("*.png")))]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *lines]))
    assert scan(tmp_path / "t.csv").labels == tuple(sorted(names))
