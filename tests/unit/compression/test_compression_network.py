"""The network inside a sealed graph: it answers as before, whatever is done to it in float."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from eyebright.compression.int8.calibration import observe
from eyebright.compression.int8.channel_equalisation import equalised, peaks
from eyebright.compression.int8.layer_selection import multiplications, plan
from eyebright.compression.network import ALIGNED, Network, aligned, input_range, prepared
from eyebright.runs.run import Run
from eyebright.sealed.heatmap import HEAT, with_heat
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import PIXELS, SQUARES, between
from eyebright.types import UInt8Array


@pytest.fixture(scope="module")
def sealed(textile_run: Run) -> onnx.ModelProto:
    return onnx.load(textile_run.model)


@pytest.fixture(scope="module")
def network(sealed: onnx.ModelProto, textile_run: Run) -> Network:
    model = SealedModel(textile_run.model)
    return prepared(sealed, [tap.rpartition(":")[0] for tap in model.card["taps"]], model.size)


def answer(graph: onnx.ModelProto, image: UInt8Array) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"images": image[None]})[0][0]


@pytest.fixture(scope="module")
def photograph(scenes) -> UInt8Array:
    return np.asarray(scenes[0])


def test_preparing_unpacks_weights_and_keeps_the_answers(
    sealed: onnx.ModelProto, network: Network, photograph: UInt8Array
):
    kinds = {node.op_type for node in network.members}
    assert kinds == {"Conv", "Clip", "Add"}
    assert np.abs(answer(network.graph, photograph) - answer(sealed, photograph)).max() < 1e-4
    assert {node.op_type for node in sealed.graph.node} > kinds  # the original is left as it is


def test_the_head_the_resize_and_the_moments_are_not_part_of_the_network(network: Network):
    outside = [node.op_type for node in network.graph.graph.node if node.name not in set(network.nodes)]
    assert {"Resize", "ReduceMax", "Sqrt", "Gemm", "Softmax"} <= set(outside)
    assert "Conv" not in outside


def test_an_aligned_input_holds_every_grey_level_exactly(network: Network, photograph: UInt8Array):
    moved = aligned(network)
    name, (low, high) = input_range(moved)
    assert name == ALIGNED
    levels = np.arange(256, dtype=np.float32) * moved.constants["scale"].ravel()[0]
    pixels = levels + moved.constants["shift"].ravel()[0] - moved.constants["alignment"]
    step = (high - low) / 255
    codes = np.round(pixels / step) + np.round(-low / step)
    assert codes.tolist() == list(range(256))
    assert np.abs(answer(moved.graph, photograph) - answer(network.graph, photograph)).max() < 0.02


def test_parts_can_still_be_cut_from_an_aligned_graph(network: Network):
    part = between(aligned(network).graph, PIXELS, network.size)
    assert [value.name for value in part.graph.input] == [PIXELS]


def test_equalised_channels_change_no_answer(network: Network, photograph: UInt8Array):
    squares = np.random.default_rng(0).integers(0, 256, (3, network.size, network.size, 3), np.uint8)
    found = peaks(network, squares, 1)
    even = equalised(network, found)
    assert found
    after = peaks(even, squares, 1)
    assert np.abs(answer(even.graph, photograph) - answer(network.graph, photograph)).max() < 1e-4
    spread = [np.median(peak / peak.max()) for peak in found.values()]
    spread_after = [np.median(peak / peak.max()) for peak in after.values()]
    assert np.mean(spread_after) > np.mean(spread) + 0.1


def test_equalised_channels_are_scaled_back_behind_the_pooling(network: Network, photograph: UInt8Array):
    squares = np.random.default_rng(0).integers(0, 256, (3, network.size, network.size, 3), np.uint8)
    even = equalised(network, peaks(network, squares, 1))
    back = [node for node in even.graph.graph.node if node.name.endswith("_back")]
    assert back
    assert all(node.input[0].endswith("_flat") for node in back)  # a row of channels, never a map
    maps = [heat(graph, photograph) for graph in (network.graph, even.graph)]
    assert np.abs(maps[0]).max() > 0.01
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-3 * float(np.abs(maps[0]).max()))


def heat(graph: onnx.ModelProto, image: UInt8Array) -> np.ndarray:
    mapped = with_heat(graph)
    assert mapped is not None
    session = onnxruntime.InferenceSession(mapped.SerializeToString())
    return session.run([HEAT], {"images": image[None]})[0][0]


def test_observed_ranges_hold_what_the_images_bring(network: Network):
    squares = np.full((2, network.size, network.size, 3), 128, np.uint8)
    squares[1] = 30
    found = observe(network, squares, 1)
    name, given = input_range(network)
    assert (found.lows[name], found.highs[name]) == given
    stem = network.members[0].output[0]
    graph = between(network.graph, SQUARES, network.size)
    assert found.lows[stem] < found.highs[stem]
    assert graph.graph.input[0].name == SQUARES


def test_a_network_of_convolutions_is_static_throughout(network: Network):
    chosen = plan(network)
    convolutions = [node.name for node in network.members if node.op_type == "Conv"]
    assert list(chosen.static) == convolutions
    assert chosen.dynamic == ()
    work = multiplications(network)
    stem = network.members[0]
    assert work[stem.name] == (network.size // 2) ** 2 * 32 * 27
