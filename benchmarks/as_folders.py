"""Public sets of small images as class folders, for benchmarks/sets.py.

    python benchmarks/as_folders.py digits OUT
    python benchmarks/as_folders.py fashion-mnist OUT --files FOLDER [--train 10000]

digits: the 1,797 images of scikit-learn, 8 x 8 pixels. fashion-mnist: the first images of its training part,
and its whole test part; FOLDER holds the four `*-ubyte.gz` files of Debian's package dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from eyebright.types import IntArray, UInt8Array

GARMENTS = ("top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


def write(root: Path, images: UInt8Array, labels: list[str]) -> None:
    for label in set(labels):
        (root / label).mkdir(parents=True, exist_ok=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(root / label / f"{number:05}.png")


def fashion_part(folder: Path, part: str) -> tuple[UInt8Array, IntArray]:
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    truth = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(truth, np.uint8, offset=8).astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=["digits", "fashion-mnist"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--files", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--train", type=int, default=10_000)
    args = parser.parse_args()
    if args.name == "digits":
        pixels, truth = load_digits(return_X_y=True)
        images = (pixels.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
        write(args.out, images, [str(label) for label in truth])
        return
    for part, file, count in (("train", "train", args.train), ("test", "t10k", None)):
        images, numbers = fashion_part(args.files, file)
        write(args.out / part, images[:count], [GARMENTS[n] for n in numbers[:count]])


if __name__ == "__main__":
    main()
