"""What decoding large JPEGs at reduced scale costs in accuracy and gains in time, in one run.

    python benchmarks/reduced_decode.py RUN [--scale 8] [--images 300]

RUN is a run's directory. Its validation and test images are enlarged ``scale`` times, saved as JPEG of
quality 92, and put to the sealed model twice: fully decoded, and decoded as `eyebright predict` does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from eyebright.data.decode import decode, open_rgb
from eyebright.data.manifest_file import read_manifest
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray


def enlarged(path: Path, scale: int) -> bytes:
    image = open_rgb(path)
    buffer = BytesIO()
    large = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    large.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def ask(model: SealedModel, files: Sequence[bytes], min_side: int | None) -> tuple[FloatArray, float]:
    start = time.perf_counter()
    rows = list(parallel(lambda f: model.probabilities(decode(f, min_side=min_side)[None])[0], files))
    return np.stack(rows), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--scale", type=int, default=8)
    parser.add_argument("--images", type=int, default=300)
    args = parser.parse_args()
    manifest, model = read_manifest(args.run / "manifest.parquet"), SealedModel(args.run, threads=1)
    samples = [*manifest.of("val"), *manifest.of("test")]
    samples = samples[:: max(1, len(samples) // args.images)][: args.images]
    files = list(parallel(lambda s: enlarged(manifest.root / s.path, args.scale), samples))
    truth = np.array([model.labels.index(s.label) for s in samples])
    full, full_seconds = ask(model, files, None)
    reduced, reduced_seconds = ask(model, files, model.size)
    right = [(p.argmax(axis=1) == truth).mean() for p in (full, reduced)]
    same = (full.argmax(axis=1) == reduced.argmax(axis=1)).mean()
    difference = np.abs(full - reduced)
    print(f"{len(files)} JPEGs of {samples[0].width * args.scale} x {samples[0].height * args.scale} px")
    print(f"fully decoded   accuracy {100 * right[0]:.1f} %   {len(files) / full_seconds:.1f} images/s")
    print(f"reduced scale   accuracy {100 * right[1]:.1f} %   {len(files) / reduced_seconds:.1f} images/s")
    far = f"mean difference {difference.mean():.4f}, largest {difference.max():.3f}"
    print(f"same class {100 * same:.1f} %, {far}")


if __name__ == "__main__":
    main()
