"""A sealed model in two halves: raw pixels to features, which can be kept, and features to probabilities.

Both are pieces of the sealed file's own graph, run by ONNX Runtime as the whole file is, so that together
they answer what it answers. Files with the same first half, such as two heads on one network, share rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import onnx
from onnx import TensorProto, helper
from onnx.utils import Extractor

from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.graph import INPUT, OUTPUT, UNKNOWN
from eyebright.sealed.subgraphs import FEATURES
from eyebright.types import FloatArray, UInt8Array


class Halves:
    """The two halves, each started when it is first asked.

    Args:
        front: serialized graph `images` uint8 (B, H, W, 3) → `features` float32 (B, D).
        back: serialized graph `features` → `probabilities` float32 (B, K) and, where the file has it,
            `unknown_score` (B,).
        width: D.
        outputs: of the second.
    """

    def __init__(self, front: bytes, back: bytes, width: int, outputs: Sequence[str] = (OUTPUT,)) -> None:
        self._front = front
        self._back = back
        self.width = width
        self._outputs = outputs

    @cached_property
    def digest(self) -> str:
        """What the features depend on beside the pixels: the first half's graph and the runtime's version."""
        version = load_onnxruntime().__version__
        return hashlib.blake2b(self._front + version.encode(), digest_size=16).hexdigest()

    def features(self, images: UInt8Array) -> FloatArray:
        """Features (B, D) of raw RGB images (B, H, W, 3); safe to call from several threads."""
        rows: FloatArray = self._front_session.run([FEATURES], {INPUT: images})[0]
        return rows

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Calibrated probabilities (B, K) of features (B, D)."""
        return self.answer(features)[0]

    def answer(self, features: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """The same with the unknown score (B,), or None of a file without one."""
        probabilities, *score = self._back_session.run(list(self._outputs), {FEATURES: features})
        return probabilities, score[0] if score else None

    @cached_property
    def _front_session(self) -> Any:
        return start(self._front, threads=1)

    @cached_property
    def _back_session(self) -> Any:
        return start(self._back, threads=1)


def cut(model: onnx.ModelProto) -> Halves | None:
    """The halves of a sealed model, or None where its answer does not hang on its features alone."""
    whole = onnx.shape_inference.infer_shapes(model)
    found = {info.name: info for info in whole.graph.value_info}.get(FEATURES)
    if found is None or len(found.type.tensor_type.shape.dim) != 2:
        return None
    width = found.type.tensor_type.shape.dim[1].dim_value
    found.CopyFrom(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["B", width]))
    extractor = Extractor(whole)
    outputs = [OUTPUT, *({UNKNOWN} & {output.name for output in model.graph.output})]
    front, back = (
        extractor.extract_model([first], last) for first, last in ((INPUT, [FEATURES]), (FEATURES, outputs))
    )
    if not width or _needs_more(back):
        return None
    del front.graph.value_info[:], back.graph.value_info[:]
    return Halves(
        front.SerializeToString(deterministic=True),
        back.SerializeToString(deterministic=True),
        width,
        outputs,
    )


def start(model: str | bytes, threads: int | None) -> Any:
    """A session of ONNX Runtime on the processor for a file or a serialized graph."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _needs_more(half: onnx.ModelProto) -> bool:
    """Whether a graph reads a value that is neither its input, a constant nor made by itself."""
    known = {i.name for i in half.graph.input} | {i.name for i in half.graph.initializer} | {""}
    known |= {output for node in half.graph.node for output in node.output}
    return any(name not in known for node in half.graph.node for name in node.input)
