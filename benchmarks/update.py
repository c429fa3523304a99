"""What `eyebright update` takes, what it loses against training anew, and how well confusion is foretold.

python benchmarks/update.py class DATA       a class of 20 images is added to a run of all other classes
python benchmarks/update.py images DATA      100 images are added to a run of the others
python benchmarks/update.py forecast DATA    each class in turn is added with 20 images; its other images tell

DATA is a folder with train/, val/ and test/; temporary folders link to its images. Features are computed
first and then found in the cache, as in daily work. Training anew uses the same images, splits, size and
layers.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.data.manifest_file import read_manifest
from eyebright.data.source import scan
from eyebright.report.metrics_content import MetricsContent
from eyebright.runs.run import Run
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder

NEW_IMAGES = {"class": 20, "forecast": 20, "images": 100}


def link(root: Path, samples: Iterable[Sample], folder: Path, *, parts: bool = True) -> Path:
    """Link images into class folders, below their splits where ``parts``."""
    for number, sample in enumerate(samples):
        place = folder / (sample.split if parts else "") / sample.label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05d}{Path(sample.path).suffix}").symlink_to(root / sample.path)
    return folder


def run(*words: object) -> tuple[float, float, float]:
    """Run Eyebright; return seconds of the clock, of the processor, and until its model was written."""
    # An installed package has its modules compiled; so has this one, whatever the environment says.
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    subprocess.run(
        [sys.executable, "-m", "eyebright", *map(str, words), "--overwrite"],
        check=True,
        capture_output=True,
        env=compiled,
    )
    ended, now = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime
    out = Path(str(words[words.index("--out") + 1]))
    return ended - began, busy, (out / "model.onnx").stat().st_mtime - began


def metrics(directory: Path) -> MetricsContent:
    return Run.open(directory).metrics


def compare(data: Path, what: str, left_out: str | None, folder: Path) -> None:
    """Add a class or images, twice, and train anew on the same."""
    manifest = scan(data)
    if what == "class":
        label = left_out or min(manifest.labels, key=[s.label for s in manifest.samples].count)
        pool = [s for s in manifest.samples if s.label == label]
    else:
        label, pool = "", list(manifest.samples)
    new = [pool[i] for i in np.random.default_rng(0).permutation(len(pool))[: NEW_IMAGES[what]]]
    gone = {s.path for s in (pool if what == "class" else new)}
    base = link(manifest.root, (s for s in manifest.samples if s.path not in gone), folder / "base")
    more = link(manifest.root, new, folder / "new", parts=False)
    run("train", base, "--out", folder / "first")
    words = ("update", folder / "first", more, "--out", folder / "updated")
    times = [run(*words) for _ in range(4)]  # the first one computes features
    updated = read_manifest(folder / "updated" / "manifest.parquet")
    same = link(updated.root, updated.samples, folder / "same")
    chosen = metrics(folder / "first")["chosen"]
    options = ("--size", chosen["size"], "--layers", chosen["layers"], "--out", folder / "anew")
    anew = [run("train", same, *options)]
    print(f"new: {len(new)} images {label}; {updated.counts()['train']}")
    for name, rows in (
        ("update, new features", times[:1]),
        ("update, cached", times[1:]),
        ("train anew", anew),
    ):
        clock, busy, file = np.median(rows, axis=0)
        print(f"{name:22s} {clock:5.1f} s, to the proven file {file:5.1f} s, processor {busy:5.1f} s")
    for name in ("updated", "anew"):
        found = metrics(folder / name)
        print(
            f"{name:8s} log loss {found['log_loss']['value']:.5f}, accuracy {found['accuracy']['value']:.4f}"
        )


def foretell(data: Path, folder: Path) -> None:
    """Compare the forecast of each class with what the updated model does with images that it never had."""
    manifest, right = scan(data), 0
    for label in manifest.labels:
        pool = [s for s in manifest.samples if s.label == label]
        order = np.random.default_rng(0).permutation(len(pool))
        new, rest = ([pool[i] for i in some] for some in np.split(order, [NEW_IMAGES["forecast"]]))
        at = folder / label
        base = link(manifest.root, (s for s in manifest.samples if s.label != label), at / "base")
        run("train", base, "--out", at / "first")
        run(
            "update", at / "first", link(manifest.root, new, at / "new", parts=False), "--out", at / "updated"
        )
        [expected] = metrics(at / "updated")["update"]["expected"]
        taken = confusions(at / "updated", manifest.root, rest)
        del taken[label]
        most = taken.most_common(3)
        right += bool(most) and most[0][0] == expected["nearest"]
        print(f"{label}: foretold {expected['nearest']}; of {len(rest)} other images predicted as {most}")
    print(f"{right} of {len(manifest.labels)} foretold")


def confusions(directory: Path, root: Path, samples: Sequence[Sample]) -> Counter[str]:
    """Return what a model predicts."""
    model = SealedModel(directory, threads=1)
    found: Counter[str] = Counter()
    for block in predict_blocks(model, root, samples, default_folder()):
        found.update(model.labels[i] for i in model.decisions.predict(block.probabilities))
    return found


def main() -> None:
    """Run one comparison and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["class", "images", "forecast"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--left-out", help="class to add (default: the smallest)")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "forecast":
            foretell(arguments.data, Path(folder))
        else:
            compare(arguments.data, arguments.what, arguments.left_out, Path(folder))


if __name__ == "__main__":
    main()
