"""Anomaly detection on textile beside PatchCore as it was published, on the same backbone.

python benchmarks/one_class.py [--learn N] [--good N] [--defects N] [--coreset SHARE] [--size S]
    [--anomalib PYTHON]

Learns on nominal images of `conformal-clip-data`, drawn by a seed, and tests on other nominal ones, local
and global defects. PatchCore (Roth et al. 2022): two middle stages, 3 x 3 averages, a greedy coreset in a
random projection, the distance of the most unusual place, weighted by how the bank looks around it. It is
written with plain numpy on features that ONNX Runtime computes on all cores, so what it takes is a lower
bound of what a PyTorch implementation takes on a CPU. With --anomalib, anomalib's own PatchCore is run too,
by the Python of an environment that has it, with the weights of the same backbone. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.decode import open_rgb, to_square
from eyebright.engines.choose import make
from eyebright.runtime.parallel import parallel
from eyebright.training.anomaly.coreset import greedy_coreset
from eyebright.training.anomaly.patches import PatchMaps, patch_maps, patches_graph
from eyebright.training.anomaly.scores import auroc
from eyebright.types import FloatArray
from eyebright.verbs.demo.demo import demo_images

RATE = 0.012
_NEIGHBOURS = 9


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learn", type=int, default=750, help="nominal images to learn from")
    parser.add_argument("--good", type=int, default=250, help="nominal images to test on")
    parser.add_argument("--defects", type=int, default=500, help="images of each kind of defect to test on")
    parser.add_argument(
        "--coreset", type=float, default=0.01, help="share of the patches in PatchCore's bank"
    )
    parser.add_argument(
        "--size", default="auto", help="input size of both; auto: ours selects, PatchCore 224"
    )
    parser.add_argument("--anomalib", type=Path, help="Python of an environment with anomalib")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = _layout(Path(folder) / "textile", args.learn, args.good, args.defects, args.seed)
        ours, seconds = _ours(data, Path(folder), args.size, args.seed)
        _print("eyebright", ours, seconds)
        size = 224 if args.size == "auto" else int(args.size)
        theirs, reference = _patchcore(data, size, args.coreset, args.seed)
        _print(f"PatchCore, {size} px, coreset {args.coreset:g}", theirs, reference)
        print(f"time: {reference / seconds:.1f} x", flush=True)
        if args.anomalib is not None:
            peer, reference = _anomalib(args.anomalib, data, Path(folder), size, args.coreset, args.seed)
            _print(f"anomalib, {size} px, coreset {args.coreset:g}", peer, reference)
            print(f"time: {reference / seconds:.1f} x")


def _layout(root: Path, learn: int, good: int, defects: int, seed: int) -> Path:
    """Copy images as MVTec AD lays them out."""
    source = demo_images()
    nominal = sorted((source / "nominal").iterdir())
    order = np.random.default_rng(seed).permutation(len(nominal))
    parts = {
        "train/good": [nominal[i] for i in order[:learn]],
        "test/good": [nominal[i] for i in order[learn : learn + good]],
        **{f"test/{kind}": sorted((source / kind).iterdir())[:defects] for kind in ("local", "global")},
    }
    for name, files in parts.items():
        (root / name).mkdir(parents=True)
        for file in files:
            shutil.copyfile(file, root / name / file.name)
    return root


def _ours(data: Path, folder: Path, size: str, seed: int) -> tuple[dict[str, FloatArray], float]:
    """Return the scores of the test images by kind, and the CPU seconds of all, the cache empty."""
    target = f"false_positive_rate(anomaly) <= {RATE}"
    command = [sys.executable, "-m", "eyebright", "train", str(data), "--out", str(folder / "run")]
    command += ["--size", size, "--seed", str(seed), "--target", target]
    environment = {**os.environ, "EYEBRIGHT_CACHE": str(folder / "cache")}
    seconds = _timed(command, environment)
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    found = metrics["anomaly"]
    print({name: metrics["chosen"][name] for name in ("size", "maps", "method", "share", "whole")})
    print(
        "false alarms", found["false_alarms"], "recall", {k: v["recall"] for k, v in found["kinds"].items()}
    )
    scores: dict[str, list[float]] = {}
    with (folder / "run" / "predictions.csv").open() as file:
        for row in csv.DictReader(file):
            if row["split"] == "test":
                share = float(row["confidence"])
                anomaly = share if row["predicted"] == "anomaly" else 1 - share
                scores.setdefault(Path(row["path"]).parent.name, []).append(anomaly)
    return {kind: np.array(some, np.float32) for kind, some in scores.items()}, seconds


def _timed(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command, and return the CPU seconds that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _anomalib(
    python: Path, data: Path, folder: Path, size: int, share: float, seed: int
) -> tuple[dict[str, FloatArray], float]:
    from safetensors.torch import save_file

    from eyebright.backbones.zoo import lite0

    weights, out = folder / "weights.safetensors", folder / "anomalib.json"
    save_file(
        lite0.timm_tensors(lite0.Embedded().build(EmbeddedBackbone().card.name, None, None).body), weights
    )
    script = Path(__file__).with_name("one_class_anomalib.py")
    command = [str(python), str(script), str(data), str(weights), str(out)]
    command += ["--size", str(size), "--coreset", str(share), "--seed", str(seed)]
    seconds = _timed(command, os.environ)
    found = json.loads(out.read_text())
    return {kind: np.array(some, np.float32) for kind, some in found.items()}, seconds


def _patchcore(data: Path, size: int, share: float, seed: int) -> tuple[dict[str, FloatArray], float]:
    start = time.process_time()
    backbone = EmbeddedBackbone()
    maps = next(maps for maps in patch_maps(backbone, size) if maps.name == "middle")
    engine = make("onnxruntime float32", patches_graph(backbone, maps).SerializeToString())

    def patches(path: Path) -> FloatArray:
        image = open_rgb(path, min_side=size)
        square = to_square(image, size, interpolation=maps.preprocessing.interpolation)
        return np.ascontiguousarray(engine.run(square).reshape(maps.channels, maps.places).T)

    rows = np.concatenate(list(parallel(patches, sorted((data / "train" / "good").iterdir()))))
    bank = rows[greedy_coreset(rows, round(share * len(rows)), seed)]
    squares = np.einsum("md,md->m", bank, bank)
    scores = {
        folder.name: np.array(
            list(parallel(lambda path: _score(patches(path), bank, squares), sorted(folder.iterdir()))),
            np.float32,
        )
        for folder in sorted((data / "test").iterdir())
    }
    _describe(maps, bank)
    return scores, time.process_time() - start


def _score(image: FloatArray, bank: FloatArray, squares: FloatArray) -> float:
    """Return PatchCore's score of an image, equations 6 and 7 of the paper."""
    apart = np.einsum("pd,pd->p", image, image)[:, None] - 2 * image @ bank.T + squares
    nearest = apart.min(axis=1)
    place = int(nearest.argmax())
    member = int(apart[place].argmin())
    around = np.argsort(squares - 2 * bank @ bank[member])[:_NEIGHBOURS]
    distances = np.sqrt(np.maximum(np.square(image[place] - bank[around]).sum(axis=1), 0))
    highest = float(np.sqrt(max(nearest[place], 0)))
    weight = 1 - 1 / np.exp(distances - highest).sum()
    return float(weight * highest)


def _describe(maps: PatchMaps, bank: FloatArray) -> None:
    print(f"PatchCore: {[layer.name for layer in maps.layers]}, {maps.grid} x {maps.grid}, bank {len(bank)}")


def _print(name: str, scores: dict[str, FloatArray], seconds: float) -> None:
    good = scores["good"]
    limit = np.sort(good)[::-1][int(RATE * len(good))]
    kinds = {kind: some for kind, some in scores.items() if kind != "good"}
    for kind, some in {**kinds, "all": np.concatenate(list(kinds.values()))}.items():
        recall = float((some > limit).mean())
        print(f"{name:34} {kind:7} AUROC {auroc(good, some):.4f}  recall at {RATE:.1%} {recall:.3f}")
    print(f"{name:34} {seconds:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
