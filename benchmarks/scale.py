"""Memory and time of the head as images grow, from cached features to a solved head, in 1,000 classes.

    python benchmarks/scale.py DATA [--counts 3000 10000 30000 100000] [--classes 1000] [--layers final]

No open set has as many images and classes, so rows are made of real ones: features of DATA's images at 224
px. A class is one image's features; a row is these and a multiple of the difference of two other images, so
that rows scatter as real ones do. They are written into a feature cache under a temporary folder, as
extraction writes them, and read from there by what a training uses where features do not fit in memory. Each
count is a process of its own. Seconds are of the processor; writing the rows is not counted. Peak memory is
that of the whole process; in brackets what it was before rows were read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from hashlib import blake2b
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import FeatureLayer, feature_layer_sets
from eyebright.data.manifest import Sample
from eyebright.data.source import scan
from eyebright.runtime.machine import peak_memory_bytes, release_memory
from eyebright.runtime.progress import SILENT
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.training.linear_probe.streaming_lda import fit_large
from eyebright.types import FloatArray, IntArray

SIZE, CHUNK, SCATTER, NEW = 224, 2048, 1.5, 2048


def layers_named(name: str) -> tuple[FeatureLayer, ...]:
    """Return feature layers: those of a set, or the last convolution's mean."""
    sets = feature_layer_sets(EmbeddedBackbone().card)
    return sets[name] if name in sets else tuple(t for t in sets["stages"] if t.layer.kind == "final")


def extractor_in(cache: Path, taps: tuple[FeatureLayer, ...]) -> FeatureExtractor:
    """Return an extractor that keeps its features in a folder."""
    backbone = EmbeddedBackbone()
    preprocessing = training_preprocessing(backbone.card, SIZE)
    return FeatureExtractor(cache, backbone, preprocessing, taps, "openvino float32", 1)


def real_rows(data: Path, taps: tuple[FeatureLayer, ...]) -> FloatArray:
    """Return the features (M, D) of a folder's images, computed once and then read from the user's cache."""
    extractor, manifest = extractor_in(default_folder(), taps), scan(data)
    with SILENT.task("", total=len(manifest.samples)) as task:
        gone = {skipped.path for skipped in extractor.compute(manifest.root, manifest.samples, task)}
    samples = [sample for sample in manifest.samples if sample.path not in gone]
    return np.asarray(extractor.read(samples, taps), np.float32)


def drawn(real: FloatArray, truth: IntArray, random: np.random.Generator) -> FloatArray:
    """Return a row of each class number (n,): (n, D)."""
    first, second = random.integers(0, len(real), (2, len(truth)))
    return real[truth] + np.float32(SCATTER) * (real[first] - real[second])


def measured(real: FloatArray, taps: tuple[FeatureLayer, ...], count: int, classes: int) -> dict[str, float]:
    """Return what reading ``count`` cached rows and solving the head took, in this process."""
    random = np.random.default_rng(count)
    truth = random.permutation(np.arange(count) % classes)
    shas = [blake2b(b"%d" % number, digest_size=16).hexdigest() for number in range(count)]
    samples = [Sample(sha, str(k), "train", sha, SIZE, SIZE) for sha, k in zip(shas, truth, strict=True)]
    with tempfile.TemporaryDirectory() as cache:
        extractor = extractor_in(Path(cache), taps)
        [space] = extractor.spaces
        for first in range(0, count, CHUNK):
            chunk = slice(first, first + CHUNK)
            for sample, row in zip(samples[chunk], drawn(real, truth[chunk], random), strict=True):
                space.add(sample.key, row.astype(np.float16))
            space.flush()
        release_memory()
        before, began = peak_memory_bytes() or 0, time.process_time()
        with SILENT.task("", total=count) as task:
            fit, _ = fit_large(extractor, samples, truth, np.arange(count), task)
        seconds, peak = time.process_time() - began, peak_memory_bytes() or 0
    others = random.integers(0, classes, NEW)
    right = (fit.head.logits(drawn(real, others, random)).argmax(axis=1) == others).mean()
    return {"seconds": seconds, "peak": peak, "before": before, "accuracy": float(right)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[3000, 10_000, 30_000, 100_000])
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--layers", default="final")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    taps = layers_named(options.layers)
    if options.inside:
        real = real_rows(options.data, taps)
        print(json.dumps(measured(real, taps, options.counts[0], options.classes)))
        return
    for count in options.counts:
        given = [str(options.data), "--counts", str(count), "--classes", str(options.classes)]
        command = [sys.executable, __file__, *given, "--layers", options.layers, "--inside"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{count:9,} rows   {found['seconds']:7.1f} s, {1e6 * found['seconds'] / count:6.0f} µs a row   "
            f"peak {found['peak'] / 1e9:.2f} GB ({found['before'] / 1e9:.2f} before)   "
            f"accuracy on {NEW:,} new rows {found['accuracy']:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
