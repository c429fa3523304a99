"""BERT as an ONNX graph, from the weights of a Hugging Face folder and without PyTorch.

The sentence encoders that people use most (MiniLM, E5, BGE, GTE and others) are BERT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper
from pydantic import BaseModel, ConfigDict, Field

from eyebright.onnx_graph.builder import GraphBuilder

#: Inputs of an encoder's graph, int64 (T, L), and its output float32 (T, L, D).
IDS, MASK, HIDDEN = "input_ids", "attention_mask", "last_hidden_state"
_OPSET = 18
_FAR = -1e4  # a score of what is masked; softmax of it is 0

_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class BertConfig(BaseModel):
    """What `config.json` says of a BERT."""

    model_config = ConfigDict(extra="ignore")

    model_type: Literal["bert"]
    hidden_act: Literal["gelu"] = "gelu"
    hidden_size: _Count
    num_attention_heads: _Count
    num_hidden_layers: _Count
    max_position_embeddings: _Count = 512
    layer_norm_eps: float = 1e-12


def bert_graph(config: BertConfig, tensors: Mapping[str, npt.NDArray[np.generic]]) -> onnx.ModelProto:
    """Return the graph `input_ids`, `attention_mask` → `last_hidden_state`.

    Args:
        config: the sizes.
        tensors: by the names of Hugging Face, with or without `bert.` before them.

    Raises:
        KeyError: a tensor is missing.
        ValueError: one has another size than the configuration says.
    """
    weights = {name.removeprefix("bert."): value for name, value in tensors.items()}
    builder = _Bert(config, weights)
    builder.build()
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["T", "L"]) for name in (IDS, MASK)]
    outputs = [helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, ["T", "L", config.hidden_size])]
    graph = helper.make_graph(builder.nodes, "bert", inputs, outputs, builder.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


class _Bert(GraphBuilder):
    """The nodes of a BERT, in their order."""

    def __init__(self, config: BertConfig, weights: Mapping[str, npt.NDArray[np.generic]]) -> None:
        super().__init__()
        self._config = config
        self._weights = weights

    def build(self) -> None:
        config = self._config
        heads, size = config.num_attention_heads, config.hidden_size
        if size % heads:
            raise ValueError(f"{size} hidden numbers do not divide into {heads} heads")
        self.constant("heads_shape", np.array([0, 0, heads, size // heads], np.int64))
        self.constant("rows_shape", np.array([0, 0, size], np.int64))
        self.constant("scale", np.array((size // heads) ** -0.5, np.float32))
        self.constant("zero", np.array(0, np.int64))
        self.constant("one", np.array(1, np.int64))
        self.constant("float_one", np.array(1, np.float32))
        self.constant("half", np.array(0.5, np.float32))
        self.constant("root", np.array(2**-0.5, np.float32))
        self.constant("far", np.array(_FAR, np.float32))
        self.constant("mask_axes", np.array([1, 2], np.int64))
        mask = self.node("Cast", [MASK], "mask_float", to=TensorProto.FLOAT)
        absent = self.node("Sub", ["float_one", mask], "absent")
        far = self.node("Mul", [absent, "far"], "mask_far")
        self.node("Unsqueeze", [far, "mask_axes"], "mask_scores")
        hidden = self._embeddings()
        for number in range(config.num_hidden_layers):
            hidden = self._layer(hidden, number)
        self.node("Identity", [hidden], HIDDEN)

    def _embeddings(self) -> str:
        words = self.node("Gather", [self._tensor("embeddings.word_embeddings.weight"), IDS], "words", axis=0)
        shape = self.node("Shape", [IDS], "ids_shape")
        length = self.node("Gather", [shape, "one"], "ids_length", axis=0)
        places = self.node("Range", ["zero", length, "one"], "places")
        table = self._tensor("embeddings.position_embeddings.weight")
        positions = self.node("Gather", [table, places], "positions", axis=0)
        first = self._weights["embeddings.token_type_embeddings.weight"][0].astype(np.float32)
        kind = self.constant("token_type", first)
        summed = self.node("Add", [self.node("Add", [words, positions], "placed"), kind], "embedded")
        return self._normalised(summed, "embeddings.LayerNorm")

    def _layer(self, hidden: str, number: int) -> str:
        name = f"encoder.layer.{number}"
        query, key, value = (
            self._split(self._linear(hidden, f"{name}.attention.self.{part}"), f"{name}.{part}")
            for part in ("query", "key", "value")
        )
        turned = self.node("Transpose", [key], f"{name}.turned", perm=[0, 1, 3, 2])
        scores = self.node("MatMul", [query, turned], f"{name}.scores")
        scaled = self.node("Mul", [scores, "scale"], f"{name}.scaled")
        masked = self.node("Add", [scaled, "mask_scores"], f"{name}.masked")
        shares = self.node("Softmax", [masked], f"{name}.shares", axis=-1)
        seen = self.node("MatMul", [shares, value], f"{name}.seen")
        rows = self.node("Transpose", [seen], f"{name}.rows", perm=[0, 2, 1, 3])
        joined = self.node("Reshape", [rows, "rows_shape"], f"{name}.joined")
        out = self._linear(joined, f"{name}.attention.output.dense")
        attended = self._normalised(
            self.node("Add", [out, hidden], f"{name}.attended"), f"{name}.attention.output.LayerNorm"
        )
        wide = self._gelu(self._linear(attended, f"{name}.intermediate.dense"), f"{name}.gelu")
        narrow = self._linear(wide, f"{name}.output.dense")
        return self._normalised(
            self.node("Add", [narrow, attended], f"{name}.out"), f"{name}.output.LayerNorm"
        )

    def _split(self, rows: str, name: str) -> str:
        heads = self.node("Reshape", [rows, "heads_shape"], f"{name}.heads")
        return self.node("Transpose", [heads], f"{name}.by_head", perm=[0, 2, 1, 3])

    def _gelu(self, rows: str, name: str) -> str:
        erf = self.node("Erf", [self.node("Mul", [rows, "root"], f"{name}.part")], f"{name}.erf")
        gate = self.node("Add", [erf, "float_one"], f"{name}.gate")
        half = self.node("Mul", [rows, "half"], f"{name}.half")
        return self.node("Mul", [half, gate], name)

    def _linear(self, rows: str, name: str) -> str:
        weight = self._weights[f"{name}.weight"].astype(np.float32).T
        product = self.node(
            "MatMul", [rows, self.constant(f"{name}.weight", np.ascontiguousarray(weight))], f"{name}.product"
        )
        return self.node("Add", [product, self._tensor(f"{name}.bias")], f"{name}.rows")

    def _normalised(self, rows: str, name: str) -> str:
        parts = [self._tensor(f"{name}.{part}") for part in ("weight", "bias")]
        epsilon = self._config.layer_norm_eps
        return self.node("LayerNormalization", [rows, *parts], f"{name}.normalised", axis=-1, epsilon=epsilon)

    def _tensor(self, name: str) -> str:
        return self.constant(name, self._weights[name].astype(np.float32))
