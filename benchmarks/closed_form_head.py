"""The closed-form head at full size: 1,000,000 images x 1,280 features x 2,000 classes, synthetic features.

    python benchmarks/closed_form_head.py

Features come in float16 chunks, as from the cache, from a seeded generator whose time is reported apart.
Prints seconds by stage, peak memory, accuracy on rows never seen, and the seconds that bare matrix products
of the same shapes take in the same run.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt

from eyebright.training.linear_probe.class_statistics import FeatureStatistics
from eyebright.training.linear_probe.closed_form import SHRINKAGES, choose_shrinkage, solve
from eyebright.types import FloatArray, IntArray

CHUNK = 16_384


class Generator:
    """Rows of classes that overlap, in correlated features far from zero, as pooled activations are."""

    def __init__(self, features: int, classes: int, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.means = 1 + 0.2 * self.random.standard_normal((classes, features), dtype=np.float32)
        self.mixing = self.random.standard_normal((32, features), dtype=np.float32) / 16

    def chunk(self, rows: int) -> tuple[npt.NDArray[np.float16], IntArray]:
        y = self.random.integers(0, len(self.means), rows)
        x = self.random.standard_normal((rows, self.means.shape[1]), dtype=np.float32)
        x += self.random.standard_normal((rows, 32), dtype=np.float32) @ self.mixing
        x += self.means[y]
        return x.astype(np.float16), y


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """The shortest of ``times`` runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def bare_products(images: int, features: int, classes: int, folds: int) -> tuple[float, float]:
    """Seconds of the float32 Gram products, and of the float64 products that the solution needs."""
    x: FloatArray = np.random.default_rng(1).standard_normal((CHUNK, features), dtype=np.float32)
    square, wide = np.ones((features, features)), np.ones((classes, features))
    gram = seconds(lambda: x.T @ x, 5) * images / CHUNK
    within, turn = seconds(lambda: wide.T @ wide, 3), seconds(lambda: wide @ square, 3)
    spread = seconds(lambda: square @ square, 3)
    return gram, folds * (2 * within + turn + spread) + within + 2 * turn


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=1_280)
    parser.add_argument("--classes", type=int, default=2_000)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()

    generator = Generator(options.features, options.classes)
    folds = [FeatureStatistics.empty(options.features, options.classes) for _ in range(options.folds)]
    generating = adding = 0.0
    for number, start in enumerate(range(0, options.images, CHUNK)):
        begin = time.perf_counter()
        x, y = generator.chunk(min(CHUNK, options.images - start))
        generated = time.perf_counter()
        folds[number % options.folds].add(x, y)
        generating += generated - begin
        adding += time.perf_counter() - generated

    begin = time.perf_counter()
    shrinkage = choose_shrinkage(folds)
    choosing = time.perf_counter() - begin
    begin = time.perf_counter()
    head = solve(reduce(add, folds), shrinkage)
    solving = time.perf_counter() - begin
    # In bytes on macOS, in KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    x, y = generator.chunk(CHUNK)
    accuracy = float(np.mean((x.astype(np.float32) @ head.weights + head.bias).argmax(axis=1) == y))
    gram, products = bare_products(options.images, options.features, options.classes, options.folds)
    total = adding + choosing + solving
    print(f"{options.images:,} images x {options.features:,} features x {options.classes:,} classes")
    print(f"generating features     {generating:7.1f} s, not counted")
    print(f"adding up statistics    {adding:7.1f} s, {adding / gram:.2f} x bare products ({gram:.1f} s)")
    print(f"choosing the shrinkage  {choosing:7.1f} s, {options.folds} folds, {len(SHRINKAGES)} candidates")
    print(f"solving                 {solving:7.1f} s")
    print(f"total                   {total:7.1f} s, {total / (gram + products):.2f} x bare products")
    print(f"peak memory             {peak / 1e9:7.2f} GB")
    print(f"shrinkage {shrinkage}, accuracy on {CHUNK:,} new rows {accuracy:.4f}")


if __name__ == "__main__":
    main()
