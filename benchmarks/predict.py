"""Rate of `predict` over files beside the rate of the sealed file alone on decoded pixels, in one run.

    python benchmarks/predict.py RUN FOLDER [--images 400] [--rounds 5]

In turn: the sealed file's own session on pixels in memory, one call a core at a time; reading and decoding
alone; `predict` with as many threads as cores, as the command has it, and with one more. Medians of the
rounds, images a second, and each as a share of the session's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from eyebright.data.walk import image_files
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel


def rate(work: Callable[[Path], object], files: list[Path], threads: int) -> float:
    start = time.perf_counter()
    for _ in parallel(work, files, threads):
        pass
    return len(files) / (time.perf_counter() - start)


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
    ways: dict[str, Callable[[], float]] = {
        "session on pixels": lambda: rate(lambda file: model.predict_batch(pixels[file][None]), files, cores),
        "read and decode": lambda: rate(lambda file: model.pixels(file, None), files, cores),
        "predict": lambda: rate(model.predict, files, cores),
        "predict, a thread more": lambda: rate(model.predict, files, cores + 1),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            rates[name].append(way())
    alone = statistics.median(rates["session on pixels"])
    for name, found in rates.items():
        middle = statistics.median(found)
        print(f"{name:24} {middle:7.1f} /s   {middle / alone:.2f}")


if __name__ == "__main__":
    main()
