"""A certificate, provenance or page that is not ours is one sentence; no name leads out of the folder."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from eyebright.errors import ModelError
from eyebright.exporting.certificate.integrity import CERTIFICATE, check_files, read_certificate
from eyebright.exporting.certificate.provenance import PROVENANCE, read_provenance
from eyebright.exporting.formats import html_page
from eyebright.exporting.formats.html_page import embedded_model

FIELDS = {"format": "onnx", "files": {"model.onnx": "5e"}, "passed": True, "notes": ["slow"]}


def written(folder: Path, name: str, content: object) -> Path:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def test_a_certificate_reads_back_and_an_earlier_one_too(tmp_path: Path) -> None:
    found = read_certificate(written(tmp_path, CERTIFICATE, FIELDS | {"beside": {"labels.txt": "1c"}}))
    assert (found.format, found.files, found.notes) == ("onnx", {"model.onnx": "5e"}, ("slow",))
    assert [(check.name, check.state) for check in check_files(tmp_path, found)] == [
        ("model.onnx", "missing"),
        ("labels.txt", "missing"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        FIELDS | {"files": {"../../etc/passwd": "x"}},
        FIELDS | {"files": {"/etc/passwd": "x"}},
        FIELDS | {"files": {"a\0b": "x"}},
        FIELDS | {"files": {"..\\a": "x"}},
        FIELDS | {"files": {"model.onnx": 5}},
        FIELDS | {"beside": [1]},
        FIELDS | {"notes": "abc"},
        FIELDS | {"versions": {"a": {}}},
        FIELDS | {"passed": "no"},
        FIELDS | {"parent_sha256": {}},
    ],
)
def test_a_certificate_of_another_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be a file written by `eyebright export`") as caught:
        read_certificate(written(tmp_path, CERTIFICATE, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["null", "[" * 100_000, {"labels": [1]}, {"licence": {"weights": 5}}, {"card": {}}, {"metrics": 5}],
)
def test_a_provenance_of_another_is_refused(content: object, tmp_path: Path) -> None:
    assert read_provenance(tmp_path).labels == ()
    with pytest.raises(ModelError, match=r"provenance\.json must be"):
        read_provenance(written(tmp_path, PROVENANCE, content))


def page(packed: bytes | str) -> str:
    block = packed if isinstance(packed, str) else base64.b64encode(packed).decode("ascii")
    return f'<script type="text/plain" data-block="model">\n{block}\n</script>'


def test_the_model_in_a_page_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedded_model(page(gzip.compress(b"weights"))) == b"weights"
    monkeypatch.setattr(html_page, "_MOST_UNPACKED", 100)
    bomb = gzip.compress(b"\0" * 10_000_000, 1)
    with pytest.raises(ModelError, match="Unpacking this one failed: it is incomplete"):
        embedded_model(page(bomb))


@pytest.mark.parametrize("packed", ["!!!!", "é" * 40, "abc", b"not gzip", gzip.compress(b"weights")[:-9]])
def test_a_page_that_cannot_be_unpacked_is_told(packed: bytes | str) -> None:
    with pytest.raises(ModelError, match="The page must contain a model"):
        embedded_model(page(packed))
