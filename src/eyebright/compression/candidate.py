"""Quantisation candidates: a sealed graph in fewer bits, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx

from eyebright.compression.backbone import SealedBackbone, extract_backbone, replace_backbone
from eyebright.onnx_graph.edit import sorted_graph
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.types import Json


@dataclass(frozen=True)
class QuantisationCandidate:
    """One way of compressing a sealed graph; a search yields them until one is good enough.

    Attributes:
        summary: an English phrase for the terminal: how it was compressed.
        graph: the sealed graph, compressed; its inputs and outputs are the same.
        details: for the certificate.
    """

    summary: str
    graph: onnx.ModelProto
    details: Mapping[str, Json] = field(default_factory=dict)


def to_float16(backbone: SealedBackbone) -> QuantisationCandidate:
    """Convert the backbone's weights and arithmetic to float16.

    The resize, the normalisation, the pooled moments, the head and the softmax stay float32: they cost
    little, squares of activations overflow, and probabilities need more than three digits.
    """
    load_onnxruntime()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    part = extract_backbone(backbone.graph, backbone.ends, backbone.size)
    converted = sorted_graph(convert_float_to_float16(part, keep_io_types=True))
    graph = replace_backbone(backbone.graph, backbone.ends, converted)
    return QuantisationCandidate("float16 backbone, float32 preprocessing and head", graph)
