"""The certificate: what it takes to pass, what it says, and that it cannot be fooled by a wrong export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from languages import chinese
from onnx import numpy_helper

from eyebright.data.decode import decode
from eyebright.data.manifest_file import read_manifest
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.exporting.base import ExportSource, Precision
from eyebright.exporting.certificate.certificate import AcceptanceCriteria, Certificate, _shortfalls, certify
from eyebright.exporting.certificate.comparison import (
    ExportComparison,
    ExportedPredictions,
    ReferencePredictions,
)
from eyebright.exporting.certificate.hashes import sha256, sha256_of
from eyebright.exporting.formats.onnx_file import PlainOnnx, SealedOnnx
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.task.task import MultiClass
from eyebright.types import UInt8Array


@pytest.fixture(scope="module")
def source(textile_run: Run) -> ExportSource:
    return ExportSource(SealedModel(textile_run.model, threads=1), onnx.load(textile_run.model))


@pytest.fixture(scope="module")
def originals(textile_run: Run, source: ExportSource) -> ReferencePredictions:
    manifest = read_manifest(textile_run.directory / "manifest.parquet")
    samples = manifest.of("val")

    def pixels() -> Iterator[UInt8Array]:
        return (decode(manifest.root / sample.path) for sample in samples)

    rows = [source.model.predict_batch(image[None]) for image in pixels()]
    return ReferencePredictions(
        np.concatenate([probabilities for probabilities, _ in rows]),
        MultiClass().encode(samples, source.labels),
        pixels,
        "val",
        source.model.decisions,
        np.concatenate([scores for _, scores in rows if scores is not None]),
    )


def certified(
    source: ExportSource,
    originals: ReferencePredictions,
    folder: Path,
    target: SealedOnnx | PlainOnnx,
    bar: AcceptanceCriteria | None = None,
) -> Certificate:
    folder.mkdir(exist_ok=True)
    target.export(source, folder)
    asked = []
    found = certify(
        target,
        source,
        folder,
        originals,
        bar or AcceptanceCriteria(),
        versions={"onnx": onnx.__version__},
        details={},
        on_image=lambda: asked.append(1),
    )
    assert len(asked) == len(originals.truth)
    return found


def test_the_original_itself_passes(source: ExportSource, originals: ReferencePredictions, tmp_path: Path):
    found = certified(source, originals, tmp_path, SealedOnnx())
    assert found.passed
    assert found.comparison.agreement == 1
    assert found.comparison.max_difference < 1e-5
    assert found.comparison.accuracy == found.comparison.accuracy_original > 0.4
    assert found.speed.latency_ms > 0
    assert found.speed.latency_original_ms > 0
    assert found.speed.images_per_second > 0


def test_the_json_has_the_fields_that_others_rely_on(
    source: ExportSource, originals: ReferencePredictions, tmp_path: Path
):
    content = json.loads(json.dumps(certified(source, originals, tmp_path, SealedOnnx()).to_json()))
    promised = {"format", "passed", "images", "agreement", "accuracy", "accuracy_original"}
    promised |= {"accuracy_difference", "max_difference", "mean_difference", "latency_ms"}
    promised |= {"images_per_second", "size_bytes", "sha256", "versions"}
    assert promised <= set(content)
    assert set(content["accuracy_difference"]) == {"value", "low", "high"}
    assert content["sha256"] == sha256(tmp_path / "model.onnx")
    assert content["size_bytes"] == (tmp_path / "model.onnx").stat().st_size
    assert content["parent_sha256"] == sha256(source.model.path)


def test_a_forgotten_normalisation_is_rejected(
    source: ExportSource, originals: ReferencePredictions, tmp_path: Path
):
    class Forgetful(ExportSource):
        def normalised(self, image: UInt8Array) -> np.ndarray:
            return self.resized(image)

    wrong = Forgetful(source.model, source.graph)
    found = certified(wrong, originals, tmp_path, PlainOnnx())
    assert not found.passed
    assert "gives the same answer on" in found.reasons[0].text()
    assert chinese(found.reasons[0]) != found.reasons[0].text()


def test_swapped_colours_are_rejected(source: ExportSource, originals: ReferencePredictions, tmp_path: Path):
    """Textile is all but grey, so the colours are told apart by a tint that is put over the images."""
    tint = np.array([255, 90, 0])

    def tinted() -> Iterator[UInt8Array]:
        return (((image * 0.6) + tint * 0.4).astype(np.uint8) for image in originals.pixels())

    class Swapped(ExportSource):
        def resized(self, image: UInt8Array) -> np.ndarray:
            return super().resized(image[:, :, ::-1])

    rows = [source.model.predict_batch(image[None]) for image in tinted()]
    expected = np.concatenate([probabilities for probabilities, _ in rows])
    scores = np.concatenate([scores for _, scores in rows if scores is not None])
    tinted_originals = replace(originals, probabilities=expected, scores=scores, pixels=tinted)
    assert certified(source, tinted_originals, tmp_path / "right", PlainOnnx()).passed
    wrong = Swapped(source.model, source.graph)
    assert not certified(wrong, tinted_originals, tmp_path / "wrong", PlainOnnx()).passed


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_destroyed_weight_is_rejected(
    precision: Precision, source: ExportSource, originals: ReferencePredictions, tmp_path: Path
):
    broken = onnx.ModelProto()
    broken.CopyFrom(source.graph)
    kernels = [t for t in broken.graph.initializer if len(t.dims) == 4 and t.dims[0] > 8]
    assert kernels
    kernels[0].CopyFrom(numpy_helper.from_array(-3 * numpy_helper.to_array(kernels[0]), kernels[0].name))
    found = certified(ExportSource(source.model, broken, precision), originals, tmp_path, SealedOnnx())
    assert not found.passed


def test_probabilities_that_are_no_numbers_are_rejected(
    source: ExportSource, originals: ReferencePredictions, tmp_path: Path
):
    broken = onnx.ModelProto()
    broken.CopyFrom(source.graph)
    bias = next(t for t in broken.graph.initializer if t.name == "sealed_bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(bias.dims, np.nan, np.float32), bias.name))
    found = certified(ExportSource(source.model, broken), originals, tmp_path, SealedOnnx())
    assert [reason.text() for reason in found.reasons] == ["Some of its probabilities are NaN or infinite."]
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["max_difference"] is None
    assert content["images"] == 30


def test_the_bar_can_be_set(source: ExportSource, originals: ReferencePredictions, tmp_path: Path):
    wrong = replace(originals, probabilities=np.roll(originals.probabilities, 1, axis=1))
    assert not certified(source, wrong, tmp_path, SealedOnnx()).passed
    assert certified(source, wrong, tmp_path, SealedOnnx(), AcceptanceCriteria(min_agreement=0)).passed


def test_a_loss_of_exactly_what_may_be_lost_passes():
    right = np.eye(2, dtype=np.float32)[np.zeros(1000, int)]
    truth = np.zeros(1000, int)
    before = ReferencePredictions(right, truth, lambda: iter(()), "val", Decisions(np.full(2, np.nan)))
    for wrong, passes in ((7, True), (8, False)):
        answers = right.copy()
        answers[:wrong] = answers[:wrong, ::-1]
        comparison = ExportComparison.of(ExportedPredictions(answers), before)
        found = _shortfalls("int8", answers, comparison, AcceptanceCriteria(max_loss=0.7 / 100))
        assert (found == ()) == passes


def test_the_hash_of_several_files_is_that_of_their_list():
    assert sha256_of({"a": "1"}) == "1"
    assert sha256_of({"a": "1", "b": "2"}) == sha256_of({"b": "2", "a": "1"})
    assert sha256_of({"a": "1", "b": "2"}) != sha256_of({"a": "2", "b": "1"})
