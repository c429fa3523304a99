"""Inspecting a file tells what it is and notices when it was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest

from eyebright.cli.main import main
from eyebright.errors import ModelError, NotFoundError
from eyebright.exporting.base import ExportSource
from eyebright.exporting.certificate.signature import with_sizes
from eyebright.exporting.formats.offline_page import OfflinePage
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.verbs.export.export import export
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.inspect.inspect import inspect
from eyebright.verbs.inspect.options import InspectConfig
from eyebright.verbs.inspect.result import Inspection


@pytest.fixture(scope="module")
def folders(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("exports")
    export(ExportConfig(model=textile_run.directory, to=["onnx", "openvino"], out=out, max_images=6))
    return {name: out / name for name in ("onnx", "openvino")}


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders["openvino"], tmp_path / "openvino"))


def looked_at(path: Path) -> Inspection:
    return inspect(InspectConfig(path=path))


def test_a_run_is_its_sealed_model(textile_run: Run) -> None:
    found = looked_at(textile_run.directory)
    assert (found.kind, found.path) == ("sealed", textile_run.model)
    assert found.labels == textile_run.labels
    assert found.licence == {"weights": "Apache-2.0", "data": None}
    assert found.hashes["sha256"] == textile_run.metrics["model_sha256"]
    assert found.hashes["data_sha"] == textile_run.metrics["data_sha"]
    assert found.metrics is not None
    assert found.metrics["accuracy"] == textile_run.metrics["accuracy"]
    assert found.signature is not None
    assert [str(t) for t in found.signature.inputs] == ["images  uint8 (B, H, W, 3)"]
    assert str(found.signature.outputs[0]) == "probabilities  float32 (B, 3)"
    assert [(c.name, c.state) for c in found.files] == [("model.onnx", "unchanged")]


def test_a_model_that_was_moved_has_nothing_to_be_checked_with(textile_run: Run, tmp_path: Path) -> None:
    alone = Path(shutil.copy(textile_run.model, tmp_path / "moved.onnx"))
    found = looked_at(alone)
    assert found.labels == textile_run.labels
    assert found.files == ()
    assert found.untouched


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_an_export_is_told_by_its_folder_and_by_each_of_its_files(
    folders: dict[str, Path], textile_run: Run, name: str
) -> None:
    for path in [folders[name], *folders[name].iterdir()]:
        found = looked_at(path)
        assert (found.kind, found.format, found.passed) == ("export", name, True)
        assert found.path.resolve() == folders[name].resolve()
        assert found.labels == textile_run.labels
        assert found.hashes["parent_sha256"] == textile_run.metrics["model_sha256"]
        assert found.untouched
        assert len(found.files) == len(list(folders[name].iterdir())) - 1  # all but the certificate


def test_a_package_is_told_by_its_deepest_file_and_by_each_of_its_folders(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """A certificate that names the files of a Core ML package, as coremltools lays them."""
    folder = Path(shutil.copytree(folders["onnx"], tmp_path / "coreml"))
    content = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    deepest = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    (folder / deepest).parent.mkdir(parents=True)
    (folder / "model.onnx").rename(folder / deepest)
    content["files"] = {deepest: content["files"]["model.onnx"]}
    (folder / "certificate.json").write_text(json.dumps(content), encoding="utf-8")
    for path in (folder / "model.mlpackage").rglob("*"):
        assert (looked_at(path).path, looked_at(path).untouched) == (folder, True)
    assert looked_at(folder / "model.mlpackage").path == folder
    (folder / "model.mlpackage" / "other").mkdir()
    with pytest.raises((ModelError, NotFoundError)):
        looked_at(folder / "model.mlpackage" / "other")


def test_a_smaller_model_names_the_one_that_it_was_made_from(textile_run: Run, tmp_path: Path) -> None:
    graph = onnx.load(textile_run.model)
    graph.metadata_props.add(key="parent_sha256", value="0" * 64)  # as prune, distill and shrink write it
    onnx.save(graph, tmp_path / "model.onnx")
    assert looked_at(tmp_path).hashes["parent_sha256"] == "0" * 64
    assert looked_at(textile_run.directory).hashes["parent_sha256"] is None


def test_openvino_tells_its_inputs(folders: dict[str, Path]) -> None:
    graph = looked_at(folders["openvino"]).signature
    assert graph is not None
    assert [str(t) for t in graph.inputs] == ["images  uint8 (1, ?, ?, 3)"]
    outputs = ["probabilities  float32 (1, 3)", "answer  int64 (1)", "unknown_score  float32 (1)"]
    assert [str(t) for t in graph.outputs] == outputs


def test_an_openvino_model_alone_says_what_it_is(
    folders: dict[str, Path], textile_run: Run, tmp_path: Path
) -> None:
    for suffix in ("xml", "bin"):
        shutil.copy(folders["openvino"] / f"model.{suffix}", tmp_path)
    assert looked_at(tmp_path / "model.xml").labels == textile_run.labels


def test_a_page_that_was_moved_says_what_it_is(textile_run: Run, tmp_path: Path) -> None:
    model = SealedModel(textile_run.model)
    OfflinePage().export(ExportSource(model, onnx.load(model.path), "fp32"), tmp_path)
    found = looked_at((tmp_path / "index.html").rename(tmp_path / "sorter.html"))
    assert (found.kind, found.format) == ("sealed", "html")
    assert found.labels == textile_run.labels
    assert found.signature is not None
    outputs = ["probabilities", "unknown_score", "answer", "heat"]
    assert [t.name for t in found.signature.outputs] == outputs


@pytest.mark.parametrize("name", ["model.bin", "provenance.json", "labels.txt", "example.py"])
def test_a_changed_file_is_named(copied: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    if name == "provenance.json":  # still JSON, of other types
        (copied / name).write_text(json.dumps({"labels": 5, "licence": None, "card": 1}))
    found = looked_at(copied)
    assert [c.name for c in found.files if c.state == "changed"] == [name]
    assert main(["inspect", str(copied)]) == 1
    assert f"CHANGED: {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes", [{"notes": 5}, {"versions": [1]}, {"files": {"../run/model.onnx": "0"}}, {"files": 1}]
)
def test_a_certificate_of_another_form_is_refused(copied: Path, changes: dict[str, object]) -> None:
    file = copied / "certificate.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(ModelError, match="must be a file written by `eyebright export`"):
        looked_at(copied)


def test_a_file_that_is_gone_is_named(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "model.bin").unlink()
    assert main(["inspect", str(copied / "model.xml"), "--lang", "zh"]) == 1
    assert "缺失：model.bin" in capsys.readouterr().out


def test_a_changed_model_of_a_run_is_named(textile_run: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(textile_run.directory, tmp_path / "run"))
    proto = onnx.load(run / "model.onnx")
    proto.producer_name = "somebody else"
    onnx.save(proto, run / "model.onnx")
    assert not looked_at(run).untouched


def test_a_rejected_export_is_still_what_was_written(textile_run: Run, tmp_path: Path) -> None:
    from eyebright.verbs.export.folder import CERTIFICATE, rejected

    export(ExportConfig(model=textile_run.directory, to=["onnx"], out=tmp_path, max_images=6))
    written = json.loads((tmp_path / "onnx" / CERTIFICATE).read_text())
    certificate = written | {"passed": False, "sidecar_files": {}}
    for name in ("provenance.json", "labels.txt"):
        (tmp_path / "onnx" / name).unlink()
    (tmp_path / "onnx" / CERTIFICATE).write_text(json.dumps(certificate))
    rejected(tmp_path / "onnx", tmp_path / "onnx-rejected")
    found = looked_at(tmp_path / "onnx-rejected" / "model.onnx.rejected")
    assert (found.passed, found.untouched) == (False, True)


@pytest.mark.parametrize(
    "name", ["photo.jpg", "other.onnx", "other.xml", "other.html", "folder", "certificate.json"]
)
def test_what_is_not_ours_is_refused(tmp_path: Path, textile: Path, name: str) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name == "other.onnx":
        value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        node = onnx.helper.make_node("Identity", ["x"], ["y"])
        out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [out])), path)
    else:
        shutil.copy(next(textile.rglob("*.jpg")), path)
    with pytest.raises(ModelError):
        looked_at(path)


def test_what_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="must exist"):
        looked_at(tmp_path / "gone.onnx")


def test_the_terminal_shows_it(textile_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(textile_run.directory)]) == 0
    shown = capsys.readouterr().out
    for text in (
        "3: global, local, nominal",
        "Apache-2.0",
        "images  uint8 (B, H, W, 3)",
        "Accuracy",
        "OK: 1",
    ):
        assert text in shown
    assert main(["inspect", str(textile_run.model), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["labels"] == list(textile_run.labels)
    assert content["untouched"] is True
    assert content["signature"]["inputs"][0]["shape"] == ["B", "H", "W", 3]


def test_sizes_stand_for_letters() -> None:
    sentence = "float32 (B, 3, S, S); probabilities (B, K)"
    assert with_sizes(sentence, 224, 6) == "float32 (B, 3, 224, 224); probabilities (B, 6)"
