"""Which score tells foreign images best: those that were compared, on real images.

    python benchmarks/unknown.py OWN FOREIGN … [--size 224 --layers all] [--count 1800] [--leave-out CLASS]

OWN and FOREIGN are folders that `eyebright train` takes. Of OWN's training part a head is solved on 60 %;
limits are set on 20 %, so that 5 % of them are rejected, and checked on the rest. With --leave-out one class
of OWN is never shown, and is asked about as one more foreign set. Features come from the cache of
`eyebright train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.data.folder import scan
from eyebright.evaluation.uncertainty.ood import choose_unknown, separation
from eyebright.runtime.progress import SILENT
from eyebright.task.task import MultiClass
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.training.linear_probe.head import fit_head
from eyebright.training.linear_probe.pca import standardise
from eyebright.training.ood import Scale, energy, fit_residual
from eyebright.types import FloatArray, IntArray

Score = Callable[[FloatArray], FloatArray]
DIRECTIONS, NEIGHBOURS = 64, 5


def rows_of(folder: Path, size: int, layers: str, count: int) -> tuple[FloatArray, IntArray, tuple[str, ...]]:
    """Features (N, D) of up to ``count`` training images, their classes, and what these are called."""
    manifest = scan(folder)
    backbone = EmbeddedBackbone()
    preprocessing = training_preprocessing(backbone.card, size)
    taps = feature_layer_sets(backbone.card)[layers]
    extractor = FeatureExtractor(default_folder(), backbone, preprocessing, taps, "openvino float32", 1)
    samples = manifest.of("train")
    order = np.sort(np.random.default_rng(0).permutation(len(samples))[:count])
    chosen = [samples[i] for i in order]
    with SILENT.task("", total=len(chosen)) as task:
        extractor.compute(manifest.root, chosen, task)
    return (
        extractor.read(chosen, taps).astype(np.float32),
        MultiClass().encode(chosen, manifest.labels),
        manifest.labels,
    )


class Gaussian:
    """Mahalanobis distances along the directions in which the rows vary most."""

    def __init__(self, rows: FloatArray, truth: IntArray) -> None:
        standard, self.mean, self.scale = standardise(rows)
        means = np.stack([standard[truth == k].mean(axis=0) for k in np.unique(truth)])
        spread = standard - means[np.searchsorted(np.unique(truth), truth)]
        self.within, self.variances = self._directions(spread)
        self.whole, self.whole_variances = self._directions(standard)
        self.centres = means @ self.within
        self.bank = self._unit(standard @ self.whole)

    @staticmethod
    def _directions(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        tall = len(rows) > rows.shape[1]
        moments, vectors = np.linalg.eigh((rows.T @ rows if tall else rows @ rows.T).astype(np.float64))
        moments, vectors = moments[-DIRECTIONS:], vectors[:, -DIRECTIONS:]
        basis = vectors if tall else rows.T @ (vectors / np.sqrt(moments))
        return basis.astype(np.float32), (moments / len(rows)).astype(np.float32)

    @staticmethod
    def _unit(rows: FloatArray) -> FloatArray:
        unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def _along(self, rows: FloatArray, basis: FloatArray) -> FloatArray:
        return np.asarray(((rows - self.mean) * self.scale) @ basis, np.float32)

    def distance(self, rows: FloatArray) -> FloatArray:
        spread = (self._along(rows, self.within)[:, None] - self.centres) ** 2
        nearest: FloatArray = (spread / self.variances).sum(axis=2).min(axis=1)
        return nearest

    def relative(self, rows: FloatArray) -> FloatArray:
        whole: FloatArray = (self._along(rows, self.whole) ** 2 / self.whole_variances).sum(axis=1)
        return self.distance(rows) - whole

    def neighbours(self, rows: FloatArray) -> FloatArray:
        near: FloatArray = self._unit(self._along(rows, self.whole)) @ self.bank.T
        return -np.sort(near, axis=1)[:, -NEIGHBOURS]


def scores(rows: FloatArray, truth: IntArray, classes: int, limits: FloatArray) -> dict[str, Score]:
    """The scores by name, fitted to rows (N, D); ``limits`` (n, D) scale the one that has two parts."""
    head = fit_head(rows, truth, classes, rank=200, strengths=(1e-5,), shares=(0.375,)).head
    gaussian, residual = Gaussian(rows, truth), fit_residual(rows)

    def doubt(x: FloatArray) -> FloatArray:
        logits = head.logits(x)
        highest: FloatArray = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        return -highest

    length = Scale.fit(residual.lengths(limits), 0.025)
    low = Scale.fit(energy(head.logits(limits)), 0.025)
    return {
        "highest probability": doubt,
        "energy": lambda x: energy(head.logits(x)),
        "Mahalanobis, nearest class": gaussian.distance,
        "Mahalanobis, relative": gaussian.relative,
        "nearest neighbours": gaussian.neighbours,
        "residual": residual.lengths,
        "residual or energy (taken)": lambda x: np.maximum(
            length.of(residual.lengths(x)), low.of(energy(head.logits(x)))
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("own", type=Path)
    parser.add_argument("foreign", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--layers", default="all")
    parser.add_argument("--count", type=int, default=1800)
    parser.add_argument("--foreign-count", type=int, default=300)
    parser.add_argument("--leave-out")
    options = parser.parse_args()
    how = (options.size, options.layers)
    rows, truth, labels = rows_of(options.own, *how, options.count)
    others = {folder.name: rows_of(folder, *how, options.foreign_count)[0] for folder in options.foreign}
    if options.leave_out:
        gone = truth == labels.index(options.leave_out)
        others = {options.leave_out: rows[gone], **others}
        rows, truth = rows[~gone], np.unique(truth[~gone], return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(len(rows))
    fitted, limits, judged = np.split(order, [int(0.6 * len(rows)), int(0.8 * len(rows))])
    counts = ", ".join(f"{name} {len(x)}" for name, x in others.items())
    print(f"{options.own.name}: {len(fitted)} / {len(limits)} / {len(judged)} images; foreign: {counts}")
    print("| score | own rejected |" + "".join(f" {name}: AUROC | accepted |" for name in others))
    print("|---|---|" + "---|---|" * len(others))
    found = scores(rows[fitted], truth[fitted], int(truth.max()) + 1, rows[limits])
    for name, score in found.items():
        limit = choose_unknown(score(rows[limits]), 0.05, "val").threshold
        own = score(rows[judged])
        cells = [separation(own, score(x), limit) for x in others.values()]
        line = "".join(f" {c.auroc.value:.4f} | {100 * c.accepted.value:.1f} % |" for c in cells)
        print(f"| {name} | {100 * cells[0].rejected.value:.1f} % |{line}", flush=True)


if __name__ == "__main__":
    main()
