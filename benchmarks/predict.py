"""Rate of `predict` over files beside the rate of the sealed file alone on decoded pixels, in one run.

    python benchmarks/predict.py RUN FOLDER [--images 400] [--rounds 5]

In turn: the sealed file's own session on pixels in memory, one call a core at a time; reading and decoding
alone; `predict` with as many threads as cores, as the command has it, and with one more; the command itself,
a process with its imports. Medians of the rounds: images a second, also as a share of the session's, and
milliseconds of the processor an image, which other work on the machine changes less. The more images, the
less the command's start counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from eyebright.data.walk import image_files
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel


def busy() -> float:
    """Return the processor seconds of this process and of those that it has started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def in_threads(work: Callable[[Path], object], files: list[Path], threads: int) -> None:
    for _ in parallel(work, files, threads):
        pass


def command(run: Path, files: list[Path]) -> None:
    call = [sys.executable, "-m", "eyebright", "predict", str(run), *map(str, files), "--format", "csv"]
    subprocess.run(call, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    files = [Path(file) for file in image_files(args.folder)]
    files = files[:: max(1, len(files) // args.images)][: args.images]
    model, cores = SealedModel(args.run, threads=1), usable_cores()
    pixels = {file: model.pixels(file, None) for file in files}
    ways: dict[str, Callable[[], None]] = {
        "session on pixels": lambda: in_threads(
            lambda file: model.predict_batch(pixels[file][None]), files, cores
        ),
        "read and decode": lambda: in_threads(lambda file: model.pixels(file, None), files, cores),
        "predict": lambda: in_threads(model.predict, files, cores),
        "predict, a thread more": lambda: in_threads(model.predict, files, cores + 1),
        "the command": lambda: command(args.run, files),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            start, before = time.perf_counter(), busy()
            way()
            found[name].append((time.perf_counter() - start, busy() - before))
    alone = statistics.median(seconds for seconds, _ in found["session on pixels"])
    for name, times in found.items():
        seconds, processor = (statistics.median(column) for column in zip(*times, strict=True))
        rate, milliseconds = len(files) / seconds, 1000 * processor / len(files)
        print(f"{name:24} {rate:7.1f} /s   {alone / seconds:.2f}   {milliseconds:6.2f} ms of the processor")


if __name__ == "__main__":
    main()
