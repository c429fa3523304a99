"""The heat map is the class's logit, laid out over the places that it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from eyebright.backbones import embedded
from eyebright.backbones.card import Layer
from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.compression.backbone import align_input, prepare_backbone
from eyebright.compression.graph.integer_pooling import pool_in_integers
from eyebright.compression.int8.calibration import observe_ranges
from eyebright.compression.int8.layer_selection import plan_quantisation
from eyebright.compression.int8.quantise import quantise_static
from eyebright.data.decode import decode, to_square
from eyebright.runs.run import Run
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.heatmap import CELL_PX, HEAT, spread, with_heat
from eyebright.training.linear_probe.features import training_preprocessing
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray, UInt8Array

SIDE = 96
LOGITS = "sealed_logits"
FINAL = Layer("final", 1280, 7, "final")


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def with_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model


def bias(model: onnx.ModelProto) -> FloatArray:
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == "sealed_bias")


@pytest.fixture(scope="module")
def sealed(textile_run: Run) -> onnx.ModelProto:
    return onnx.load(textile_run.model)


@pytest.fixture(scope="module")
def squares(textile: Path) -> list[UInt8Array]:
    """Validation images of all classes, of the size that the graph makes of them."""
    paths = sorted((textile / "val").rglob("*.jpg"))
    return [to_square(decode(path), SIDE, interpolation="bicubic") for path in paths]


def heated(model: onnx.ModelProto) -> onnx.ModelProto:
    found = with_heat(model)
    assert found is not None
    return found


def test_the_cells_add_up_to_the_logit(sealed: onnx.ModelProto, squares: list[UInt8Array]):
    images = np.stack(squares)
    found = opened(with_output(heated(sealed), LOGITS)).run(
        ["probabilities", HEAT, LOGITS], {"images": images}
    )
    probabilities, heat, logits = found
    named = probabilities.argmax(axis=1)
    assert len(set(named)) > 1
    assert heat.shape == (len(squares), SIDE // CELL_PX, SIDE // CELL_PX)
    expected = logits[np.arange(len(named)), named] - bias(sealed)[named]
    np.testing.assert_allclose(heat.sum(axis=(1, 2)), expected, rtol=1e-4, atol=1e-4)


def test_the_answers_stay_as_they_were(sealed: onnx.ModelProto, squares: list[UInt8Array]):
    image = squares[0][None]
    before = opened(sealed).run(["probabilities"], {"images": image})[0]
    after = opened(heated(sealed)).run(["probabilities"], {"images": image})[0]
    np.testing.assert_array_equal(after, before)
    assert [output.name for output in sealed.graph.output] == ["probabilities", "unknown_score", "answer"]


def blotted(image: UInt8Array, top: int, left: int, cells: int) -> UInt8Array:
    """The image with a square of cells painted over in its mean colour."""
    painted = image.copy()
    rows, columns = (slice(CELL_PX * start, CELL_PX * (start + cells)) for start in (top, left))
    painted[rows, columns] = image.mean(axis=(0, 1))
    return painted


def test_what_is_hot_matters(sealed: onnx.ModelProto, squares: list[UInt8Array]):
    """Painting the hottest part over costs the class more than painting other parts over."""
    session, cells, grid = opened(heated(sealed)), 4, SIDE // CELL_PX
    starts = range(grid - cells + 1)
    hot, anywhere = [], []
    for image in squares:
        probabilities, heat = session.run(["probabilities", HEAT], {"images": image[None]})
        named = probabilities[0].argmax()
        sums = {(y, x): heat[0, y : y + cells, x : x + cells].sum() for y in starts for x in starts}
        hottest = max(sums, key=lambda place: sums[place])
        places = [hottest, *((y, x) for y in starts[::4] for x in starts[::4])]
        painted = np.stack([blotted(image, y, x, cells) for y, x in places])
        left = session.run(["probabilities"], {"images": painted})[0][:, named]
        hot.append(probabilities[0, named] - left[0])
        anywhere.append(probabilities[0, named] - left[1:].mean())
    assert np.mean(hot) > np.mean(anywhere) + 0.02


def test_of_a_flat_image_nothing_is_not_a_number(sealed: onnx.ModelProto):
    grey = np.full((1, 40, 60, 3), 127, np.uint8)
    heat = opened(heated(sealed)).run([HEAT], {"images": grey})[0]
    assert np.isfinite(heat).all()


def pooled_by_the_network(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """A sealed graph whose only features are a vector that ``nodes`` made of the last map."""
    backbone = embedded.model()
    backbone.graph.node.extend(nodes)
    backbone.graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.int64), "space"))
    how = training_preprocessing(embedded.card(), SIDE)
    return sealed_graph(backbone, how, [FeatureLayer(Layer("vector", 1280, 7, "final"), "mean")], head(), 1.0)


def head() -> LinearHead:
    weights = np.random.default_rng(0).normal(0, 0.05, (FINAL.channels, 3)).astype(np.float32)
    return LinearHead(weights, np.zeros(3, np.float32))


def test_a_mean_within_the_network_has_places(squares: list[UInt8Array]):
    pooling = helper.make_node("ReduceMean", ["final", "space"], ["row"], keepdims=0)
    inner = pooled_by_the_network(pooling, helper.make_node("Unsqueeze", ["row", "space"], ["vector"]))
    how = training_preprocessing(embedded.card(), SIDE)
    outer = sealed_graph(embedded.model(), how, [FeatureLayer(FINAL, "mean")], head(), 1.0)
    maps = [opened(heated(m)).run([HEAT], {"images": squares[0][None]})[0] for m in (inner, outer)]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-6)
    assert maps[0].std() > 0


def test_a_vector_without_places_has_no_map():
    token = helper.make_node("ReduceMax", ["final", "space"], ["vector"], keepdims=1)
    assert with_heat(pooled_by_the_network(token)) is None


def test_a_graph_that_is_not_ours_has_no_map():
    assert with_heat(embedded.model()) is None


@pytest.mark.parametrize("in_integers", [False, True])
def test_of_an_int8_graph(sealed: onnx.ModelProto, squares: list[UInt8Array], in_integers: bool):
    taps = ("stage0", "stage1", "stage2", "stage3")
    network = align_input(prepare_backbone(sealed, taps, SIDE))
    ranges = observe_ranges(network, np.stack(squares[:6]), 1).ranges("minmax")
    chosen = plan_quantisation(network)
    graph = quantise_static(network, ranges, chosen.static, chosen.kinds)
    graph = pool_in_integers(graph, taps) if in_integers else graph
    session = opened(with_output(heated(graph), LOGITS))
    heat, logits = session.run([HEAT, LOGITS], {"images": squares[0][None]})
    expected = logits.max() - bias(sealed)[logits.argmax()]
    assert heat.sum() == pytest.approx(expected, abs=0.01 * float(np.abs(heat).sum()))


@pytest.mark.parametrize(
    ("side", "cells"), [(1, 12), (3, 12), (7, 28), (12, 12), (48, 12), (17, 28), (37, 28)]
)
def test_spreading_loses_nothing(side: int, cells: int):
    shares = spread(side, cells)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert (shares >= 0).all()
    if cells % side == 0:
        np.testing.assert_allclose(shares.sum(axis=0), side / cells, atol=1e-6)
