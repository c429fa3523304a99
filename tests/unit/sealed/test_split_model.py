"""The two graphs of a sealed model answer as the whole file does, and rows that are kept need no image."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from eyebright.backbones import embedded
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.decode import decode
from eyebright.data.folder import scan_part
from eyebright.data.manifest import Manifest
from eyebright.runs.run import Run
from eyebright.sealed import inference as module
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.inference import PredictedBlock, predict_blocks
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.sealed.split_model import split_at_features
from eyebright.training.cache.usage import usage
from eyebright.training.linear_probe.features import training_preprocessing
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import JsonObject

LABELS = ("global", "local", "nominal")


def sealed(path: Path, layers: str = "texture", size: int = 96, seed: int = 0) -> SealedModel:
    """A model with a random head on the embedded network."""
    taps = feature_layer_sets(embedded.card())[layers]
    weights = 0.01 * np.random.default_rng(seed).standard_normal((width(taps), 3), dtype=np.float32)
    preprocessing = training_preprocessing(embedded.card(), size)
    head = LinearHead(weights, np.zeros(3, np.float32))
    graph = sealed_graph(embedded.model(), preprocessing, taps, head, 1.5)
    card: JsonObject = {"backbone": "lite0", "preprocessing": asdict(preprocessing)}
    write_sealed(path, graph, LABELS, {"card": card})
    return SealedModel(path, threads=1)


@pytest.fixture
def manifest(textile: Path) -> Manifest:
    return scan_part(textile / "val", "val")


def asked(model: SealedModel, manifest: Manifest, cache: Path | None = None) -> PredictedBlock:
    """All blocks as one; `root` may be gone where the cache holds every image."""
    blocks = list(predict_blocks(model, manifest.root, manifest.samples, cache))
    features = [b.features for b in blocks if b.features is not None]
    return PredictedBlock(
        [s for b in blocks for s in b.samples],
        np.concatenate(features) if features else None,
        np.concatenate([b.probabilities for b in blocks]),
        [s for b in blocks for s in b.skipped],
    )


def without_images(manifest: Manifest, tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "nowhere", manifest.samples)


@pytest.mark.parametrize(("layers", "size"), [("texture", 96), ("all", 64)])
def test_the_halves_answer_as_the_whole_file(
    photographs: dict[str, Image.Image], tmp_path: Path, layers: str, size: int
) -> None:
    model = sealed(tmp_path / "m.onnx", layers, size)
    assert model.split_model is not None
    largest = 0.0
    for image in photographs.values():
        pixels = decode(image)[None]
        features = model.split_model.features(pixels)
        assert features.shape == (1, model.split_model.width)
        difference = model.split_model.probabilities(features) - model.probabilities(pixels)
        largest = max(largest, float(np.abs(difference).max()))
    print(f"{layers}, {size} px: whole and split model differ by at most {largest:.2e}")
    assert largest < 1e-6


def test_a_training_reports_what_the_whole_file_answers(textile_run: Run, manifest: Manifest) -> None:
    model = SealedModel(textile_run.model, threads=1)
    block = asked(model, manifest)
    whole = [model.probabilities(decode(manifest.root / s.path, min_side=96)[None])[0] for s in block.samples]
    np.testing.assert_allclose(block.probabilities, whole, atol=1e-6)


def test_images_that_were_asked_about_before_are_not_opened(manifest: Manifest, tmp_path: Path) -> None:
    model = sealed(tmp_path / "m.onnx")
    first = asked(model, manifest, tmp_path / "cache")
    again = asked(model, without_images(manifest, tmp_path), tmp_path / "cache")
    assert len(again.samples) == len(manifest.samples) == 30
    np.testing.assert_array_equal(again.features, first.features)
    np.testing.assert_array_equal(again.probabilities, first.probabilities)


def test_another_head_on_the_same_network_asks_its_own_half_only(manifest: Manifest, tmp_path: Path) -> None:
    first = asked(sealed(tmp_path / "a.onnx"), manifest, tmp_path / "cache")
    other = sealed(tmp_path / "b.onnx", seed=1)
    kept = asked(other, without_images(manifest, tmp_path), tmp_path / "cache")
    np.testing.assert_array_equal(kept.features, first.features)
    np.testing.assert_allclose(kept.probabilities, asked(other, manifest).probabilities, atol=1e-6)
    assert np.abs(kept.probabilities - first.probabilities).max() > 0.01


@pytest.mark.parametrize("other", [{"size": 64}, {"layers": "stages"}])
def test_another_first_half_finds_nothing(
    manifest: Manifest, tmp_path: Path, other: dict[str, object]
) -> None:
    asked(sealed(tmp_path / "a.onnx"), manifest, tmp_path / "cache")
    model = sealed(tmp_path / "b.onnx", **other)
    assert len(asked(model, without_images(manifest, tmp_path), tmp_path / "cache").skipped) == 30


def test_no_more_is_kept_than_there_is_room_for(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sealed(tmp_path / "m.onnx")
    monkeypatch.setattr(module, "_SPACE_BYTES", 7 * 4 * 480)
    first = asked(model, manifest, tmp_path / "cache")
    assert [space.images for space in usage(tmp_path / "cache")] == [7]
    again = asked(model, manifest, tmp_path / "cache")
    assert [space.images for space in usage(tmp_path / "cache")] == [7]
    np.testing.assert_array_equal(again.features, first.features)
    assert len(asked(model, without_images(manifest, tmp_path), tmp_path / "cache").samples) == 7


def test_rows_of_models_that_were_asked_longest_ago_make_room(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SPACE_BYTES", 100_000)
    monkeypatch.setattr(module, "_ALL_SPACES_BYTES", 200_000)
    for size in (64, 96, 128):
        asked(sealed(tmp_path / f"{size}.onnx", size=size), manifest, tmp_path / "cache")
    assert [space.name.split()[1] for space in usage(tmp_path / "cache")] == ["128", "96"]


def test_a_cache_that_cannot_be_written_costs_no_answer(manifest: Manifest, tmp_path: Path) -> None:
    model = sealed(tmp_path / "m.onnx")
    (tmp_path / "file").write_text("no folder")
    block = asked(model, manifest, tmp_path / "file")
    np.testing.assert_array_equal(block.probabilities, asked(model, manifest).probabilities)


def test_what_cannot_be_read_is_told_and_the_rest_is_in_order(manifest: Manifest, tmp_path: Path) -> None:
    root = Path(shutil.copytree(manifest.root, tmp_path / "val"))
    gone, cut_off = manifest.samples[3], manifest.samples[20]
    (root / gone.path).unlink()
    (root / cut_off.path).write_bytes((root / cut_off.path).read_bytes()[:900])
    model = sealed(tmp_path / "m.onnx")
    block = asked(model, Manifest(root, manifest.samples), tmp_path / "cache")
    assert [s.path for s in block.skipped] == [gone.path, cut_off.path]
    kept = [s for s in manifest.samples if s not in (gone, cut_off)]
    assert list(block.samples) == kept
    whole = asked(model, Manifest(manifest.root, tuple(kept)))
    np.testing.assert_array_equal(block.probabilities, whole.probabilities)


def test_a_file_that_cannot_be_cut_is_asked_as_a_whole(manifest: Manifest, tmp_path: Path) -> None:
    model = sealed(tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx")
    for node in graph.graph.node:  # as a converter may, that gives values its own names
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = "value_17" if name == "features" else name
    assert split_at_features(graph) is None
    onnx.save(graph, tmp_path / "renamed.onnx")
    block = asked(SealedModel(tmp_path / "renamed.onnx", threads=1), manifest, tmp_path / "cache")
    assert block.features is None
    np.testing.assert_allclose(block.probabilities, asked(model, manifest).probabilities, atol=1e-6)
    assert not usage(tmp_path / "cache")


def test_a_file_whose_answer_hangs_on_more_than_its_features_is_not_cut(tmp_path: Path) -> None:
    sealed(tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx")
    gemm = next(node for node in graph.graph.node if node.op_type == "Gemm")
    graph.graph.node.insert(0, onnx.helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0))
    at = list(graph.graph.node).index(gemm)
    cast = onnx.helper.make_node("Cast", ["brightest"], ["bright"], to=onnx.TensorProto.FLOAT)
    added = onnx.helper.make_node("Add", [gemm.output[0], "bright"], ["lit"])
    next(node for node in graph.graph.node if node.op_type == "Softmax").input[0] = "lit"
    graph.graph.node.insert(at + 1, cast)
    graph.graph.node.insert(at + 2, added)
    onnx.checker.check_model(graph)
    assert split_at_features(graph) is None


def test_a_file_that_changed_after_its_hash_was_taken_is_skipped(manifest: Manifest, tmp_path: Path) -> None:
    model, cache = sealed(tmp_path / "m.onnx"), tmp_path / "cache"
    root = Path(shutil.copytree(manifest.root, tmp_path / "images"))
    first, other = (root / s.path for s in manifest.samples[:2])
    kept = first.read_bytes()
    first.write_bytes(other.read_bytes())
    block = asked(model, replace(manifest, root=root), cache)
    assert [s.path for s in block.skipped] == [manifest.samples[0].path]
    first.write_bytes(kept)
    again = asked(model, replace(manifest, root=root), cache)
    np.testing.assert_array_equal(again.features, asked(model, manifest).features)
