"""Grad-CAM on sealed files: equal to the exact map where both can be had, and sensible for transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from eyebright.backbones import embedded
from eyebright.backbones.backbone import Backbone
from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.explaining.choose import explainer
from eyebright.explaining.exact import Exact
from eyebright.explaining.places import last_places, one_image_graph
from eyebright.explaining.rollout import Rollout
from eyebright.runs.run import Run
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.heatmap import spread
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.training.linear_probe.features import training_preprocessing
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import UInt8Array

pytest.importorskip("captum", reason="needs eyebright[explain]")
from eyebright.explaining.gradcam import GradCam

SIDE = 96


def sealed(backbone: Backbone, size: int, kind: str = "final") -> onnx.ModelProto:
    """A sealed graph whose only features are the means of the last layer."""
    taps = [FeatureLayer(layer, "mean") for layer in backbone.card.layers if layer.kind == kind]
    width = sum(tap.width for tap in taps)
    weights = np.random.default_rng(0).normal(0, 0.05, (width, 3)).astype(np.float32)
    head = LinearHead(weights, np.zeros(3, np.float32))
    how = training_preprocessing(backbone.card, size)
    return sealed_graph(backbone.model(size), how, taps, head, 1.0)


@pytest.fixture(scope="module")
def cat(photographs: dict[str, Image.Image]) -> UInt8Array:
    return np.asarray(photographs["cat"])


@pytest.fixture(scope="module")
def transformer() -> onnx.ModelProto:
    """A vision transformer of timm with random weights, whose answer hangs on its class token alone."""
    from eyebright.backbones.torch.exported import ExportedBackbone
    from eyebright.backbones.zoo.timm import Timm

    return sealed(ExportedBackbone(Timm().build("test_vit", "none", None), None), 160)


def test_on_means_of_the_last_map_it_is_the_exact_map(cat: UInt8Array):
    graph = sealed(embedded.EmbeddedBackbone(), SIDE)
    heat = GradCam(graph, SIDE, "bicubic").heat(cat, 1)
    assert heat.shape == (3, 3)
    cells = spread(3, SIDE // 8)
    exact = Exact(graph).heat(cat, 1)
    np.testing.assert_allclose(cells.T @ heat @ cells, exact, atol=2e-3 * np.abs(exact).max())


def test_the_tokens_of_a_transformer_are_found_before_its_last_attention(transformer: onnx.ModelProto):
    places = next(last_places(one_image_graph(transformer, 160)))
    assert (places.order, places.side, places.prefix) == ("tokens", 10, 1)


def test_a_transformer_has_a_map_for_each_class(transformer: onnx.ModelProto, cat: UInt8Array):
    cam = GradCam(transformer, 160, "bicubic")
    first, second = cam.heat(cat, 0), cam.heat(cat, 1)
    assert first.shape == (10, 10)
    assert np.isfinite(first).all()
    assert first.std() > 0
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.99


def test_a_class_token_has_no_exact_map_so_that_auto_takes_gradients(
    transformer: onnx.ModelProto, textile_run: Run, tmp_path: Path
):
    known = SealedModel(textile_run.model)
    card = known.card.content
    card = card | {"preprocessing": card["preprocessing"] | {"size": 160}}
    write_sealed(tmp_path / "model.onnx", transformer, known.labels, {"card": card})
    assert explainer(SealedModel(tmp_path / "model.onnx")).method == "gradcam"


def test_roll_out_shares_the_answer_among_the_places(transformer: onnx.ModelProto, cat: UInt8Array):
    heat = Rollout(transformer, 160, "bicubic").heat(cat, 0)
    assert heat.shape == (10, 10)
    assert (heat >= 0).all()
    assert 0.1 < heat.sum() <= 1.0001
