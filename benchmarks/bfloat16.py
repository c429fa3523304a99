"""Where bfloat16 goes wrong: errors of features by the stages that are kept in float32, and by single layers.

    python benchmarks/bfloat16.py DATA [--size 224] [--layers all] [--images 64] [--rounded] [--head 600]

Errors are of each feature, as a share of its spread over the images: the median feature's, and what 90 % of
features stay below; then the same once the mean error of other images is taken back, which undoes most of
what rounded weights do. Times are the least of the processor, of one image and one thread. OpenVINO keeps an
operation in float32 where its graph says so (`DisablePrecisionConversion`).

With --head a head is learned on so many images of class folders, with the features of the engine of mixed
precision, and asked about half as many others, by these features and by those of float32.

With --rounded each convolution's input, and then its weights, are rounded to bfloat16 alone, all else in
float32, by ONNX Runtime.
"""

from __future__ import annotations

import argparse
import time
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
from eyebright.engines.openvino import OpenVinoEngine
from eyebright.engines.openvino_mixed import kept_in_float32
from eyebright.runtime.telemetry import openvino_core
from eyebright.task.task import MultiClass
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing
from eyebright.training.linear_probe.head import fit_head
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
    core = openvino_core()
    model = core.read_model(graph)
    model.reshape([1, side, side, 3])
    operations = (op for op in model.get_ops() if op.get_type_name() != "Constant")
    names = {op.get_friendly_name() for op in operations}
    model = kept_in_float32(model, {name for name in names if name.startswith(tuple(kept))})
    hints = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}
    request = core.compile_model(model, "CPU", hints).create_infer_request()

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


def moved(graph: bytes, load: Callable[[Path], UInt8Array], files: Sequence[Path], learned: int) -> str:
    """Return how far probabilities move from features of mixed precision to those of float32."""
    labels = sorted({file.parent.name for file in files})
    truth = np.array([labels.index(file.parent.name) for file in files])
    mixed, exact = (OpenVinoEngine(graph, precision) for precision in ("mixed", "float32"))
    images = (load(file) for file in files)
    rows = [(mixed.run(image), exact.run(image)) for image in images]
    lower, right = (np.stack(some).astype(np.float16) for some in zip(*rows, strict=True))  # as the cache
    task, answers = MultiClass(), []
    for known, asked in ((lower, lower), (lower, right), (right, right)):
        fit = fit_head(known[:learned], truth[:learned], len(labels))
        answers.append(task.probabilities(fit.head.logits(asked[learned:])))
    own, across, usual = answers
    tops = [some.argmax(axis=1) for some in answers]
    loss = [float(-np.log(some[np.arange(len(some)), truth[learned:]]).mean()) for some in answers]
    return (
        f"a probability of {len(own)} images moves by {np.abs(own - across).max():.4f} at most, "
        f"another class on {(tops[0] != tops[1]).sum()}; log loss {loss[1]:.4f}, float32 {loss[2]:.4f}, "
        f"its probabilities differ by {np.abs(across - usual).max():.4f}, its classes on "
        f"{(tops[1] != tops[2]).sum()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--layers", default="all")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounded", action="store_true")
    parser.add_argument("--head", type=int, default=0)
    options = parser.parse_args()
    backbone, size = EmbeddedBackbone(), options.size
    preprocessing = training_preprocessing(backbone.card, size)
    graph = graph_bytes(backbone, preprocessing, feature_layer_sets(backbone.card)[options.layers])
    files = sorted(Path(file) for file in image_files(options.data))
    files = [files[i] for i in np.random.default_rng(0).permutation(len(files))]

    def load(file: Path) -> UInt8Array:
        return load_square(file, size, preprocessing.interpolation)

    if options.head:
        print(moved(graph, load, files[: options.head * 3 // 2], options.head))
        return
    images = [load(file) for file in files[: options.images]]
    exact = openvino(graph, size, "f32", ())
    right = np.stack([exact(image) for image in images])
    print(f"{'float32':34} {compared(exact, images, right)}")
    print(f"{'float16':34} {compared(openvino(graph, size, 'f16', ()), images, right)}")
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
