"""OpenVINO in mixed precision: float32 in the first layers, in which bfloat16 errs, bfloat16 in the rest."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Set as AbstractSet
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from eyebright.runtime.telemetry import load_openvino, openvino_core

# Of the embedded backbone's 49 layers with weights, these are the stem and stages 0 to 2 (decision 0049).
_SHARE = 0.3
_WEIGHTED = {"Convolution", "GroupConvolution", "MatMul"}


def first_in_float32(model: Any) -> Any:
    """Return an ``openvino.Model`` whose first layers stay float32 where it is compiled for bfloat16."""
    return kept_in_float32(model, _first_names(model))


def kept_in_float32(model: Any, kept: AbstractSet[str]) -> Any:
    """Return an ``openvino.Model`` of which the operations named in ``kept`` stay float32.

    OpenVINO 2026.4 reads the mark of such an operation from a file, and has no call for it in Python.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        load_openvino().save_model(model, path, compress_to_fp16=False)
        network = ET.parse(path).getroot()
        # Read whole: a file that OpenVINO has mapped cannot be removed on Windows.
        weights = np.fromfile(path.with_suffix(".bin"), np.uint8)
    for layer in network.iter("layer"):
        if layer.get("name") in kept:
            _mark(layer)
    return openvino_core().read_model(ET.tostring(network), load_openvino().Tensor(weights))


def _first_names(model: Any) -> AbstractSet[str]:
    """Return the names of the operations that need nothing of the later layers with weights."""
    ordered = [op for op in model.get_ordered_ops() if op.get_type_name() != "Constant"]
    weighted = [op.get_friendly_name() for op in ordered if op.get_type_name() in _WEIGHTED]
    later = set(weighted[math.ceil(_SHARE * len(weighted)) :])
    for op in ordered:
        if any(value.get_node().get_friendly_name() in later for value in op.input_values()):
            later.add(op.get_friendly_name())
    return {op.get_friendly_name() for op in ordered} - later


def _mark(layer: ET.Element) -> None:
    told = layer.find("rt_info")
    if told is None:
        told = ET.Element("rt_info")
        layer.insert(0 if layer.find("data") is None else 1, told)
    fact = {"name": "DisablePrecisionConversion", "version": "0", "value": "dynamic:f16"}
    ET.SubElement(told, "attribute", fact)
