"""What choosing input size, layers and views costs and chooses, with and without the first images.

    python benchmarks/selection.py DATA [--first 128 400] [--views] [--seeds 0]
    python benchmarks/selection.py textile --train 85 --first 128 --views --seeds 0 1 2 3 4

Each number of first images in turn gets an empty cache: selection, then the features of all training images.
400 asks all images of every step at once. Seconds are those of the wall, then those of the processor; with
several seeds, only those of the first are from an empty cache. The share of images right is that of the part
that is held out, whose images no choice has seen. "textile" stands for the images of the demo. --train draws
about so many images to learn from, and holds out the others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan
from eyebright.runtime.progress import SILENT
from eyebright.training.linear_probe import probe
from eyebright.training.linear_probe.probe import FrozenTrainer
from eyebright.training.linear_probe.targets import truth_of
from eyebright.verbs.demo.demo import demo_images


class Clock:
    """Seconds since it was asked last: of the wall, and of the processor."""

    def __init__(self) -> None:
        self._last = time.perf_counter(), time.process_time()

    def lap(self) -> str:
        now = time.perf_counter(), time.process_time()
        wall, processor = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        return f"{wall:6.1f} s ({processor:6.1f} s)"


def measured(manifest: Manifest, first: int, views: int | None, seed: int, cache: Path) -> float:
    """Choose and train, and print what it cost; return the share right of those held out, in percent."""
    held_out, laps, clock = manifest.of("test") or manifest.of("val"), [], Clock()
    setattr(probe, "FIRST", first)  # noqa: B010  (a constant of the module that it is imported into)
    trainer = FrozenTrainer(manifest, EmbeddedBackbone(), cache, views=views, layers="auto", seed=seed)
    model = trainer.train(None, lambda *_: laps.append(clock.lap()))
    laps.append(clock.lap())
    extractor = model.extractor
    with SILENT.task("", total=len(held_out)) as task:
        extractor.compute(manifest.root, held_out, task)
    logits = model.fit.head.logits(extractor.read(held_out, extractor.taps))
    right = float(100 * np.mean(manifest.task.correct(logits, truth_of(held_out, manifest))))
    size = extractor.preprocessing.size
    print(
        f"first {first:4}, seed {seed}: {size} px, {model.layers}, {model.views} views, {right:.1f} % right"
    )
    print(f"  engine, selection and features {laps[0]}, head {laps[1]}", flush=True)
    for row in (*model.sizes, *model.feature_layer_sets, *model.view_counts):
        print(f"    {row.name:8} log loss {row.log_loss:.3f} on {row.count}", "*" if row.selected else "")
    return right


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--first", type=int, nargs="+", default=[128, 400])
    parser.add_argument("--val", type=float, help="share held out, where there is no val/")
    parser.add_argument("--views", action="store_true", help="choose the number of views, too")
    parser.add_argument("--train", type=int, help="images to learn from; the others are held out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    data = demo_images() if str(args.data) == "textile" else args.data
    val = args.val if args.train is None else 1 - args.train / len(scan(data, val=0.5).samples)
    for first in args.first:
        with tempfile.TemporaryDirectory() as cache:
            right = [
                measured(scan(data, val=val, seed=seed), first, None if args.views else 1, seed, Path(cache))
                for seed in args.seeds
            ]
        print(f"first {first:4}: {np.mean(right):.1f} % right, {min(right):.1f} to {max(right):.1f}")


if __name__ == "__main__":
    main()
