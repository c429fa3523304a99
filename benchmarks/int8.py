"""Int8 beside float32: accuracy by certificate, size, and processor time with one thread, in turn.

python benchmarks/int8.py RUN [RUN ...] [--rounds N]

"float32" is the run's graph with weights of 32 bits, as other tools would export it; the sealed file of the
embedded backbone keeps 16. "network" is the graph behind resize and normalisation, with pooling and head.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime

from eyebright.compression.backbone import prepare_backbone
from eyebright.data.decode import decode
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import PIXELS, subgraph_from
from eyebright.verbs.export.export import export
from eyebright.verbs.export.images import export_images
from eyebright.verbs.export.options import ExportConfig

HEAD = "| run | accuracy | int8 | step | MB | network, ms | whole file, ms | integer kernels |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    print(HEAD)
    print("|---" * 8 + "|")
    for run in args.runs:
        print(row(run, args.rounds), flush=True)


def row(run: Path, rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        export(ExportConfig(model=run, to=["onnx"], int8=True, out=out))
        (found,) = out.glob("*/certificate.json")
        certificate = json.loads(found.read_text())
        file = next(found.parent.glob("model.onnx*"))
        int8 = onnx.load(file)
    model = SealedModel(run, threads=1)
    network = prepare_backbone(onnx.load(model.path), model.card.feature_layers, model.size)
    image = first_image(model)
    square = np.random.default_rng(0).normal(size=(1, 3, model.size, model.size)).astype(np.float32)
    cut = [subgraph_from(graph, PIXELS, model.size) for graph in (network.graph, int8)]
    calls = [answer(graph, "pixels", square) for graph in cut]
    calls += [answer(graph, "images", image[None]) for graph in (onnx.load(model.path), int8)]
    alone, alone8, whole, whole8 = in_turn(calls, rounds)
    size, size8 = (len(graph.SerializeToString()) / 1e6 for graph in (network.graph, int8))
    loss = certificate["accuracy_difference"]
    details = certificate["details"]
    interval = f"{100 * loss['value']:+.1f} ({100 * loss['low']:+.1f} to {100 * loss['high']:+.1f})"
    cells = (
        f"{run.name}, {model.size} px",
        f"{100 * certificate['accuracy_original']:.1f} %, n = {certificate['images']}",
        interval if certificate["passed"] else f"{interval}, REJECTED",
        str(len(details["rejected_candidates"]) + 1),
        f"{size:.2f} -> {size8:.2f} ({size8 / size:.2f})",
        f"{alone:.1f} -> {alone8:.1f} ({alone / alone8:.1f} x)",
        f"{whole:.1f} -> {whole8:.1f} ({whole / whole8:.1f} x)",
        f"{details['integer_kernels']} of {details['integer_kernels'] + details['float_kernels']}",
    )
    return f"| {' | '.join(cells)} |"


def first_image(model: SealedModel) -> np.ndarray:
    images = export_images(model, None, 1, 0)
    return decode(images.root / images.compared[0].path, min_side=model.size)


def answer(graph: onnx.ModelProto, name: str, given: np.ndarray) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    return lambda: session.run(None, {name: given})


def in_turn(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Median milliseconds of each call, on the processor: other work on the machine counts little."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 3):
        for call, found in zip(calls, times, strict=True):
            start = time.thread_time()
            call()
            if number >= 3:
                found.append(1000 * (time.thread_time() - start))
    return [median(found) for found in times]


if __name__ == "__main__":
    main()
