"""The same labelled images in every format that is read, written as the tools themselves write them."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pyarrow as pa
import pyarrow.parquet as pq

#: The class of each image by its path.
Images = Mapping[str, str]


def labels_csv(images: Path, labels: Images, out: Path) -> Path:
    """A table by itself, its paths absolute."""
    return _text(out / "t.csv", _csv(["path", "label"], [[str(images / p), c] for p, c in labels.items()]))


def excel_csv(images: Path, labels: Images, out: Path) -> Path:
    """What Excel writes where the comma is the decimal point, with the row numbers of pandas."""
    rows = [[str(i), str(images / p), c, f"{i},5"] for i, (p, c) in enumerate(labels.items())]
    text = _csv(["", "Datei name", "Klasse", "Wert"], rows, ";").replace("\n", "\r\n")
    return _text(
        out / "excel.csv", "\ufeff" + text.replace("Datei name", "file name").replace("Klasse", "class")
    )


def tsv(images: Path, labels: Images, out: Path) -> Path:
    return _text(
        out / "t.tsv", _csv(["图片", "标签"], [[str(images / p), c] for p, c in labels.items()], "\t")
    )


def json_lines(images: Path, labels: Images, out: Path) -> Path:
    lines = [json.dumps({"image": str(images / p), "label": c, "n": 1.0}) for p, c in labels.items()]
    return _text(out / "t.jsonl", "\n".join(lines) + "\n")


def parquet_table(images: Path, labels: Images, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    table = pa.table({"path": [str(images / p) for p in labels], "label": list(labels.values())})
    pq.write_table(table, out / "t.parquet")
    return out / "t.parquet"


def hf_folder(images: Path, labels: Images, out: Path) -> Path:
    for path in labels:
        _copy(images / path, out / path)
    _text(out / "metadata.csv", _csv(["file_name", "label"], [[p, c] for p, c in labels.items()]))
    return out


def hf_parquet(images: Path, labels: Images, out: Path) -> Path:
    """Shards whose numbers of classes have names in the schema, in small row groups."""
    for i, some in enumerate(_halves(labels)):
        name = out / "data" / f"train-{i:05}-of-00002.parquet"
        name.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_hf_table(images, some), name, row_group_size=5)
    return out


def saved_to_disk(images: Path, labels: Images, out: Path) -> Path:
    out.mkdir(parents=True)
    table = _hf_table(images, labels)
    with (
        pa.OSFile(str(out / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as w,
    ):
        w.write_table(table, max_chunksize=7)
    _text(
        out / "state.json",
        json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": None}),
    )
    _text(out / "dataset_info.json", "{}")
    return out


def webdataset(images: Path, labels: Images, out: Path) -> Path:
    for i, some in enumerate(_halves(labels)):
        files = {}
        for path, label in some.items():
            key = path.replace("/", "_").rpartition(".")[0]
            files[f"{key}.png"] = (images / path).read_bytes()
            files[f"{key}.cls"] = label.encode()
        _tar(out / f"shard-{i:06}.tar", files)
    return out


def webdataset_json(images: Path, labels: Images, out: Path) -> Path:
    files = {}
    for path, label in labels.items():
        key = path.replace("/", "_").rpartition(".")[0]
        files[f"{key}.png"] = (images / path).read_bytes()
        files[f"{key}.json"] = json.dumps({"label": label, "width": 8}).encode()
    return _tar(out / "one.tar", files)


def coco(images: Path, labels: Images, out: Path) -> Path:
    """Sparse categories, two boxes of the same category in each image."""
    classes = sorted(set(labels.values()))
    content = {
        "info": {},
        "images": [{"id": 100 + i, "file_name": p, "width": 8, "height": 8} for i, p in enumerate(labels)],
        "annotations": [
            {
                "id": 2 * i + k,
                "image_id": 100 + i,
                "category_id": 7 * classes.index(c) + 3,
                "bbox": [0, 0, 1, 1],
            }
            for i, c in enumerate(labels.values())
            for k in range(2)
        ],
        "categories": [{"id": 7 * i + 3, "name": name} for i, name in enumerate(classes)],
    }
    for path in labels:
        _copy(images / path, out / "images" / path)
    _text(out / "annotations" / "instances_default.json", json.dumps(content))
    return out


def label_studio(images: Path, labels: Images, out: Path) -> Path:
    tasks = [
        {
            "id": i,
            "data": {"image": f"/data/local-files/?d=photos/{p}"},
            "annotations": [_answer(label), _answer(label)],
            "predictions": [],
        }
        for i, (p, label) in enumerate(labels.items())
    ]
    for path in labels:
        _copy(images / path, out / path)
    _text(out / "export.json", json.dumps(tasks))
    return out


def label_studio_min(images: Path, labels: Images, out: Path) -> Path:
    """Uploads, whose names begin with eight digits on the server alone."""
    rows = [
        {
            "image": f"/data/upload/3/{i:08x}-{i}.png",
            "id": i,
            "choice": label,
            "annotator": 1,
            "annotation_id": i,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "lead_time": 1.5,
        }
        for i, label in enumerate(labels.values())
    ]
    for i, path in enumerate(labels):
        _copy(images / path, out / f"{i}.png")
    _text(out / "project-min.json", json.dumps(rows))
    return out


def cvat(images: Path, labels: Images, out: Path) -> Path:
    lines = [
        f'<image id="{i}" name={quoteattr(p)} width="8"><tag label={quoteattr(c)} source="manual"/></image>'
        for i, (p, c) in enumerate(labels.items())
    ]
    for path in labels:
        _copy(images / path, out / "images" / path)
    _text(
        out / "annotations.xml",
        '<?xml version="1.0"?>\n<annotations><version>1.1</version>' + "".join(lines) + "</annotations>",
    )
    return out


def zip_folders(images: Path, labels: Images, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in labels:
            archive.write(images / path, f"photos/{path}")
    return out / "set.zip"


def tar_folders(images: Path, labels: Images, out: Path) -> Path:
    return _tar(out / "set.tar", {p: (images / p).read_bytes() for p in labels})


def tar_gz_table(images: Path, labels: Images, out: Path) -> Path:
    files = {f"images/{i}.png": (images / p).read_bytes() for i, p in enumerate(labels)}
    rows = [[f"images/{i}.png", c] for i, c in enumerate(labels.values())]
    return _tar(out / "set.tar.gz", files | {"labels.csv": _csv(["path", "label"], rows).encode()}, "w:gz")


WRITERS: Mapping[str, Callable[[Path, Images, Path], Path]] = {
    writer.__name__: writer
    for writer in (
        *(
            labels_csv,
            excel_csv,
            tsv,
            json_lines,
            parquet_table,
            hf_folder,
            hf_parquet,
            saved_to_disk,
            webdataset,
        ),
        *(
            webdataset_json,
            coco,
            label_studio,
            label_studio_min,
            cvat,
            zip_folders,
            tar_folders,
            tar_gz_table,
        ),
    )
}


def _answer(label: str) -> dict[str, object]:
    result = {"type": "choices", "from_name": "choice", "to_name": "image", "value": {"choices": [label]}}
    return {"result": [result], "was_cancelled": False, "completed_by": 1}


def _hf_table(images: Path, labels: Images) -> pa.Table:
    names = ["cat", "dog"]
    kind = {"_type": "ClassLabel", "names": names}
    about = {"info": {"features": {"image": {"_type": "Image"}, "label": kind}}}
    cells = [{"bytes": (images / p).read_bytes(), "path": Path(p).name} for p in labels]
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={b"huggingface": json.dumps(about).encode()},
    )
    return pa.table({"image": cells, "label": [names.index(c) for c in labels.values()]}, schema=schema)


def _halves(labels: Images) -> list[Images]:
    items = list(labels.items())
    return [dict(items[::2]), dict(items[1::2])]


def _tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def _csv(header: list[str], rows: list[list[str]], delimiter: str = ",") -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path
