"""Where bfloat16 goes wrong: errors of features by the stages that are kept in float32, and by single layers.

    python benchmarks/bfloat16.py DATA [--size 224] [--layers all] [--images 64] [--rounded]

Errors are of each feature, as a share of its spread over the images: the median feature's, and what 90 % of
features stay below; then the same once the mean error of other images is taken back, which undoes most of
what rounded weights do. Times are the least of the processor, of one image and one thread. OpenVINO keeps an
operation in float32 where its graph says so (`DisablePrecisionConversion`).

With --rounded each convolution's input, and then its weights, are rounded to bfloat16 alone, all else in
float32, by ONNX Runtime.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.data.decode import load_square
from eyebright.data.walk import image_files
from eyebright.engines.onnx_runtime import OnnxRuntimeEngine
from eyebright.runtime.telemetry import load_openvino
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing
from eyebright.types import FloatArray, UInt8Array

KEPT: tuple[tuple[str, ...], ...] = (
    (),
    ("stem", "stage0"),
    ("stem", "stage0", "stage1"),
    ("stem", "stage0", "stage1", "stage2"),
)


def openvino(
    graph: bytes, side: int, precision: str, kept: Sequence[str]
) -> Callable[[UInt8Array], FloatArray]:
    """Return what runs a graph on one thread; names that begin with one of ``kept`` stay float32."""
    library = load_openvino()
    core = library.Core()
    model = core.read_model(graph)
    model.reshape([1, side, side, 3])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        library.save_model(model, path, compress_to_fp16=False)
        tree = ET.parse(path)
        for layer in tree.iter("layer"):
            if layer.get("type") != "Const" and layer.get("name", "").startswith(tuple(kept)):
                told = layer.find("rt_info")
                if told is None:
                    told = ET.Element("rt_info")
                    layer.insert(0 if layer.find("data") is None else 1, told)
                fact = {"name": "DisablePrecisionConversion", "version": "0", "value": "dynamic:f16"}
                ET.SubElement(told, "attribute", fact)
        tree.write(path)
        hints = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}
        request = core.compile_model(core.read_model(path), "CPU", hints).create_infer_request()

    def run(image: UInt8Array) -> FloatArray:
        request.infer({0: image[None]})
        features: FloatArray = request.get_output_tensor(0).data[0].copy()
        return features

    return run


def rounded(graph: bytes, convolution: str, slot: int) -> Callable[[UInt8Array], FloatArray]:
    """Return what runs a graph with one input of one convolution rounded: 0 its map, 1 its weights."""
    model, nodes = onnx.load_from_string(graph), []
    for node in model.graph.node:
        if node.name == convolution:
            short, back = f"{convolution}_short", f"{convolution}_back"
            nodes.append(helper.make_node("Cast", [node.input[slot]], [short], to=TensorProto.BFLOAT16))
            nodes.append(helper.make_node("Cast", [short], [back], to=TensorProto.FLOAT))
            node.input[slot] = back
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return OnnxRuntimeEngine(model.SerializeToString()).run


def compared(run: Callable[[UInt8Array], FloatArray], images: Sequence[UInt8Array], right: FloatArray) -> str:
    """Return time and errors beside the right features (N, D)."""
    rows, times = [], []
    for image in images:
        start = time.process_time()
        rows.append(run(image))
        times.append(time.process_time() - start)
    found, half = np.stack(rows), len(images) // 2
    spread = right.std(axis=0)
    varies = spread > 1e-6 * (1 + np.abs(right).max(axis=0))

    def errors(shift: FloatArray | float) -> str:
        lost = np.sqrt(((found[half:] + shift - right[half:]) ** 2).mean(axis=0))[varies] / spread[varies]
        return f"{100 * np.median(lost):5.2f} % ({100 * np.quantile(lost, 0.9):5.2f} %)"

    shift = (right[:half] - found[:half]).mean(axis=0)
    return f"{1000 * min(times):5.1f} ms   {errors(0.0)}   mean taken back {errors(shift)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--layers", default="all")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounded", action="store_true")
    options = parser.parse_args()
    backbone, size = EmbeddedBackbone(), options.size
    preprocessing = training_preprocessing(backbone.card, size)
    graph = graph_bytes(backbone, preprocessing, feature_layer_sets(backbone.card)[options.layers])
    files = sorted(image_files(options.data))
    drawn = np.random.default_rng(0).permutation(len(files))[: options.images]
    images = [load_square(files[i], size, preprocessing.interpolation) for i in drawn]
    exact = openvino(graph, size, "f32", ())
    right = np.stack([exact(image) for image in images])
    print(f"{'float32':34} {compared(exact, images, right)}")
    for kept in KEPT:
        name = f"bfloat16 but {', '.join(kept)}" if kept else "bfloat16"
        print(f"{name:34} {compared(openvino(graph, size, 'bf16', kept), images, right)}", flush=True)
    if options.rounded:
        for node in onnx.load_from_string(graph).graph.node:
            for slot, what in enumerate(("map", "weights") if node.op_type == "Conv" else ()):
                run = rounded(graph, node.name, slot)
                print(f"{node.name:26} {what:7} {compared(run, images, right)}", flush=True)


if __name__ == "__main__":
    main()
