"""How long a manifest, and a table, of a million images takes to be read, and in how much memory.

    python benchmarks/manifest.py [--rows 1000000]

No image is needed: what is measured is the table. Each step runs in a process of its own. Seconds are those
of the processor, which other work on the same cores does not lengthen.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.read import read_table

CLASSES = 100


def write(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    labels = [f"class {i}" for i in rng.integers(0, CLASSES, rows)]
    splits = [SPLITS[i] for i in rng.choice(3, rows, p=(0.8, 0.1, 0.1))]
    paths = [f"images/{label.replace(' ', '_')}/{i:08}.jpg" for i, label in enumerate(labels)]
    samples = (
        Sample(path, label, split, rng.bytes(16).hex(), 640, 480, f"patient {i // 5}")
        for i, (path, label, split) in enumerate(zip(paths, labels, splits, strict=True))
    )
    write_manifest(Manifest(folder, tuple(samples)), folder / "manifest.parquet")
    groups = [f"patient {i // 5}" for i in range(rows)]
    table = pa.table({"path": paths, "label": labels, "split": splits, "patient_id": groups})
    pq.write_table(table, folder / "table.parquet")


def step(name: str, folder: Path, rows: int) -> None:
    """Do one step; of a reading, print seconds and the peak of memory."""
    began = time.process_time()
    if name == "write":
        write(folder, rows)
        return
    if name == "manifest":
        count = len(read_manifest(folder / "manifest.parquet").samples)
    else:
        count = len(find_meaning(read_table(folder / "table.parquet")).rows)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:8}  {count:9,} rows  {seconds:5.1f} s  peak {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step[0], Path(options.step[1]), options.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        for part in ("write", "manifest", "table"):
            words = ["--rows", str(options.rows), "--step", part, name]
            subprocess.run([sys.executable, __file__, *words], check=True)


if __name__ == "__main__":
    main()
