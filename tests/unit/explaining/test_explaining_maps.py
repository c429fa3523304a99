"""What maps say is so: they add up, they depend on the weights, and what is hot matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from eyebright.data.decode import decode
from eyebright.explaining.base import NoHeatMapError
from eyebright.explaining.choose import explainer
from eyebright.explaining.exact import Exact
from eyebright.explaining.overlay import overlay, scaled
from eyebright.explaining.rollout import Rollout, rolled_out
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray, UInt8Array


@pytest.fixture(scope="module")
def model(textile_run: Run) -> SealedModel:
    return SealedModel(textile_run.model, threads=1)


@pytest.fixture(scope="module")
def images(textile: Path) -> list[UInt8Array]:
    """The 30 validation images."""
    return [decode(path) for path in sorted((textile / "val").rglob("*.jpg"))]


@pytest.fixture(scope="module")
def maps(model: SealedModel, images: list[UInt8Array]) -> list[FloatArray]:
    """Of the class that is answered."""
    exact = Exact(onnx.load(model.path))
    return [exact.heat(image, int(model.probabilities(image[None]).argmax())) for image in images]


def test_the_maps_of_all_classes_are_the_answer(model: SealedModel, images: list[UInt8Array]):
    exact = explainer(model)
    assert exact.method == "exact"
    assert exact.placeless == 0
    for image in images[::6]:
        scores = np.array([exact.heat(image, k).sum(dtype=np.float64) for k in range(len(model.labels))])
        shares = np.exp(scores - scores.max())
        np.testing.assert_allclose(shares / shares.sum(), model.probabilities(image[None])[0], atol=1e-4)


def shuffled(sealed: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, the weights of each convolution in another order."""
    draw = np.random.default_rng(0)
    for tensor in sealed.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 4 and values.size > 3:
            mixed = draw.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    return sealed


def test_maps_of_a_model_with_random_weights_differ(
    model: SealedModel, images: list[UInt8Array], maps: list[FloatArray]
):
    random = Exact(shuffled(onnx.load(model.path)))
    alike = []
    for image, known in zip(images, maps, strict=True):
        other = random.heat(image, int(model.probabilities(image[None]).argmax()))
        alike.append(np.corrcoef(known.ravel(), other.ravel())[0, 1])
    assert abs(np.mean(alike)) < 0.5


def without(image: UInt8Array, cells: np.ndarray) -> UInt8Array:
    """The image with cells (h, h) painted over in its mean colour."""
    high, wide = image.shape[:2]
    rows, columns = (np.arange(n) * len(cells) // n for n in (high, wide))
    painted = image.copy()
    painted[cells[rows][:, columns]] = image.mean(axis=(0, 1))
    return painted


def test_painting_the_hot_part_over_costs_more_than_painting_as_much_elsewhere(
    model: SealedModel, images: list[UInt8Array], maps: list[FloatArray]
):
    draw = np.random.default_rng(0)
    hot, anywhere = [], []
    for image, heat in zip(images, maps, strict=True):
        before = model.probabilities(image[None])[0]
        named = before.argmax()
        ranks = heat.ravel().argsort().argsort().reshape(heat.shape)
        taken = ranks >= 0.8 * heat.size
        others = [draw.permutation(taken.ravel()).reshape(heat.shape) for _ in range(3)]
        after = [model.probabilities(without(image, cells)[None])[0][named] for cells in (taken, *others)]
        hot.append(before[named] - after[0])
        anywhere.append(before[named] - np.mean(after[1:]))
    assert len(hot) == 30
    assert np.mean(hot) > np.mean(anywhere) + 0.02


def test_a_model_without_attention_has_no_rollout(model: SealedModel):
    with pytest.raises(NoHeatMapError, match="--method exact"):
        Rollout(onnx.load(model.path), model.size, "bicubic")


def test_attention_is_rolled_out_through_the_layers():
    draw = np.random.default_rng(0)
    weights = draw.dirichlet(np.ones(5), size=(2, 3, 5)).astype(
        np.float32
    )  # 2 layers, 3 heads, 1 + 2 x 2 tokens
    first, second = ((layer.mean(axis=0) + np.eye(5)) / 2 for layer in weights)
    expected = sum(second[0, middle] * first[middle] for middle in range(5))
    np.testing.assert_allclose(rolled_out(weights).ravel(), expected[1:], rtol=1e-5)


def test_attention_to_one_place_is_seen_there():
    weights = np.full((1, 1, 4, 4), 0.0, np.float32)
    weights[..., 2] = 1  # all tokens of a 2 x 2 square look at the third
    assert rolled_out(weights).argmax() == 2


def test_one_strong_cell_does_not_pale_the_others():
    heat = np.full((20, 20), 0.5, np.float32)
    heat[0, 0], heat[1] = 100, -0.5
    values = scaled(heat, signed=True)
    assert values.max() == 1
    assert values[5, 5] == pytest.approx(1)
    assert values[1, 3] == pytest.approx(-1)
    assert (scaled(heat * 0, signed=True) == 0).all()


def test_colour_lies_where_the_map_says(images: list[UInt8Array]):
    heat = np.zeros((8, 8), np.float32)
    heat[:2, :2], heat[-2:, -2:] = 1, -1
    drawn = np.asarray(overlay(images[0], heat, 128), np.float32)
    assert max(drawn.shape[:2]) <= 128
    red_less_blue = drawn[..., 0] - drawn[..., 2]
    assert red_less_blue[:16, :16].mean() > 50
    assert red_less_blue[-16:, -16:].mean() < -50
    assert abs(red_less_blue[56:72, 56:72].mean()) < 25
