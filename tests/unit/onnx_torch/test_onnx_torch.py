"""Graphs read as modules of PyTorch answer as ONNX Runtime does, for every family of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")

from eyebright.backbones import catalog  # noqa: E402
from eyebright.backbones.feature_layers import feature_layer_sets, width  # noqa: E402
from eyebright.backbones.torch.exported import ExportedBackbone  # noqa: E402
from eyebright.onnx_torch.module import to_module  # noqa: E402
from eyebright.onnx_torch.reader import UnreadableError  # noqa: E402
from eyebright.runs.run import Run  # noqa: E402
from eyebright.sealed.graph import sealed_graph  # noqa: E402
from eyebright.sealed.subgraphs import RESIZED, subgraph_from  # noqa: E402
from eyebright.training.linear_probe.linear import LinearHead  # noqa: E402

TINY = ["test_efficientnet", "test_convnext", "test_byobnet", "test_vit"]  # of timm, a mechanism each
SLOW = [
    ("efficientnet_b0", 64),
    ("tf_efficientnet_b4", 64),
    ("densenet121", 64),
    ("mobilenetv3_small_100", 64),
    ("convnext_atto", 64),
    ("vit_tiny_patch16_224", 64),
    ("swin_tiny_patch4_window7_224", 96),
    ("mobilevit_xs", 64),
]
NETWORKS = [
    *((name, 64) for name in ("resnet18", *TINY)),
    *(pytest.param(*n, marks=pytest.mark.slow) for n in SLOW),
]


def _squares(name: str, size: int) -> onnx.ModelProto:
    """The graph behind the resize of a network with random weights and a head on all of its layers."""
    network = catalog.load(name, "none", size)
    taps = max(feature_layer_sets(network.card).values(), key=width)
    random = np.random.default_rng(0)
    head = LinearHead(random.normal(0, 0.02, (width(taps), 3)).astype(np.float32), np.zeros(3, np.float32))
    backbone = ExportedBackbone(network, None).model(size)
    sealed = sealed_graph(backbone, network.card.preprocessing, taps, head, 1.0)
    return subgraph_from(sealed, RESIZED, size, name="images")


def _answers(graph: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    return session.run(None, {graph.graph.input[0].name: x})[0]


def _difference(graph: onnx.ModelProto, x: np.ndarray, batch: int | None = None) -> float:
    with torch.no_grad():
        given = to_module(graph, batch)(torch.from_numpy(x)).numpy()
    expected = _answers(graph, x)
    assert given.shape == expected.shape
    return float(np.abs(given - expected).max())


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_families_answer_as_onnx_runtime_does(name: str, size: int):
    graph = _squares(name, size)
    x = np.random.default_rng(1).uniform(0, 255, (3, 3, size, size)).astype(np.float32)
    assert _answers(graph, x).std() > 1e-4
    assert _difference(graph, x) < 1e-5
    assert _difference(graph, x[:1], batch=1) < 1e-5


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_weights_are_contiguous(name: str, size: int):
    module = to_module(_squares(name, size))
    tensors = [*module.parameters(), *module.buffers()]
    assert tensors
    assert all(tensor.is_contiguous() for tensor in tensors)  # litert-torch mixes up those that are not


def test_the_embedded_network_of_a_run_on_real_pixels(textile_run: Run):
    sealed = onnx.load(textile_run.model)
    size = 96
    graph = subgraph_from(sealed, RESIZED, size, name="images")
    x = np.random.default_rng(1).uniform(0, 255, (2, 3, size, size)).astype(np.float32)
    assert _difference(graph, x) < 1e-5


def test_weights_are_those_of_layers_and_learn(textile_run: Run):
    module = to_module(subgraph_from(onnx.load(textile_run.model), RESIZED, 96))
    kinds = {type(layer) for layer in module.modules()}
    assert {torch.nn.Conv2d, torch.nn.Linear} <= kinds
    assert not module.training
    module(torch.full((2, 3, 96, 96), 127.0))[:, 0].sum().backward()
    gradients = [p.grad for p in module.parameters()]
    # A uniform image has maps without deviation, where the square root's gradient would be infinite.
    assert gradients
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


def _graph(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], *shape: int) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", *shape])
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "test", [given], [taken], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def _pool(kind: str, **attributes: object) -> list[onnx.NodeProto]:
    return [helper.make_node(kind, ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], **attributes)]


@pytest.mark.parametrize(
    "nodes",
    [
        _pool("MaxPool", pads=[0, 0, 1, 1]),
        _pool("MaxPool", pads=[1, 1, 1, 1], ceil_mode=1),
        _pool("AveragePool", pads=[1, 1, 1, 1]),
        _pool("AveragePool", pads=[0, 0, 1, 1], count_include_pad=1),
        [helper.make_node("Resize", ["x", "", "", "four"], ["y"], mode="linear")],
        [helper.make_node("Pad", ["x", "pads"], ["y"], mode="reflect")],
        [helper.make_node("Slice", ["x", "one", "huge", "last", "two"], ["y"])],
        [helper.make_node("Gather", ["x", "places"], ["y"], axis=-1)],
        [helper.make_node("Gather", ["x", "table"], ["y"], axis=3)],
        [
            helper.make_node("Split", ["x"], ["p", "q"], axis=2, num_outputs=2),
            helper.make_node("Concat", ["q", "p"], ["y"], axis=1),
        ],
        [
            helper.make_node("Shape", ["x"], ["batch"], start=0, end=1),
            helper.make_node("Concat", ["batch", "five"], ["shape"], axis=0),
            helper.make_node("Expand", ["row", "shape"], ["rows"]),
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Concat", ["rows", "flat"], ["y"], axis=1),
        ],
        [
            helper.make_node("Shape", ["x"], ["all"]),
            helper.make_node("ReduceProd", ["all"], ["numbers"], keepdims=0),
            helper.make_node("Range", ["zero", "numbers", "unit"], ["order"]),
            helper.make_node("Reshape", ["order", "all"], ["places_of_all"]),
            helper.make_node("Reshape", ["x", "minus"], ["flat"]),
            helper.make_node("Gather", ["flat", "places_of_all"], ["y"]),
        ],
    ],
    ids=lambda nodes: "-".join(node.op_type for node in nodes),
)
def test_operators_with_settings_that_few_networks_use(nodes: list[onnx.NodeProto]):
    values: dict[str, Any] = {
        "four": [2, 3, 12, 14],
        "pads": [0, 0, 1, 2, 0, 0, 2, 1],
        "huge": [2**63 - 1],
        "places": [3, 0, 1],
    }
    values |= {"one": [1], "two": [2], "last": [-1], "table": [[0, 2], [1, 1]], "five": [5], "minus": [-1]}
    constants: dict[str, np.ndarray] = {name: np.array(value, np.int64) for name, value in values.items()}
    constants |= {"zero": np.array(0, np.int64), "unit": np.array(1, np.int64)}
    constants["row"] = np.arange(5, dtype=np.float32)[None]
    used = {name for node in nodes for name in node.input}
    graph = _graph(nodes, {n: v for n, v in constants.items() if n in used}, 3, 6, 8)
    x = np.random.default_rng(2).normal(size=(2, 3, 6, 8)).astype(np.float32)
    assert _difference(graph, x) < 1e-5


def test_an_unknown_operator_is_named():
    graph = _graph([helper.make_node("Hardmax", ["x"], ["y"])], {}, 3, 8, 8)
    with pytest.raises(UnreadableError, match=r"Hardmax has none\."):
        to_module(graph)
