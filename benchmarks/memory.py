"""Peak memory of `eyebright train` for few and for many small images, in one run.

    python benchmarks/memory.py [--counts 2000 100000] [--size 64]

Images are 28 px crops of real photographs (scikit-image's samples), written as PNG under a temporary folder,
in ten classes by photograph. Each training is a process of its own; its peak resident memory is the system's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

PHOTOS = (
    "astronaut",
    "cat",
    "coffee",
    "rocket",
    "retina",
    "immunohistochemistry",
    "hubble_deep_field",
    "colorwheel",
)


def write_images(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    photos = {name: getattr(data, name)()[..., :3] for name in PHOTOS}
    for number in range(count):
        name = PHOTOS[number % len(PHOTOS)]
        photo = photos[name]
        y, x = (int(rng.integers(side - 28)) for side in photo.shape[:2])
        target = folder / name / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[y : y + 28, x : x + 28]).save(target)


def peak(folder: Path, cache: Path, out: Path, size: int) -> tuple[float, float]:
    command = [
        sys.executable,
        "-m",
        "eyebright",
        "train",
        str(folder),
        "--out",
        str(out),
        "--size",
        str(size),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, "EYEBRIGHT_CACHE": str(cache)}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} ended with {status}")
    scale = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * scale / 1e9, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 100_000])
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    for count in args.counts:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            write_images(work / "photos", count)
            gigabytes, seconds = peak(work / "photos", work / "cache", work / "run", args.size)
            metrics = json.loads((work / "run" / "metrics.json").read_text())
            stages = {k: round(v, 1) for k, v in metrics["seconds"].items()}
            print(f"{count:8,} images   peak {gigabytes:.2f} GB   {seconds:.1f} s   {stages}", flush=True)


if __name__ == "__main__":
    main()
