"""What `export` does where something is wrong with the model, its images or one of the formats."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from languages import chinese

from eyebright.cli.main import main
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ConfigError, DataError, StorageError
from eyebright.exporting.base import ExportOutput, ExportSource, UnsupportedError
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.formats.onnx_file import OnnxRunner, SealedOnnx
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.types import UInt8Array
from eyebright.verbs.export.candidates import quantisation_candidates
from eyebright.verbs.export.export import export
from eyebright.verbs.export.folder import finished
from eyebright.verbs.export.images import ExportImages
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train


@pytest.fixture
def few(textile: Path, tmp_path: Path) -> Path:
    """The run's images, too few of them to calibrate on."""
    place = Path(shutil.copytree(textile, tmp_path / "few"))
    for number, path in enumerate(sorted((place / "train").rglob("*.jpg"))):
        if number % 8:
            path.unlink()
    return place


def test_every_format_hears_why_there_is_no_compressed_graph(
    textile_run: Run, few: Path, tmp_path: Path
) -> None:
    formats = ["onnx", "openvino", "triton"]
    found = export(
        ExportConfig(model=textile_run.directory, to=formats, int8=True, data=few, out=tmp_path / "out")
    )
    assert list(found.failed) == formats
    for error in found.failed.values():
        assert isinstance(error, DataError)
        assert "needs at least 20 training images" in error.text()


@pytest.fixture(scope="module", params=["int8", "fp16"])
def compressed(
    request: pytest.FixtureRequest, textile_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """The run with a compressed model, as somebody has it who copied an export over the model."""
    run = Path(shutil.copytree(textile_run.directory, tmp_path_factory.mktemp("compressed") / "run"))
    (run / "metrics.json").unlink()
    model = SealedModel(textile_run.model)
    manifest = read_manifest(run / "manifest.parquet")
    images = ExportImages(manifest.root, manifest.of("val"), manifest.of("train"))
    graph = next(quantisation_candidates(model, request.param, lambda: images, 0)).graph
    SealedOnnx().export(ExportSource(model, graph), run)
    return request.param, run


def content(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("again", ["int8", "fp16"])
def test_a_compressed_model_is_not_compressed_again(again: str, compressed: tuple[str, Path]) -> None:
    precision, run = compressed
    config = ExportConfig(model=run, to=["onnx"], **{again: True})
    with pytest.raises(UnsupportedError, match=f"is already {precision}") as caught:
        export(config)
    assert "压缩" in chinese(caught.value)


def test_a_compressed_model_is_called_so_as_it_is(compressed: tuple[str, Path], tmp_path: Path) -> None:
    precision, run = compressed
    formats = ["onnx", "openvino", "html"]
    found = export(ExportConfig(model=run, to=formats, out=tmp_path, max_images=6))
    assert found.passed
    assert [exported.name for exported in found.done] == formats
    for folder in (exported.folder for exported in found.done):
        assert content(folder / "certificate.json")["precision"] == precision
        assert content(folder / "provenance.json")["precision"] == precision
    page = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert precision in page.split("Numeric precision", 1)[1][:200]


def test_an_earlier_export_stays_where_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    earlier = tmp_path / "onnx"
    earlier.mkdir()
    (earlier / "model.onnx").write_text("earlier")
    with pytest.raises(OSError, match="No such file"):
        finished(tmp_path / "gone", earlier)
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]
    assert (earlier / "model.onnx").read_text() == "earlier"


def test_a_folder_that_is_no_export_is_left_alone(textile_run: Run, tmp_path: Path) -> None:
    own = tmp_path / "onnx" / "notes.txt"
    own.parent.mkdir()
    own.write_text("mine")
    (tmp_path / "openvino").mkdir()  # empty, so nothing can be lost
    config = ExportConfig(model=textile_run.directory, to=["onnx", "openvino"], out=tmp_path, max_images=3)
    exports = export(config)
    assert own.read_text() == "mine"
    assert "written by `eyebright export`" in str(exports.failed["onnx"])
    assert [done.name for done in exports.done] == ["openvino"]


class Failing(SealedOnnx):
    """A format whose converter, or whose runtime, raises an error of its own kind."""

    name = "triton"

    def __init__(self, fails_to: str) -> None:
        self.fails_to = fails_to

    def export(self, source: ExportSource, folder: Path) -> None:
        if self.fails_to == "convert":
            raise KeyError("aten::strange")
        super().export(source, folder)

    def load(self, source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
        if self.fails_to == "load":
            (folder / "model.onnx").write_bytes(b"nothing that ONNX Runtime reads")
        return super().load(source, folder, threads)


@pytest.mark.parametrize("fails_to", ["convert", "load"])
def test_an_error_of_one_format_leaves_the_others(
    fails_to: str, textile_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "triton", Failing(fails_to))
    formats = ["triton", "openvino"]
    found = export(ExportConfig(model=textile_run.directory, to=formats, out=tmp_path, max_images=4))
    assert [exported.name for exported in found.done] == ["openvino"]
    error = found.failed["triton"]
    assert isinstance(error, UnsupportedError)
    assert "Use another format, such as onnx or openvino." in error.text()
    assert "请使用其他格式" in chinese(error)
    assert error.__cause__ is not None
    assert [path.name for path in tmp_path.iterdir()] == ["openvino"]


def test_a_step_that_a_runtime_cannot_load_is_followed_by_the_next(
    textile_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(SealedOnnx):
        """Takes no graph but the second."""

        exported = 0

        def export(self, source: ExportSource, folder: Path) -> None:
            self.exported += 1
            super().export(source, folder)

        def load(self, source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
            if self.exported == 1:
                raise RuntimeError("no kernel")
            return super().load(source, folder, threads)

    monkeypatch.setitem(FORMATS, "onnx", Later())
    options: dict[str, Any] = {"int8": True, "max_loss": 100.0, "max_images": 4}
    (exported,) = export(ExportConfig(model=textile_run.directory, to=["onnx"], out=tmp_path, **options)).done
    assert exported.certificate.passed
    first = "int8, static, min-max ranges"
    assert exported.certificate.details["compression"] != first


def test_an_earlier_export_stays_until_the_ladder_is_at_its_end(
    textile_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first step is rejected, the second meets a full disk."""

    class NoNumbers:
        def predict(self, image: UInt8Array) -> ExportOutput:
            return ExportOutput(np.full(3, np.nan, np.float32))

    options: dict[str, Any] = {"int8": True, "max_images": 4, "out": tmp_path}
    config = ExportConfig(model=textile_run.directory, to=["onnx"], max_loss=100.0, **options)
    assert export(config).passed
    before = {path: path.read_bytes() for path in (tmp_path / "onnx-int8").iterdir()}

    class Full(SealedOnnx):
        exported = 0

        def export(self, source: ExportSource, folder: Path) -> None:
            self.exported += 1
            if self.exported == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().export(source, folder)

        def load(self, source: ExportSource, folder: Path, threads: int) -> Any:
            return NoNumbers()

    monkeypatch.setitem(FORMATS, "onnx", Full())
    with pytest.raises(StorageError):
        export(config)
    assert {path: path.read_bytes() for path in (tmp_path / "onnx-int8").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["onnx-int8"]


def test_the_terminal_tells_on_how_many_images_it_was_compared(
    textile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(textile, tmp_path / "data"))
    run = train(TrainConfig(data=data, out=tmp_path / "run", size=96, layers="texture"))
    damaged = next((data / "val").rglob("*.jpg"))
    damaged.write_bytes(damaged.read_bytes()[:-200])  # its header is whole
    assert main(["export", str(run.directory), "--to", "onnx"]) == 0
    shown = capsys.readouterr()
    head, row = (line for line in shown.out.splitlines() if "agreement" in line or "passed" in line)
    assert head.split()[0] == "images"
    assert row.split()[:2] == ["onnx", "29"]
    assert "1 of 30 images could not be read" in shown.err


def test_plain_is_refused_where_nothing_is_plain(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--plain applies to onnx only"):
        ExportConfig.build(model=tmp_path, to=["openvino", "html"], plain=True)
    assert ExportConfig(model=tmp_path, to=["openvino", "onnx"], plain=True).plain
