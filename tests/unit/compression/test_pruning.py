"""Which networks can lose channels."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch_pruning")

from eyebright.compression.pruning import prune
from eyebright.errors import ModelError


def test_a_network_with_attention_is_refused() -> None:
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 3, 8, 8])
    named = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", 3, 8, 8])
    weights = numpy_helper.from_array(np.ones((8, 8), np.float32), "weights")
    nodes = [
        helper.make_node("MatMul", ["pixels", "weights"], ["queries"]),
        helper.make_node("MatMul", ["queries", "pixels"], ["probabilities"]),
    ]
    graph = helper.make_model(helper.make_graph(nodes, "attention", [pixels], [named], [weights]))
    with pytest.raises(ModelError, match="This one uses attention"):
        prune(graph, 8, [], 0.5, "norm", [])
