"""A sealed model in two graphs: raw pixels to features, which can be cached, and features to probabilities.

Both are subgraphs of the sealed file, run by ONNX Runtime as the whole file is, so that together they give
its predictions. Files with the same first graph, such as two heads on one backbone, share cached features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from eyebright.onnx_graph.edit import extracted
from eyebright.runtime.onnx_session import open_session, run
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.graph import ANOMALY_SCORE, INPUT, OUTPUT, TEXTS, TOKENS, UNKNOWN
from eyebright.sealed.subgraphs import FEATURES
from eyebright.sealed.text_tensor import TextInputs, plain_texts
from eyebright.types import FloatArray, UInt8Array


class SplitModel:
    """Run the two graphs of a sealed model, each loaded when it is first needed.

    Args:
        front: serialized graph `images` uint8 (B, H, W, 3) → `features` float32 (B, D).
        back: serialized graph `features`, and where the file reads them `texts`, → `probabilities` float32
            (B, K) and, where the file has it, `unknown_score` (B,).
        width: D.
        outputs: of the second graph that :meth:`predict` reads.
        text_inputs: makes the inputs of texts.
    """

    def __init__(
        self,
        front: bytes,
        back: bytes,
        width: int,
        outputs: Sequence[str] = (OUTPUT,),
        text_inputs: TextInputs = plain_texts,
    ) -> None:
        self.front = front
        self._back = back
        self.width = width
        self._outputs = outputs
        self._text_inputs = text_inputs

    @cached_property
    def digest(self) -> str:
        """Return a hash of what features depend on besides the pixels: the first graph and ONNX Runtime."""
        version = load_onnxruntime().__version__
        return hashlib.blake2b(self.front + version.encode(), digest_size=16).hexdigest()

    def features(self, images: UInt8Array) -> FloatArray:
        """Return features (B, D) of raw RGB images (B, H, W, 3); safe to call from several threads."""
        return run(self._front_session, [FEATURES], {INPUT: images})[0]

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Return calibrated probabilities (B, K) of features (B, D)."""
        return self.predict(features)[0]

    def predict(
        self, features: FloatArray, texts: Sequence[str] | None = None
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return probabilities (B, K) of features (B, D), and OOD scores (B,) if the file has them.

        Args:
            features: of the images.
            texts: B, of a file that reads them; None for the images alone.
        """
        given: dict[str, npt.NDArray[np.generic]] = {FEATURES: features}
        if texts is not None:
            given.update(self._text_inputs(texts))
        probabilities, *score = run(self._back_session, self._outputs, given)
        return probabilities, score[0] if score else None

    def anomaly_scores(self, features: FloatArray) -> FloatArray:
        """Return anomaly scores (B,), 1 at the limit, of features (B, D), by a file that gives them."""
        return run(self._back_session, [ANOMALY_SCORE], {FEATURES: features})[0]

    @cached_property
    def _front_session(self) -> Any:
        return open_session(self.front)

    @cached_property
    def _back_session(self) -> Any:
        return open_session(self._back)


def split_at_features(model: onnx.ModelProto, text_inputs: TextInputs = plain_texts) -> SplitModel | None:
    """Split a sealed model at its features; return None if its outputs depend on more than these."""
    whole = onnx.shape_inference.infer_shapes(model)
    found = {info.name: info for info in whole.graph.value_info}.get(FEATURES)
    if found is None or len(found.type.tensor_type.shape.dim) != 2:
        return None
    width = found.type.tensor_type.shape.dim[1].dim_value
    found.CopyFrom(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["B", width]))
    given = {output.name for output in model.graph.output}
    outputs = [OUTPUT, *({UNKNOWN} & given)]
    texts = [given.name for given in model.graph.input if given.name in (TEXTS, *TOKENS)]
    front, back = (
        extracted(whole, [INPUT], [FEATURES]),
        extracted(whole, [FEATURES, *texts], [*outputs, *({ANOMALY_SCORE} & given)]),
    )
    if not width or _needs_more(back):
        return None
    return SplitModel(
        front.SerializeToString(deterministic=True),
        back.SerializeToString(deterministic=True),
        width,
        outputs,
        text_inputs,
    )


def _needs_more(graph: onnx.ModelProto) -> bool:
    """Return whether a graph reads a value that it neither is given, stores nor computes."""
    known = {i.name for i in graph.graph.input} | {i.name for i in graph.graph.initializer} | {""}
    known |= {output for node in graph.graph.node for output in node.output}
    return any(name not in known for node in graph.graph.node for name in node.input)
