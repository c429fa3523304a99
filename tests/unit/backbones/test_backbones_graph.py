"""The features that the graph pools are those that numpy pools from the network's own maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from eyebright.backbones import embedded
from eyebright.backbones.card import Preprocessing
from eyebright.backbones.feature_layers import FeatureLayer, columns, feature_layer_sets, width
from eyebright.backbones.graph import features_graph
from eyebright.data.decode import to_square
from eyebright.types import FloatArray, UInt8Array

SETS = feature_layer_sets(embedded.card())
SIDE = 96


@pytest.fixture(scope="module")
def preprocessing() -> Preprocessing:
    return replace(embedded.card().preprocessing, size=SIDE, crop=None)


@pytest.fixture(scope="module")
def images(scenes) -> UInt8Array:
    return np.stack([to_square(scene, SIDE) for scene in scenes])


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def pooled(preprocessing: Preprocessing, taps: tuple[FeatureLayer, ...], images: UInt8Array) -> FloatArray:
    session = opened(features_graph(embedded.model(), preprocessing, taps))
    return session.run(["features"], {"images": images})[0]


@pytest.fixture(scope="module")
def everything(preprocessing, images) -> FloatArray:
    return pooled(preprocessing, SETS["all"], images)


def by_numpy(taps: tuple[FeatureLayer, ...], images: UInt8Array) -> FloatArray:
    """The same statistics of the maps that the network itself gives out."""
    model = embedded.model()
    del model.graph.output[:]
    for tap in taps:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(tap.layer.name, onnx.TensorProto.FLOAT, None)
        )
    pixels = ((images.astype(np.float32) / 255 - 0.5) / 0.5).transpose(0, 3, 1, 2)
    parts = []
    for tap, values in zip(taps, opened(model).run(None, {"pixels": pixels}), strict=True):
        values = values.astype(np.float64)
        parts.append(values.mean(axis=(2, 3)))
        if tap.kind == "moments":
            parts += [values.max(axis=(2, 3)), values.std(axis=(2, 3))]
    return np.concatenate(parts, axis=1)


def test_features_are_the_means_maxima_and_deviations_of_the_maps(everything, images) -> None:
    expected = by_numpy(SETS["all"], images)
    assert everything.shape == expected.shape == (2, width(SETS["all"]))
    np.testing.assert_allclose(everything, expected, rtol=1e-4, atol=1e-4)


def test_two_photographs_have_different_features(everything) -> None:
    assert np.abs(everything[0] - everything[1]).mean() > 0.05


@pytest.mark.parametrize("name", ["texture", "stages"])
def test_a_smaller_tap_set_stands_in_columns_of_the_largest(preprocessing, images, everything, name) -> None:
    alone = pooled(preprocessing, SETS[name], images)
    places = columns(SETS[name], SETS["all"])
    np.testing.assert_allclose(alone, everything[:, places], rtol=1e-5, atol=1e-5)


def test_columns_follow_the_order_of_the_taps(preprocessing, images, everything) -> None:
    backwards = SETS["stages"][::-1]
    places = columns(backwards, SETS["all"])
    assert len(set(places.tolist())) == width(backwards)
    np.testing.assert_allclose(pooled(preprocessing, backwards, images), everything[:, places], atol=1e-5)


def test_taps_that_are_not_there_have_no_columns() -> None:
    with pytest.raises(KeyError):
        columns(SETS["all"], SETS["texture"])


@pytest.mark.parametrize(("smaller", "larger"), [("texture", "stages"), ("stages", "all")])
def test_each_tap_set_holds_those_before_it(smaller: str, larger: str) -> None:
    assert set(SETS[smaller]) < set(SETS[larger])


def test_layers_that_no_feature_needs_are_cut_off(preprocessing) -> None:
    def convolutions(name: str) -> int:
        graph = features_graph(embedded.model(), preprocessing, SETS[name]).graph
        assert "logits" not in [o for node in graph.node for o in node.output]
        return sum(node.op_type == "Conv" for node in graph.node)

    network = sum(node.op_type == "Conv" for node in embedded.model().graph.node)
    assert 0 < convolutions("texture") < convolutions("stages") == convolutions("all") == network


def test_the_texture_graph_holds_only_the_weights_it_needs(preprocessing) -> None:
    graph = features_graph(embedded.model(), preprocessing, SETS["texture"])
    assert len(graph.SerializeToString()) < len(embedded.file_bytes()) / 5
