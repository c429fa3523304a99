"""The backbone inside a sealed graph: it answers as before, whatever is done to it in float."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from eyebright.compression.backbone import ALIGNED, SealedBackbone, align_input, input_range, prepare_backbone
from eyebright.compression.int8.calibration import observe_ranges
from eyebright.compression.int8.channel_equalisation import channel_peaks, equalise_channels
from eyebright.compression.int8.layer_selection import multiplications, plan_quantisation
from eyebright.runs.run import Run
from eyebright.sealed.heatmap import HEAT, with_heat
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import PIXELS, RESIZED, subgraph_from
from eyebright.types import UInt8Array


@pytest.fixture(scope="module")
def sealed(textile_run: Run) -> onnx.ModelProto:
    return onnx.load(textile_run.model)


@pytest.fixture(scope="module")
def backbone(sealed: onnx.ModelProto, textile_run: Run) -> SealedBackbone:
    model = SealedModel(textile_run.model)
    return prepare_backbone(sealed, model.card.feature_layers, model.size)


def answer(graph: onnx.ModelProto, image: UInt8Array) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"images": image[None]})[0][0]


@pytest.fixture(scope="module")
def photograph(scenes) -> UInt8Array:
    return np.asarray(scenes[0])


def test_preparing_unpacks_weights_and_keeps_the_answers(
    sealed: onnx.ModelProto, backbone: SealedBackbone, photograph: UInt8Array
):
    kinds = {node.op_type for node in backbone.members}
    assert kinds == {"Conv", "Clip", "Add"}
    assert np.abs(answer(backbone.graph, photograph) - answer(sealed, photograph)).max() < 1e-4
    assert {node.op_type for node in sealed.graph.node} > kinds  # the original is left as it is


def test_the_head_the_resize_and_the_moments_are_not_part_of_the_network(backbone: SealedBackbone):
    outside = [node.op_type for node in backbone.graph.graph.node if node.name not in set(backbone.nodes)]
    assert {"Resize", "ReduceMax", "Sqrt", "Gemm", "Softmax"} <= set(outside)
    assert "Conv" not in outside


def test_an_aligned_input_holds_every_grey_level_exactly(backbone: SealedBackbone, photograph: UInt8Array):
    moved = align_input(backbone)
    name, (low, high) = input_range(moved)
    assert name == ALIGNED
    levels = np.arange(256, dtype=np.float32) * moved.constants["scale"].ravel()[0]
    pixels = levels + moved.constants["shift"].ravel()[0] - moved.constants["alignment"]
    step = (high - low) / 255
    codes = np.round(pixels / step) + np.round(-low / step)
    assert codes.tolist() == list(range(256))
    assert np.abs(answer(moved.graph, photograph) - answer(backbone.graph, photograph)).max() < 0.02


def test_parts_can_still_be_cut_from_an_aligned_graph(backbone: SealedBackbone):
    part = subgraph_from(align_input(backbone).graph, PIXELS, backbone.size)
    assert [value.name for value in part.graph.input] == [PIXELS]


def test_equalised_channels_change_no_answer(backbone: SealedBackbone, photograph: UInt8Array):
    images = np.random.default_rng(0).integers(0, 256, (3, backbone.size, backbone.size, 3), np.uint8)
    found = channel_peaks(backbone, images, 1)
    even = equalise_channels(backbone, found)
    assert found
    after = channel_peaks(even, images, 1)
    assert np.abs(answer(even.graph, photograph) - answer(backbone.graph, photograph)).max() < 1e-4
    spread = [np.median(peak / peak.max()) for peak in found.values()]
    spread_after = [np.median(peak / peak.max()) for peak in after.values()]
    assert np.mean(spread_after) > np.mean(spread) + 0.1


def test_equalised_channels_are_scaled_back_behind_the_pooling(
    backbone: SealedBackbone, photograph: UInt8Array
):
    images = np.random.default_rng(0).integers(0, 256, (3, backbone.size, backbone.size, 3), np.uint8)
    even = equalise_channels(backbone, channel_peaks(backbone, images, 1))
    back = [node for node in even.graph.graph.node if node.name.endswith("_back")]
    assert back
    assert all(node.input[0].endswith("_flat") for node in back)  # a row of channels, never a map
    maps = [heat(graph, photograph) for graph in (backbone.graph, even.graph)]
    assert np.abs(maps[0]).max() > 0.01
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-3 * float(np.abs(maps[0]).max()))


def heat(graph: onnx.ModelProto, image: UInt8Array) -> np.ndarray:
    mapped = with_heat(graph)
    assert mapped is not None
    session = onnxruntime.InferenceSession(mapped.SerializeToString())
    return session.run([HEAT], {"images": image[None]})[0][0]


def test_observed_ranges_hold_what_the_images_bring(backbone: SealedBackbone):
    images = np.full((2, backbone.size, backbone.size, 3), 128, np.uint8)
    images[1] = 30
    found = observe_ranges(backbone, images, 1)
    name, given = input_range(backbone)
    assert (found.lows[name], found.highs[name]) == given
    stem = backbone.members[0].output[0]
    graph = subgraph_from(backbone.graph, RESIZED, backbone.size)
    assert found.lows[stem] < found.highs[stem]
    assert graph.graph.input[0].name == RESIZED


def test_a_network_of_convolutions_is_static_throughout(backbone: SealedBackbone):
    chosen = plan_quantisation(backbone)
    convolutions = [node.name for node in backbone.members if node.op_type == "Conv"]
    assert list(chosen.static) == convolutions
    assert chosen.dynamic == ()
    work = multiplications(backbone)
    stem = backbone.members[0]
    assert work[stem.name] == (backbone.size // 2) ** 2 * 32 * 27
