"""An export says where it comes from, and a model that was changed is not exported."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from eyebright.data.licence import data_licence
from eyebright.errors import ModelError
from eyebright.runs.run import Run
from eyebright.verbs.export.export import export
from eyebright.verbs.export.options import ExportConfig


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def folder(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports")
    export(ExportConfig(model=textile_run.directory, to=["onnx"], out=out, max_images=4))
    return out / "onnx"


@pytest.fixture(scope="module")
def provenance(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "provenance.json").read_text(encoding="utf-8")))


@pytest.fixture
def copied(textile_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(textile_run.directory, tmp_path / "run"))


def changed(model: Path) -> None:
    """Another producer's name in the file: it still runs, and answers the same."""
    proto = onnx.load(model)
    proto.producer_name = "somebody else"
    onnx.save(proto, model)


def test_training_writes_down_the_hash_of_the_model(textile_run: Run) -> None:
    assert textile_run.metrics["model_sha256"] == sha(textile_run.model)


def test_it_names_classes_licences_hashes_and_versions(provenance: dict[str, Any], textile_run: Run) -> None:
    assert provenance["labels"] == list(textile_run.labels)
    assert provenance["licence"] == {"weights": "Apache-2.0", "data": None}
    assert provenance["parent_sha256"] == sha(textile_run.model)
    assert provenance["config_sha256"] == sha(textile_run.directory / "config.toml")
    assert provenance["data_sha"] == textile_run.metrics["data_sha"]
    assert provenance["versions"]["training"] == textile_run.metrics["versions"]
    assert "onnxruntime" in provenance["versions"]["export"]
    assert (provenance["format"], provenance["precision"]) == ("onnx", "fp32")
    assert "uint8" in provenance["input"]
    assert provenance["metrics"]["accuracy"] == textile_run.metrics["accuracy"]


def test_the_certificate_holds_its_hash_and_counts_the_model_alone(folder: Path) -> None:
    certificate = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    assert certificate["sidecar_files"]["provenance.json"] == sha(folder / "provenance.json")
    assert certificate["files"] == {"model.onnx": sha(folder / "model.onnx")}
    assert certificate["sha256"] == sha(folder / "model.onnx")


def test_a_changed_model_is_refused(copied: Path) -> None:
    changed(copied / "model.onnx")
    with pytest.raises(ModelError, match="must be the file that the run wrote"):
        export(ExportConfig(model=copied, to=["onnx"], max_images=4))
    assert not (copied / "exports").exists()


@pytest.mark.parametrize("content", ["[1, 2]", "{", '"text"'])
def test_damaged_figures_are_named(copied: Path, content: str) -> None:
    (copied / "metrics.json").write_text(content)
    with pytest.raises(ModelError, match=r"metrics\.json must be the one its run wrote"):
        export(ExportConfig(model=copied, to=["onnx"], max_images=4))


def test_a_model_without_figures_beside_it_passes(copied: Path) -> None:
    (copied / "metrics.json").unlink()
    changed(copied / "model.onnx")
    assert export(ExportConfig(model=copied, to=["onnx"], max_images=4)).passed


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "LICENSE",
            "\n  Creative Commons  Attribution 4.0\nmore",
            "LICENSE: Creative Commons Attribution 4.0",
        ),
        ("licence.md", "CC0", "licence.md: CC0"),
        ("LICENSE.txt", "", "LICENSE.txt"),
        ("LICENSE.bin", "\udc80" * 1000, None),
        ("licensed.jpg", "x", None),
    ],
)
def test_the_licence_of_the_data_is_named_as_given(
    tmp_path: Path, name: str, content: str, expected: str | None
) -> None:
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    found = data_licence(tmp_path)
    if name == "LICENSE.bin":  # bytes that are no text: it is named, and no longer than a line
        assert found is not None
        assert len(found) < 220
    else:
        assert found == expected


def test_no_folder_has_no_licence(tmp_path: Path) -> None:
    assert data_licence(tmp_path / "gone") is None
