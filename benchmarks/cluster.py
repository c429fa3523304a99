"""What a cluster costs and saves: speed by workers, killed workers, the driver's memory, Ray's overhead.

python benchmarks/cluster.py scale DATA    features of real images: one worker on one core, two on two
python benchmarks/cluster.py sleep         a simulated engine (sleep): 1, 8 and 64 workers
python benchmarks/cluster.py kills         the same, a worker killed every 20 s: lost, doubled, repeated
python benchmarks/cluster.py driver        10 million references through the driver: its memory and time
python benchmarks/cluster.py ray           the simulated engine at 5,000 images a shard, by Ray

DATA is a folder of labelled images. Workers import this file, so its head imports nothing heavy.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

from eyebright.cluster.base import Launcher, Shard
from eyebright.cluster.cluster import Cluster
from eyebright.cluster.local import LocalLauncher, LocalWorker
from eyebright.types import JsonObject, StoredJson

SHARD_IMAGES = 5000
TRIES = 3
MANIFEST_IMAGES = 1_000_000


def sleep_shard(content: StoredJson) -> JsonObject:
    """Take the time of an engine, and write one file for each beginning and one for the result."""
    folder = content.get("folder")
    if folder is not None:
        Path(folder, f"{content['number']}.begun.{time.monotonic_ns()}").touch()
    time.sleep(content["seconds"])
    if folder is not None:
        Path(folder, f"{content['number']}.done").touch()
    return {"rows": len(content.get("images", ()))}


def task() -> Callable[[StoredJson], JsonObject]:
    """Return the task under the name by which workers import it, which is not `__main__`."""
    found: Callable[[StoredJson], JsonObject] = import_module("cluster").sleep_shard
    return found


def shards(count: int, seconds: float, images: int = 0, folder: Path | None = None) -> Iterator[Shard]:
    for number in range(count):
        content: JsonObject = {"number": number, "seconds": seconds, "images": references(number, images)}
        yield Shard(str(number), content | ({} if folder is None else {"folder": str(folder)}))


def references(number: int, count: int) -> list[list[str | int]]:
    """Return the images of a shard as they travel: path, hash, white level."""
    numbers = range(number * count, (number + 1) * count)
    return [
        [f"photos/{n % 1000:03}/{n:010}.jpg", blake2b(b"%d" % n, digest_size=16).hexdigest(), 0]
        for n in numbers
    ]


def seconds_of(cluster: Cluster, work: Callable[[], Iterator[Shard]]) -> float:
    """Return the time of some shards, after every worker has begun."""
    for _ in cluster.map(list(shards(cluster.workers, 2.0)), task()):
        pass
    start = time.perf_counter()
    for _ in cluster.map(work(), task()):
        pass
    return time.perf_counter() - start


def measure_sleep(arguments: argparse.Namespace) -> None:
    """Print how much faster several workers are with an engine that only takes time."""
    for workers, count in ((1, 4), (8, 64), (64, 512)):
        cluster = Cluster(LocalLauncher(workers))
        elapsed = seconds_of(cluster, lambda count=count: shards(count, arguments.seconds))  # type: ignore[misc]
        cluster.close()
        print(f"{workers:3} workers: {count * arguments.seconds / elapsed:6.2f} x")


class _Remembering(LocalLauncher):
    """Remembers its workers, so that one can be killed."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.running: dict[int, LocalWorker] = {}

    def start(self, number: int, wanted: Callable[[], bool]) -> LocalWorker:
        self.running[number] = super().start(number, wanted)
        return self.running[number]


def measure_kills(arguments: argparse.Namespace) -> None:
    """Print what is lost, doubled and repeated where a worker is killed every so many seconds."""
    launcher = _Remembering(4)
    cluster = Cluster(launcher)
    ended, kills = threading.Event(), 0

    def kill() -> None:
        nonlocal kills
        while not ended.wait(arguments.every):
            os.kill(random.choice(list(launcher.running.values())).pid, signal.SIGKILL)
            kills += 1

    with tempfile.TemporaryDirectory() as place:
        folder, count = Path(place), arguments.shards
        threading.Thread(target=kill, daemon=True).start()
        names = [s.name for s, _ in cluster.map(shards(count, arguments.seconds, 0, folder), task())]
        ended.set()
        begun = Counter(path.name.partition(".")[0] for path in folder.glob("*.begun.*"))
        done = len(list(folder.glob("*.done")))
    cluster.close()
    print(f"{kills} kills, {count} shards: {count - done} lost, {len(names) - len(set(names))} doubled,")
    print(f"{sum(begun.values()) - count} begun again")


def measure_driver(arguments: argparse.Namespace) -> None:
    """Print memory and time of a driver that hands out many references, and what a training adds to that."""
    cluster = Cluster(LocalLauncher(2))
    start, rows = time.process_time(), 0
    for _, answer in cluster.map(shards(arguments.shards, 0.0, SHARD_IMAGES), task()):
        rows += answer["rows"]
    cluster.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{rows:,} references: {peak:.0f} MB at most, {time.process_time() - start:.0f} s of processor time"
    )
    import numpy as np

    from eyebright.data.manifest import Sample
    from eyebright.training.cache.fill import cut, distinct
    from eyebright.training.cache.key_index import KeyIndex
    from eyebright.training.cache.store import FeatureSpace

    def tell(what: str) -> None:
        nonlocal peak
        before, peak = peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{what}: {(peak - before) * 2**20 / MANIFEST_IMAGES:.0f} bytes an image more")

    samples = [
        Sample(str(path), "cat", "train", str(sha), 500, 375)
        for path, sha, _ in references(0, MANIFEST_IMAGES)
    ]
    tell("a manifest")
    tables = (
        np.frombuffer(b"".join(s.key for s in samples[at : at + SHARD_IMAGES]), np.uint8)
        for at in range(0, len(samples), SHARD_IMAGES)
    )
    index = KeyIndex()
    index.add((number, keys.reshape(-1, 16)) for number, keys in enumerate(tables))
    tell(f"the places of {len(index):,} rows of the cache")
    with tempfile.TemporaryDirectory() as place:
        spaces = [FeatureSpace(Path(place), {}, 480)]
        count = sum(1 for _ in cut(Path(), distinct(samples), 64, {}, spaces))
    tell(f"{count} shards")


def measure_ray(arguments: argparse.Namespace) -> None:
    """Print what Ray adds to the time of the engine."""
    from eyebright.cluster.ray_nodes import RayLauncher

    launcher: Launcher = RayLauncher(None)
    cluster = Cluster(launcher)
    count = 6 * cluster.workers
    elapsed = seconds_of(cluster, lambda: shards(count, arguments.seconds, SHARD_IMAGES))
    workers = cluster.workers
    cluster.close()
    share = elapsed * workers / (count * arguments.seconds) - 1
    print(
        f"{workers} workers, {SHARD_IMAGES:,} images and {arguments.seconds:g} s a shard: "
        f"{100 * share:.1f} % more"
    )


def measure_scale(arguments: argparse.Namespace) -> None:
    """Print the speed of one worker on one core, and of two workers on two."""
    from eyebright.data.folder import scan

    samples = list(scan(arguments.data).samples)
    root = scan(arguments.data).root
    cores = sorted(os.sched_getaffinity(0))[:2]
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(TRIES):
        for workers in found:
            os.sched_setaffinity(0, cores[:workers])
            launcher = LocalLauncher(workers)
            os.sched_setaffinity(0, cores)
            found[workers].append(_features(Cluster(launcher), root, samples, arguments.size))
    for workers, rates in found.items():
        print(f"{workers} on {workers}: {statistics.median(rates):.1f} images/s")
    ratios = [two / one for one, two in zip(found[1], found[2], strict=True)]
    print(f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f} in {TRIES} pairs)")


def _features(cluster: Cluster, root: Path, samples: list[Any], size: int) -> float:
    """Return images a second, once the workers have their engines."""
    from eyebright.backbones.embedded import EmbeddedBackbone
    from eyebright.backbones.feature_layers import feature_layer_sets
    from eyebright.cluster.choose import using
    from eyebright.runtime.progress import SILENT
    from eyebright.training.cache.fill import LEAST_IMAGES
    from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing

    backbone = EmbeddedBackbone()
    preprocessing = training_preprocessing(backbone.card, size)
    taps = feature_layer_sets(backbone.card)["texture"]
    warm = samples[: LEAST_IMAGES * cluster.workers]
    rest = samples[len(warm) :]
    with tempfile.TemporaryDirectory() as cache, using(cluster), SILENT.task("") as shown:
        extractor = FeatureExtractor(Path(cache), backbone, preprocessing, taps, "openvino float32", 1)
        extractor.compute(root, warm, shown)
        start = time.perf_counter()
        extractor.compute(root, rest, shown)
        elapsed = time.perf_counter() - start
    cluster.close()
    return len(rest) / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    measured: dict[str, tuple[Callable[[argparse.Namespace], None], dict[str, Any]]] = {
        "scale": (measure_scale, {}),
        "sleep": (measure_sleep, {"--seconds": 1.0}),
        "kills": (measure_kills, {"--seconds": 2.0, "--every": 20.0, "--shards": 200}),
        "driver": (measure_driver, {"--shards": 2000}),
        "ray": (measure_ray, {"--seconds": 10.0}),
    }
    for name, (function, options) in measured.items():
        kind = kinds.add_parser(name, help=function.__doc__)
        kind.set_defaults(function=function)
        for option, value in options.items():
            kind.add_argument(option, type=type(value), default=value)
    kinds.choices["scale"].add_argument("data", type=Path)
    kinds.choices["scale"].add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
