"""Near duplicates in splits: how many planted copies stay with their image, and what that costs.

python benchmarks/splits.py DATA [DATA ...] [--images 200]

DATA is laid out as for `eyebright train`. Of some images a copy of each kind is written and searched for
among all of them. Seconds are processor time of all threads, for the whole of DATA: from nothing, with known
fingerprints, and with known groups.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from eyebright.auditing.duplicates.near_duplicates import near_duplicates
from eyebright.auditing.planting import COPIES, planted_copy
from eyebright.data.decode import open_rgb
from eyebright.data.header import read_image
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan, scan_as_given
from eyebright.runtime.parallel import parallel


def drawn(manifest: Manifest, count: int) -> list[Sample]:
    distinct = list({s.identity: s for s in manifest.samples}.values())
    order = np.random.default_rng(0).permutation(len(distinct))[:count]
    return [distinct[i] for i in order]


def recall(manifest: Manifest, samples: list[Sample], kind: str, folder: Path) -> float:
    """Return the share of planted copies that are in a group with their image."""
    for name in ("image", "copy"):
        (folder / name).mkdir(parents=True)

    def plant(sample: Sample) -> None:
        data = read_image(manifest.root / sample.path, sample.sha)
        image = open_rgb(data, white_level=sample.white_level)
        image.save(folder / "image" / f"{sample.sha}.png", compress_level=1)
        copy = planted_copy(image, kind, sample.key.hex())
        copy.save(folder / "copy" / f"{sample.sha}.png", compress_level=1)

    list(parallel(plant, samples))
    planted, _ = scan_as_given(folder)
    kept = 0
    for group in near_duplicates(planted.root, planted.samples):
        names = Counter(Path(planted.samples[place].path).name for place in group)
        kept += sum(count == 2 for count in names.values())
    return kept / len(samples)


def seconds(manifest: Manifest) -> float:
    start = time.process_time()
    near_duplicates(manifest.root, manifest.samples)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--images", type=int, default=200)
    args = parser.parse_args()
    for data in args.data:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["EYEBRIGHT_CACHE"] = f"{folder}/cache"
            manifest = scan(data)
            cold = seconds(manifest)
            shutil.rmtree(f"{folder}/cache/choices")
            compared = seconds(manifest)
            known = seconds(manifest)
            groups = near_duplicates(manifest.root, manifest.samples)
            print(
                f"{data.name}: {len(manifest.samples)} images, {sum(map(len, groups))} near duplicates in "
                f"{len(groups)} groups; {cold:.1f} s from nothing, {compared:.1f} s with known fingerprints, "
                f"{known:.2f} s with known groups",
                flush=True,
            )
            samples = drawn(manifest, args.images)
            for kind in COPIES:
                share = recall(manifest, samples, kind, Path(folder, kind))
                print(f"  {kind:12} {100 * share:5.1f} % kept together", flush=True)


if __name__ == "__main__":
    main()
