"""`eyebright export` as a user runs it: certified folders, honest exit statuses, and nothing half written."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from command_line import eyebright, refused
from PIL import Image
from unix import UNIX

from eyebright import api
from eyebright.exporting.base import ExportSource
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.formats.onnx_file import OnnxRunner, PlainOnnx
from eyebright.runs.run import Run

PACKAGES = {"torchscript": "torch", "pt2": "torch", "coreml": "coremltools"}


@pytest.fixture
def run(textile_run: Run, tmp_path: Path) -> Path:
    """A copy of the run, to be spoilt; its images are where they were."""
    return Path(shutil.copytree(textile_run.directory, tmp_path / "run"))


def certificate(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    return content


def test_several_formats_at_once(run: Path) -> None:
    done = eyebright("export", run, "--to", "onnx", "openvino")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("passed") == 2
    folders = {path.name for path in (run / "exports").iterdir()}
    assert folders == {"onnx", "openvino"}
    for name in folders:
        found = certificate(run / "exports" / name)
        assert found["passed"]
        assert found["format"] == name
        assert found["images"] == 30
        assert found["agreement"] == 1
        assert set(found["files"]) <= {
            path.relative_to(run / "exports" / name).as_posix()
            for path in (run / "exports" / name).rglob("*")
        }


def test_a_plain_file_is_for_those_who_resize_themselves(run: Path, textile: Path, tmp_path: Path) -> None:
    done = eyebright("export", run, "--to", "onnx", "--plain", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "onnx-plain" / "model.onnx"))
    given = session.get_inputs()[0]
    assert (given.name, given.type, given.shape) == ("pixels", "tensor(float)", ["B", 3, 96, 96])
    image = Image.open(next((textile / "val").rglob("*.jpg"))).convert("RGB")
    rows = image.resize((96, image.height), Image.Resampling.BICUBIC)
    square = rows.resize((96, 96), Image.Resampling.BICUBIC)
    pixels = (np.asarray(square, np.float32) / 255 - 0.5) / 0.5
    batch = np.repeat(pixels.transpose(2, 0, 1)[None], 3, axis=0)
    answers = session.run(["probabilities"], {"pixels": batch})[0]
    expected = api.load(run).probabilities(np.asarray(image)[None])
    np.testing.assert_allclose(answers, np.repeat(expected, 3, axis=0), atol=1e-4)


def test_python_calls_the_same_stage(run: Path, tmp_path: Path) -> None:
    found = api.export(run, to=["onnx"], out=tmp_path / "out", max_images=7)
    assert found.passed
    assert [exported.name for exported in found.done] == ["onnx"]
    assert found.done[0].certificate.comparison.images == 7


def test_an_export_that_fails_is_set_aside(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A format that forgets the normalisation, through the same stage that the command line calls."""
    good = api.export(run, to=["onnx"])
    assert good.passed
    broken = PlainOnnx()
    monkeypatch.setattr(broken, "load", _forgetful, raising=True)
    monkeypatch.setitem(FORMATS, "onnx-plain", broken)
    found = api.export(run, to=["onnx"], plain=True)
    assert not found.passed
    folder = run / "exports" / "onnx-plain"
    assert {path.name for path in folder.iterdir()} >= {"certificate.json", "model.onnx.rejected"}
    assert not (folder / "model.onnx").exists()
    assert not certificate(folder)["passed"]
    assert certificate(folder)["reasons"]


def _forgetful(source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
    return OnnxRunner(folder / "model.onnx", threads, "pixels", source.resized)


def test_images_that_have_moved_are_found_by_their_content(run: Path, textile: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(textile, tmp_path / "moved"))
    first = next((moved / "val").rglob("*.jpg"))
    first.rename(first.with_name("renamed.jpg"))
    model = Path(shutil.copyfile(run / "model.onnx", tmp_path / "alone.onnx"))
    assert "Use a run directory, or name the images with --data." in refused(
        eyebright("export", model, "--to", "onnx")
    )
    done = eyebright("export", model, "--to", "onnx", "--data", moved, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert certificate(tmp_path / "out" / "onnx")["images"] == 30


def test_images_that_are_gone_are_asked_for(textile: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(textile, tmp_path / "data"))
    api.train(data, out=tmp_path / "run", size=96, layers="texture")
    shutil.rmtree(data / "val")
    sentence = refused(eyebright("export", tmp_path / "run", "--to", "onnx"))
    assert "Missing: 30 of 30 images" in sentence
    assert "--data" in sentence
    assert not (tmp_path / "run" / "exports").exists()


def test_what_is_no_model_of_ours(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a model")
    assert "A sealed model must be an ONNX file written by Eyebright." in refused(
        eyebright("export", other, "--to", "onnx")
    )
    assert "The model must exist." in refused(eyebright("export", tmp_path / "none", "--to", "onnx"))


def test_a_format_that_does_not_exist(run: Path) -> None:
    sentence = refused(eyebright("export", run, "--to", "openvina"), status=2)
    assert "openvino" in sentence


@UNIX
@pytest.mark.parametrize(
    "name",
    [
        "onnx",
        "openvino",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("torchscript", "pt2", "coreml")),
    ],
)
def test_a_full_disk_leaves_nothing_half_written(name: str, run: Path) -> None:
    def little_room() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    if name in PACKAGES and find_spec(PACKAGES[name]) is None:
        pytest.skip(f"needs {PACKAGES[name]}")
    done = eyebright("export", run, "--to", name, before=little_room)
    assert "The disk must have free space and be writable." in refused(done)
    assert not (run / "exports").exists()


def test_in_chinese(run: Path) -> None:
    done = eyebright("export", run, "--to", "onnx", "--lang", "zh")
    assert done.returncode == 0, done.stderr
    assert "通过" in done.stdout
