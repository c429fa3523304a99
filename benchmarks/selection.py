"""What choosing input size, layers and views costs and chooses, with and without the first images.

    python benchmarks/selection.py DATA [--first 128 400] [--views] [--seed 0]

Each number of first images in turn gets an empty cache: selection, then the features of all training images.
400 asks all images of every step at once. Seconds are those of the wall, then those of the processor. The
share of images right is that of the part that is held out, whose images no choice has seen.
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


class Clock:
    """Seconds since it was asked last: of the wall, and of the processor."""

    def __init__(self) -> None:
        self._last = time.perf_counter(), time.process_time()

    def lap(self) -> str:
        now = time.perf_counter(), time.process_time()
        wall, processor = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        return f"{wall:6.1f} s ({processor:6.1f} s)"


def measured(manifest: Manifest, first: int, views: int | None, seed: int) -> None:
    """Choose and train from an empty cache, and print what it cost."""
    held_out, laps, clock = manifest.of("test") or manifest.of("val"), [], Clock()
    setattr(probe, "FIRST", first)  # noqa: B010  (a constant of the module that it is imported into)
    with tempfile.TemporaryDirectory() as cache:
        trainer = FrozenTrainer(
            manifest, EmbeddedBackbone(), Path(cache), views=views, layers="auto", seed=seed
        )
        model = trainer.train(None, lambda *_: laps.append(clock.lap()))
        laps.append(clock.lap())
        extractor = model.extractor
        with SILENT.task("", total=len(held_out)) as task:
            extractor.compute(manifest.root, held_out, task)
        logits = model.fit.head.logits(extractor.read(held_out, extractor.taps))
    right = 100 * np.mean(manifest.task.correct(logits, truth_of(held_out, manifest)))
    size = extractor.preprocessing.size
    print(f"first {first:4}: {size} px, {model.layers}, {model.views} views, {right:.1f} % right")
    print(f"  engine, selection and features {laps[0]}, head {laps[1]}", flush=True)
    for row in (*model.sizes, *model.feature_layer_sets, *model.view_counts):
        print(f"    {row.name:8} log loss {row.log_loss:.3f} on {row.count}", "*" if row.selected else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--first", type=int, nargs="+", default=[128, 400])
    parser.add_argument("--val", type=float, help="share held out, where there is no val/")
    parser.add_argument("--views", action="store_true", help="choose the number of views, too")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    manifest = scan(args.data, val=args.val, seed=args.seed)
    for first in args.first:
        measured(manifest, first, None if args.views else 1, args.seed)


if __name__ == "__main__":
    main()
