"""`eyebright export --int8` as a user runs it: certified, or rejected and said so."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from command_line import eyebright, refused
from onnx import ModelProto, numpy_helper
from PIL import Image

from eyebright.cli.main import main
from eyebright.compression.int8 import quantise, quantiser
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.runs.run import Run


@pytest.fixture(scope="module")
def exported(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("int8")
    arguments = ("--to", "onnx", "openvino", "--int8", "--max-loss", "4", "--out", out)
    done = eyebright("export", textile_run.directory, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return out, done.stdout + done.stderr


def certificate(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("name", ["onnx-int8", "openvino-int8"])
def test_the_certificate_passes_and_counts_integer_kernels(exported: tuple[Path, str], name: str) -> None:
    found = certificate(exported[0] / name)
    assert found["passed"]
    assert found["precision"] == "int8"
    assert found["criteria"]["max_loss"] == 0.04
    assert found["details"]["integer_kernels"] >= 10
    assert found["details"]["float_kernels"] <= found["details"]["integer_kernels"]
    assert any("on this machine" in note and "MB" in note for note in found["notes"])


def test_the_steps_are_told(exported: tuple[Path, str]) -> None:
    assert "int8, static" in exported[1]
    assert re.search(r"on this machine: [\d.]+ MB \(original:? [\d.]+ MB\)", exported[1])


def test_the_file_takes_raw_pixels_of_any_size(exported: tuple[Path, str], textile: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported[0] / "onnx-int8" / "model.onnx"))
    image = np.asarray(Image.open(next((textile / "val").rglob("*.jpg"))).convert("RGB"))
    for pixels in (image, image[:100, :171]):
        (probabilities,) = session.run(["probabilities"], {"images": pixels[None]})
        assert probabilities.shape == (1, 3)
        assert abs(float(probabilities.sum()) - 1) < 1e-4


def test_a_destroyed_weight_is_rejected_and_kept_aside(
    textile_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quantised = quantise.quantise_static

    def destroyed(*arguments: Any) -> ModelProto:
        graph = quantised(*arguments)
        for tensor in graph.graph.initializer:
            if len(tensor.dims) == 4 and tensor.dims[0] > 8:
                tensor.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(tensor), tensor.name))
        return graph

    monkeypatch.setattr(quantiser, "quantise_static", destroyed)
    arguments = ["--to", "onnx", "--int8", "--max-loss", "4", "--out", str(tmp_path)]
    assert main(["export", str(textile_run.directory), *arguments]) == 1
    folder = tmp_path / "onnx-int8"
    assert sorted(path.name for path in folder.iterdir()) == ["certificate.json", "model.onnx.rejected"]
    found = certificate(folder)
    assert not found["passed"]
    assert "percentage points" in found["reasons"][0]
    printed = capsys.readouterr()
    assert printed.err.count("Exporting to onnx-int8") > 1  # the next candidates were tried
    assert "REJECTED" in printed.out


def test_float16_is_certified_like_a_float_export(textile_run: Run, tmp_path: Path) -> None:
    arguments = ("--to", "onnx", "--fp16", "--min-agreement", "0.9", "--out", tmp_path)
    done = eyebright("export", textile_run.directory, *arguments)
    assert done.returncode == 0, done.stdout
    found = certificate(tmp_path / "onnx-fp16")
    assert found["precision"] == "fp16"
    assert found["max_difference"] < 0.05


def test_two_precisions_at_once_are_refused(textile_run: Run) -> None:
    done = eyebright("export", textile_run.directory, "--to", "onnx", "--int8", "--fp16")
    assert "An export has one precision. Got --int8 and --fp16." in refused(done, 2)


@pytest.mark.parametrize("count", [1, 12])
def test_too_few_images_to_calibrate_on_are_refused(count: int, textile_run: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(textile_run.directory, tmp_path / "run"))
    manifest = read_manifest(run / "manifest.parquet")
    few = (*manifest.of("val"), *manifest.of("train")[:count])
    write_manifest(replace(manifest, samples=few), run / "manifest.parquet")
    text = refused(eyebright("export", run, "--to", "onnx", "--int8"))
    assert "at least 20 training images" in text
    assert f"Found {count} readable image" in text


def test_training_images_that_are_gone_are_asked_for(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(textile_run.directory, tmp_path / "run"))
    shutil.copytree(textile / "val", tmp_path / "moved" / "val")
    manifest = read_manifest(run / "manifest.parquet")
    write_manifest(replace(manifest, root=tmp_path / "moved"), run / "manifest.parquet")
    text = refused(eyebright("export", run, "--to", "onnx", "--int8"))
    assert "training images" in text
    assert "--data" in text
