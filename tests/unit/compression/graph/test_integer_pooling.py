"""What makes int8 files quick and small changes no answer; on real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from eyebright.compression.backbone import SealedBackbone, align_input, prepare_backbone
from eyebright.compression.graph.integer_pooling import pool_in_integers
from eyebright.compression.graph.pad_channels import pad_channels
from eyebright.compression.graph.shrink_file import shrink_file
from eyebright.compression.int8.calibration import observe_ranges
from eyebright.compression.int8.channel_equalisation import channel_peaks, equalise_channels
from eyebright.compression.int8.layer_selection import plan_quantisation
from eyebright.compression.int8.quantise import quantise_static
from eyebright.data.decode import load_square
from eyebright.runs.run import Run
from eyebright.sealed.graph import INPUT
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import FEATURES
from eyebright.types import FloatArray, UInt8Array


@pytest.fixture(scope="module")
def backbone(textile_run: Run) -> SealedBackbone:
    model = SealedModel(textile_run.model)
    layers = model.card.feature_layers
    return align_input(prepare_backbone(onnx.load(textile_run.model), layers, model.size))


@pytest.fixture(scope="module")
def images(textile: Path, backbone: SealedBackbone) -> UInt8Array:
    files = sorted((textile / "val").rglob("*.jpg"))[::3]
    return np.stack([load_square(file, backbone.size, "bicubic") for file in files])


@pytest.fixture(scope="module")
def raw(backbone: SealedBackbone, images: UInt8Array) -> onnx.ModelProto:
    chosen = plan_quantisation(backbone)
    return quantise_static(
        backbone, observe_ranges(backbone, images[:8], 1).ranges("minmax"), chosen.static, chosen.kinds
    )


def features(graph: onnx.ModelProto, images: UInt8Array, *, fused: bool = True) -> FloatArray:
    """What a graph computes; not ``fused``, in float32, whose sums saturate on no processor."""
    level = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fused else level.ORT_DISABLE_ALL
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    whole.graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(
        whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: FloatArray = session.run([FEATURES], {INPUT: images})[0]
    return found


def kinds(graph: onnx.ModelProto, ending: str) -> set[str]:
    return {node.op_type for node in graph.graph.node for name in node.output if name.endswith(ending)}


def test_moments_of_a_batch_are_what_they_were(
    raw: onnx.ModelProto, backbone: SealedBackbone, images: UInt8Array
):
    quick = pool_in_integers(raw, backbone.ends)
    before, after = features(raw, images), features(quick, images)
    assert len(images) > 3
    spread = before.std(axis=0)
    assert (np.abs(after - before) <= 2e-3 * spread.mean() + 1e-4 * np.abs(before)).all()
    assert kinds(raw, "_max") == {"ReduceMax"}
    assert kinds(quick, "_peak") == {"MaxPool"}
    assert not kinds(quick, "_square")


def test_equalised_maps_are_pooled_in_integers_too(backbone: SealedBackbone, images: UInt8Array):
    even = equalise_channels(backbone, channel_peaks(backbone, images[:8], 1))
    chosen = plan_quantisation(even)
    raw = quantise_static(
        even, observe_ranges(even, images[:8], 1).ranges("minmax"), chosen.static, chosen.kinds
    )
    quick = pool_in_integers(raw, backbone.ends)
    before, after = features(raw, images), features(quick, images)
    spread = before.std(axis=0)
    assert (np.abs(after - before) <= 2e-3 * spread.mean() + 1e-4 * np.abs(before)).all()
    assert not kinds(quick, "_square")
    assert {node.op_type for node in quick.graph.node if node.name.endswith("_back")} == {"Mul"}


def test_a_float_graph_is_pooled_as_it_was(backbone: SealedBackbone):
    assert pool_in_integers(backbone.graph, backbone.ends) == backbone.graph


def test_the_first_convolution_reads_four_channels(raw: onnx.ModelProto, images: UInt8Array):
    wide = pad_channels(raw)
    first = next(node for node in wide.graph.node if node.op_type == "Conv")
    back = next(node for node in wide.graph.node if first.input[1] in node.output)
    weights = next(t for t in wide.graph.initializer if t.name == back.input[0])
    assert weights.dims[1] == 4
    assert not numpy_helper.to_array(weights)[:, 3].any()
    found, expected = (features(graph, images, fused=False) for graph in (wide, raw))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert pad_channels(wide) == wide


def test_a_slim_file_answers_the_same(raw: onnx.ModelProto, images: UInt8Array):
    small = shrink_file(raw)
    np.testing.assert_array_equal(features(small, images), features(raw, images))
    assert len(small.SerializeToString()) < 0.9 * len(raw.SerializeToString())
    names = {tensor.name for tensor in small.graph.initializer}
    assert {"side", "sealed_weights"} <= names
    assert [o.name for o in small.graph.output] == [o.name for o in raw.graph.output]


def test_a_slim_file_cannot_be_made_slimmer(raw: onnx.ModelProto):
    small = shrink_file(raw)
    assert shrink_file(small).ByteSize() == small.ByteSize()
