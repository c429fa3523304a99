"""Rate of feature extraction from files beside the engine's own rate on ready tensors, in one run.

    python benchmarks/extraction.py FOLDER [--size 224] [--images 400]

FOLDER holds images at any depth. The two are measured in turn, five times, with all cores at work; the limit
is the engine's rate, or that of decoding and resizing alone where it is lower.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.data.decode import load_square
from eyebright.data.walk import image_files
from eyebright.engines.choose import make, race
from eyebright.runtime.machine import usable_cores
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing
from eyebright.types import UInt8Array


def rate(work: Callable[[int], object], count: int, threads: int) -> float:
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(work, range(count)))
        return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--layers", default="all")
    args = parser.parse_args()
    files = list(image_files(args.folder))
    files = files[:: max(1, len(files) // args.images)][: args.images]
    preprocessing = training_preprocessing(embedded.card(), args.size)
    graph = graph_bytes(EmbeddedBackbone(), preprocessing, feature_layer_sets(embedded.card())[args.layers])

    def load(i: int) -> UInt8Array:
        return load_square(files[i], args.size, preprocessing.interpolation)

    ready = [load_square(f, args.size, preprocessing.interpolation) for f in files]
    trials = race(graph, ready[:12]).trials
    for trial in trials:
        error = f"error {100 * trial.error:.2f} % of spread"
        print(f"{trial.name:22} {trial.images_per_second:7.1f} images/s   {error}")
    engine = make(trials[0].name, graph)
    rows = []
    for _ in range(5):
        alone = rate(lambda i: engine.run(ready[i]), len(files), engine.callers)
        decode = rate(load, len(files), usable_cores())
        both = rate(lambda i: engine.run(load(i)), len(files), engine.callers)
        rows.append((alone, decode, both, both / min(alone, decode)))
    alone, decode, both, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"engine alone {alone:.1f}, decode and resize alone {decode:.1f}, both {both:.1f} images/s")
    print(f"ratio to the limit {ratio:.3f} (median of five, {len(files)} images at {args.size} px)")


if __name__ == "__main__":
    main()
