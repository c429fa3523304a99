"""Processor seconds of the head on many features and many classes.

    python benchmarks/head.py DATA [--classes 101] [--rows 2424] [--size 224]

DATA is a folder of images. The features are those of all layers of the embedded backbone, computed once and
then read from the cache. No open set of this size has 101 classes, so the largest class is cut into two
clusters of its features by k-means until there are as many: labels that the features tell as real ones do, of
unequal sizes. Images that are not among the rows tell the log loss. Seconds are of the processor, all threads
together; with OPENBLAS_NUM_THREADS=1 no thread spins while it waits for another.
"""

from __future__ import annotations

import argparse
import resource
import time
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy.cluster.vq import kmeans2

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.data.source import scan
from eyebright.runtime.progress import SILENT
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.training.linear_probe.head import fit_head
from eyebright.training.linear_probe.lda import log_loss
from eyebright.training.linear_probe.logistic import LogisticProblems, Point
from eyebright.training.linear_probe.pca import principal_directions, standardise
from eyebright.types import FloatArray, IntArray


def busy() -> float:
    """Return the processor seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def features(data: Path, size: int) -> tuple[FloatArray, IntArray]:
    """Return the features (N, D) of all images, with their classes (N,)."""
    backbone, manifest = EmbeddedBackbone(), scan(data)
    taps = feature_layer_sets(backbone.card)["all"]
    preprocessing = training_preprocessing(backbone.card, size)
    extractor = FeatureExtractor(default_folder(), backbone, preprocessing, taps, "openvino float32", 1)
    with SILENT.task("", total=len(manifest.samples)) as task:
        gone = {skipped.path for skipped in extractor.compute(manifest.root, manifest.samples, task)}
    samples = [sample for sample in manifest.samples if sample.path not in gone]
    truth = np.array([manifest.labels.index(sample.label) for sample in samples])
    return np.asarray(extractor.read(samples, taps), np.float32), truth


def cut(rows: FloatArray, truth: IntArray, classes: int) -> IntArray:
    """Return (N,) numbers of clusters: the largest one is halved until there are ``classes``."""
    found = truth.copy()
    for number in range(int(truth.max()) + 1, classes):
        members = np.flatnonzero(found == np.bincount(found).argmax())
        _, half = kmeans2(rows[members], 2, minit="++", seed=number)
        found[members[half == 1]] = number
    return found


def counted(calls: list[int]) -> AbstractContextManager[object]:
    """Note how many problems each evaluation of objective and gradient was of."""
    evaluate = LogisticProblems._evaluate

    def noting(
        problems: LogisticProblems, coefficients: FloatArray, penalty: FloatArray, chosen: IntArray
    ) -> Point:
        calls.append(len(chosen))
        return evaluate(problems, coefficients, penalty, chosen)

    return patch.object(LogisticProblems, "_evaluate", noting)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--classes", type=int, default=101)
    parser.add_argument("--rows", type=int, default=2424)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()

    rows, truth = features(options.data, options.size)
    reduced = principal_directions(standardise(rows)[0], 64, 0)[0]
    truth = cut(reduced, truth, options.classes)
    order = np.random.default_rng(0).permutation(len(rows))
    learned, unseen = order[: options.rows], order[options.rows :]
    learned, unseen = np.sort(learned), np.sort(unseen[np.isin(truth[unseen], truth[learned])])

    began, clock = busy(), time.perf_counter()
    calls: list[int] = []
    with counted(calls):
        fit = fit_head(rows[learned], truth[learned], options.classes)
    seconds, clock = busy() - began, time.perf_counter() - clock
    logits = fit.head.logits(rows[unseen])
    loss = log_loss(logits, truth[unseen], np.ones(len(unseen), np.float32))
    right = float((logits.argmax(axis=1) == truth[unseen]).mean())
    smallest = np.bincount(truth[learned], minlength=options.classes).min()
    print(f"{len(learned):,} rows x {rows.shape[1]:,} features")
    print(f"{options.classes} classes of {smallest} rows or more")
    print(
        f"{seconds:.1f} processor seconds ({clock:.1f} by the clock), {sum(calls):,} evaluations of a problem"
    )
    held_out = min(point.log_loss for point in fit.path)
    print(f"log loss {held_out:.5f} of the folds at {fit.l2:g}, discriminant {fit.discriminant_share}")
    print(f"log loss {loss:.5f}, accuracy {right:.4f} on {len(unseen):,} other images")


if __name__ == "__main__":
    main()
