"""What pretraining on unlabelled images is worth with few labels, over several draws of the labels.

    python benchmarks/pretrain.py DATA [--labels 20] [--seeds 5] [--images N] [OPTIONS OF PRETRAIN]

DATA has class folders, or train/ and val/; "textile" stands for the images of the demo. A quarter of each
class is only tested on, drawn by the first seed, or what lies in val/. The others are the unlabelled images;
for each seed, --labels a class of them get their labels back. The head is solved on the backbone as it is,
and on the one that was pretrained (once) on all of the others, at --size with --layers; both are tested on
the same images. OPTIONS OF PRETRAIN are passed on, such as --method simclr --unfreeze 4 --budget 20m.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--labels", type=int, default=20, help="labelled images a class")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, help="of a class, tested ones included (default: all)")
    parser.add_argument("--size", default="224")
    parser.add_argument("--layers", default="auto")
    args, options = parser.parse_known_args()
    root = demo() if args.data == "textile" else Path(args.data)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        unlabelled, tested = divided(root, args.images)
        for number, path in enumerate(p for paths in unlabelled.values() for p in paths):
            link(path, work / "unlabelled" / f"{number:06}{path.suffix}")
        size = [] if args.size == "auto" else ["--size", args.size]
        start = time.perf_counter()
        eyebright("pretrain", work / "unlabelled", "--out", work / "backbone", *size, *options)
        print(f"pretraining {time.perf_counter() - start:.0f} s, load {os.getloadavg()[0]:.1f}")
        print((work / "backbone" / "history.csv").read_text(), flush=True)
        gains = []
        for seed in range(args.seeds):
            data = work / f"labels-{seed}"
            chance = np.random.default_rng(seed)
            for label, paths in unlabelled.items():
                for i in chance.choice(len(paths), min(args.labels, len(paths)), replace=False):
                    link(paths[i], data / "train" / label / paths[i].name)
                for path in tested[label]:
                    link(path, data / "val" / label / path.name)
            accuracy = [
                trained(data, work / f"run-{seed}-{n}", *size, "--layers", args.layers, *backbone)
                for n, backbone in enumerate([(), ("--backbone", str(work / "backbone"))])
            ]
            gains.append(100 * (accuracy[1] - accuracy[0]))
            print(
                f"seed {seed}: as it was {100 * accuracy[0]:.1f} %, pretrained {100 * accuracy[1]:.1f} %, "
                f"{gains[-1]:+.1f} points",
                flush=True,
            )
        print(f"mean {mean(gains):+.1f} points, from {min(gains):+.1f} to {max(gains):+.1f}")


def demo() -> Path:
    from eyebright.verbs.demo.demo import demo_images

    return demo_images()


def divided(root: Path, most: int | None) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Return the paths by class: those that are not labelled, and those that are tested."""
    if (root / "train").is_dir():
        return by_class(root / "train", most), by_class(root / "val", most)
    unlabelled, tested = {}, {}
    chance = np.random.default_rng(0)
    for label, paths in by_class(root, None).items():
        order = [paths[i] for i in chance.permutation(len(paths))[:most]]
        quarter = len(order) // 4
        tested[label], unlabelled[label] = order[:quarter], order[quarter:]
    return unlabelled, tested


def by_class(root: Path, most: int | None) -> dict[str, list[Path]]:
    folders = sorted(p for p in root.iterdir() if p.is_dir())
    return {folder.name: sorted(p for p in folder.iterdir() if p.is_file())[:most] for folder in folders}


def link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)


def trained(data: Path, out: Path, *options: object) -> float:
    eyebright("train", data, "--out", out, *options)
    metrics = json.loads((out / "metrics.json").read_text())
    return float(metrics["accuracy"]["value"])


def eyebright(*words: object) -> None:
    command = [sys.executable, "-m", "eyebright", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
