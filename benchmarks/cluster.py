"""What a cluster costs and saves: speed by workers, killed workers, the driver's memory, Ray's overhead.

python benchmarks/cluster.py scale DATA    features of real images: one worker on one core, two on two
python benchmarks/cluster.py sleep         a simulated engine (sleep): 1, 8 and 64 workers
python benchmarks/cluster.py kills         the same, a worker killed every 20 s: lost, doubled, repeated
python benchmarks/cluster.py driver        10 million references through the driver: its memory and time
python benchmarks/cluster.py training      what a training of 10 million images holds on its driver
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
IMAGES_A_FILE, WRITTEN_AT_ONCE = 1_000_000, 100_000


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
    """Print memory and time of a driver that hands out many references."""
    cluster = Cluster(LocalLauncher(2))
    start, rows = time.process_time(), 0
    for _, answer in cluster.map(shards(arguments.shards, 0.0, SHARD_IMAGES), task()):
        rows += answer["rows"]
    cluster.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{rows:,} references: {peak:.0f} MB at most, {time.process_time() - start:.0f} s of processor time"
    )


class _Pretending(LocalLauncher):
    """A worker in this process that computes nothing: what the driver does is left."""

    def __init__(self) -> None:
        super().__init__(1)

    def start(self, number: int, wanted: Callable[[], bool]) -> Any:
        return self

    def close(self) -> None:
        pass

    def end(self) -> None:
        pass

    def run(self, task: str, shard: Shard) -> StoredJson:
        import numpy as np

        from eyebright.training.cache.segment import write_segment
        from eyebright.training.linear_probe.class_statistics import FeatureStatistics
        from eyebright.training.linear_probe.feature_sums import _file_name

        content: StoredJson = dict(shard.content)
        if task.endswith("header_shard"):
            shas = [blake2b(path.encode(), digest_size=16).hexdigest() for path in content["paths"]]
            return {"done": {"headers": [[sha, 500, 375, 0, sha] for sha in shas]}}
        if task.endswith("sums_shard"):
            width = content["spaces"][1]
            sums = FeatureStatistics.empty(width, content["classes"])
            sums.triangle[:] = 1
            sums.class_counts[:] = np.bincount(content["truth"], minlength=content["classes"])
            data = sums.to_bytes()
            Path(content["folder"], _file_name(shard.name, data)).write_bytes(data)
            return {"done": {}}
        keys = np.frombuffer(b"".join(bytes.fromhex(sha) for _, sha, _ in content["images"]), np.uint8)
        rows = np.zeros((len(keys) // 16, 1), np.float16)
        for folder in content["folders"]:
            write_segment(Path(folder), keys.reshape(-1, 16), rows, shard.name)
        return {"done": {"rows": len(rows), "absent": None, "seconds": 0.0}}


def write_rows(place: Path, count: int) -> None:
    """Write Parquet files of images that hold nothing, with their classes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = pa.array([b"\xff\xd8"] * WRITTEN_AT_ONCE, pa.binary())
    for number, start in enumerate(range(0, count, IMAGES_A_FILE)):
        schema = pa.schema([("image", pa.binary()), ("label", pa.string())])
        with pq.ParquetWriter(place / f"part-{number:04}.parquet", schema) as writer:
            for first in range(start, min(start + IMAGES_A_FILE, count), WRITTEN_AT_ONCE):
                some = range(first, min(first + WRITTEN_AT_ONCE, count))
                labels = pa.array([f"class {n * 7919 % 100:02}" for n in some])
                writer.write_table(pa.table({"image": image[: len(some)], "label": labels}, schema))


class Memory:
    """What this process holds that is no page of a file, in MB of 10^6 bytes, and the most that it held."""

    def __init__(self) -> None:
        self._most = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    @staticmethod
    def held() -> float:
        """Return what the system says."""
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1.024 / 1000

    def most(self) -> float:
        """Return the most since the last time."""
        found, self._most = max(self._most, self.held()), 0.0
        return found

    def _watch(self) -> None:
        while True:
            self._most = max(self._most, self.held())
            time.sleep(0.02)


def measure_training(arguments: argparse.Namespace) -> None:
    """Print memory and time of each step of a training that the driver does itself, computing no image."""
    import subprocess
    import sys

    import numpy as np

    from eyebright.cluster.choose import using
    from eyebright.data.manifest_file import write_manifest
    from eyebright.data.source import scan
    from eyebright.evaluation.rules.decisions import Decisions
    from eyebright.runs.predictions_csv import write_predictions
    from eyebright.runs.scoring import Predictions
    from eyebright.runtime.progress import SILENT
    from eyebright.training.cache.fill import cut, distinct, fill
    from eyebright.training.cache.store import FeatureSpace
    from eyebright.training.linear_probe.feature_sums import sums_of_folds
    from eyebright.training.linear_probe.folds import assign_folds, groups_of
    from eyebright.training.linear_probe.targets import truth_of

    begun, memory = time.process_time(), Memory()

    def tell(what: str) -> None:
        nonlocal begun
        seconds = time.process_time() - begun
        print(
            f"{what:34} {memory.held():6.0f} MB, {memory.most():6.0f} at most, {seconds:6.0f} s", flush=True
        )
        begun = time.process_time()

    with tempfile.TemporaryDirectory() as name:
        place, rows = Path(name), arguments.rows
        (place / "data").mkdir()
        here = "import sys; sys.path.insert(0, sys.argv[1]); import cluster, pathlib; "
        code = here + "cluster.write_rows(pathlib.Path(sys.argv[2]), int(sys.argv[3]))"
        folder = str(Path(__file__).parent)
        subprocess.run([sys.executable, "-c", code, folder, str(place / "data"), str(rows)], check=True)
        tell("imports")
        with using(Cluster(_Pretending())) as _, SILENT.task("") as shown:
            manifest = scan(place / "data")  # of more than a million, near duplicates are not looked for
            tell("manifest with its splits")
            samples = manifest.of("train")
            tell(f"{len(samples):,} of training, in order")
            truth = truth_of(samples, manifest)
            folds = assign_folds(truth, groups_of(samples), 3, seed=0)
            tell("classes, groups, folds")
            space = FeatureSpace(place, {}, 1)
            wanted = distinct(samples)
            cluster = Cluster(_Pretending())
            count = len(cut(manifest.root, wanted, 64, {}, [space]))
            fill(cluster, shards, {}, manifest.root, wanted, [space], shown)  # type: ignore[arg-type]
            there = space.contains([s.key for s in samples[:1000]])
            tell(f"{count:,} shards, and where rows lie")
            found = _Extractor(space, arguments.width)
            sums_of_folds(found, samples, truth, None, folds, shown)  # type: ignore[arg-type]
            tell("sums of the head")
            del truth, folds, space, found, wanted
            held_out = manifest.of("val")
            undecided = Decisions(np.full(len(manifest.labels), np.nan))
            chances = random_table(place, len(held_out), len(manifest.labels))
            answers = Predictions(held_out, manifest.labels, chances, [], undecided)
            tell("their probabilities")
            answers.metrics("val", 0)
            tell(f"metrics of {len(held_out):,} images")
            write_predictions(place / "predictions.csv", answers.rows())
            tell("predictions.csv")
            print(manifest.digest, bool(there.all()))
            write_manifest(manifest, place / "manifest.parquet")
            tell("digest and manifest.parquet")


def random_table(folder: Path, count: int, classes: int) -> Any:
    """Return probabilities (N, K) of nothing, held as those of a sealed model are."""
    import numpy as np

    from eyebright.runtime.compact.table import GrowingTable

    generator, table = np.random.default_rng(0), GrowingTable(folder)
    for start in range(0, count, 4096):
        rows = generator.random((min(4096, count - start), classes), np.float32)
        table.add(rows / rows.sum(axis=1, keepdims=True))
    return table.whole()


class _Extractor:
    """What sums are asked of: a space of any width."""

    def __init__(self, space: Any, width: int) -> None:
        space.width = width
        self.spaces = [space]
        self.definition: JsonObject = {}


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
        "training": (measure_training, {"--rows": 10_000_000, "--width": 480}),
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
