"""The sealed graph takes raw pixels of any size and does all that training did to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.decode import to_square
from eyebright.errors import ModelError
from eyebright.runs.run import Run
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.subgraphs import FEATURES, RESIZED, subgraph_from
from eyebright.task.logits import softmax
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray, UInt8Array

TAPS = feature_layer_sets(embedded.card())["texture"]
SIDE = 96
TEMPERATURE = 1.7
CLASSES = 4


@pytest.fixture(scope="module")
def head() -> LinearHead:
    """Any head will do; this one gives answers between 0 and 1."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.02, (width(TAPS), CLASSES)).astype(np.float32)
    return LinearHead(weights, rng.normal(0, 0.1, CLASSES).astype(np.float32))


def built(head: LinearHead, interpolation: str = "bicubic") -> onnx.ModelProto:
    how = replace(training_preprocessing(embedded.card(), SIDE), interpolation=interpolation)
    return sealed_graph(embedded.model(), how, TAPS, head, TEMPERATURE)


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def session(head: LinearHead) -> onnxruntime.InferenceSession:
    return opened(built(head))


@pytest.fixture(scope="module", params=["bicubic", "bilinear"])
def resizing(request: pytest.FixtureRequest, head: LinearHead) -> tuple[str, onnxruntime.InferenceSession]:
    """The graph with the resized pixels as one more output."""
    model = built(head, request.param)
    name = next(n.output[0] for n in model.graph.node[::-1] if n.output[0] == "columns_clipped")
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return request.param, opened(model)


def answer(session: onnxruntime.InferenceSession, *images: UInt8Array) -> FloatArray:
    return session.run(["probabilities"], {"images": np.stack(images)})[0]


SHAPES = {
    "down": (640, 427),
    "far down": (2000, 1500),
    "up": (40, 30),
    "digit": (28, 28),
    "same": (SIDE, SIDE),
    "wide": (640, 24),
    "tall": (17, 427),
    "one pixel": (1, 1),
    "one column": (1, 300),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_the_resize_inside_is_pillows(resizing, scenes: list[Image.Image], kind: str) -> None:
    interpolation, session = resizing
    shape = SHAPES[kind]
    whole = [scene.resize(shape) for scene in scenes]
    parts = [scene.crop((50, 0, 50 + shape[0], shape[1])) for scene in scenes]
    for image in (*whole, *parts):
        pixels = np.asarray(image)
        inside = session.run(["columns_clipped"], {"images": pixels[None]})[0][0].transpose(1, 2, 0)
        expected = to_square(image, SIDE, interpolation=interpolation).astype(np.float32)
        difference = np.abs(inside - expected)
        # Enlarging by halves and quarters, as bilinear may, ends in many ties, which rounding decides.
        assert difference.mean() < (0.01 if interpolation == "bicubic" else 0.02)
        assert difference.max() <= 2


def test_answers_are_those_of_features_and_head(session, head: LinearHead, scenes) -> None:
    features = onnxruntime.InferenceSession(
        graph_bytes(EmbeddedBackbone(), training_preprocessing(embedded.card(), SIDE), TAPS),
        providers=["CPUExecutionProvider"],
    )
    for scene in scenes:
        square = to_square(scene, SIDE, interpolation="bicubic")
        rows = features.run(None, {"images": square[None]})[0]
        expected = softmax(head.logits(rows), TEMPERATURE)
        np.testing.assert_allclose(answer(session, np.asarray(scene)), expected, atol=2e-3)
        assert expected.max() > softmax(np.zeros((1, CLASSES), np.float32)).max()


def test_the_temperature_is_inside(session, head: LinearHead, scenes) -> None:
    cold = opened(
        sealed_graph(embedded.model(), training_preprocessing(embedded.card(), SIDE), TAPS, head, 1.0)
    )
    pixels = np.asarray(scenes[0])
    sharp, soft = np.log(answer(cold, pixels)[0]), np.log(answer(session, pixels)[0])
    np.testing.assert_allclose((sharp - sharp[0]) / TEMPERATURE, soft - soft[0], atol=1e-3)


@pytest.mark.parametrize("shape", [(427, 640), (1, 1), (28, 28), (3, 200)])
def test_probabilities_of_any_size_sum_to_one(session, scenes, shape: tuple[int, int]) -> None:
    images = [np.asarray(scene)[: shape[0], : shape[1]] for scene in scenes]
    given = answer(session, *images)
    assert given.shape == (2, CLASSES)
    assert given.dtype == np.float32
    assert (given >= 0).all()
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-5)


def test_a_batch_answers_as_its_images_do_alone(session, scenes) -> None:
    images = [
        np.asarray(scene)[y : y + 200, x : x + 300] for scene in scenes for x in (0, 200) for y in (0, 150)
    ]
    together = answer(session, *images)
    alone = np.concatenate([answer(session, image) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.ptp(alone, axis=0).max() > 1e-3


def test_the_contract_is_that_of_the_documentation(session) -> None:
    (given,), (told,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(uint8)", ["H", "W", 3])
    assert (told.name, told.type, told.shape[1:]) == ("probabilities", "tensor(float)", [CLASSES])


def test_it_holds_standard_operators_alone(head: LinearHead) -> None:
    model = built(head)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]


def test_a_graph_without_our_values_is_refused(textile_run: Run) -> None:
    sealed = onnx.load(textile_run.model)
    for start, output in ((RESIZED, "elsewhere"), ("elsewhere", FEATURES)):
        with pytest.raises(ModelError, match="has no elsewhere"):
            subgraph_from(sealed, start, 96, [output])
