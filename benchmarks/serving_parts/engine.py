"""The engine's own rate: what the service answers, without HTTP. python engine.py RUN IMAGES SECONDS"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

from eyebright.serving.served_model import ServedModel


def main(run: str, images: str, seconds: float) -> None:
    """Print images a second, processor seconds an image, and the engine."""
    model = ServedModel(Path(run))
    bodies = cycle([path.read_bytes() for path in sorted(Path(images).rglob("*.jpg"))])
    with ThreadPoolExecutor(model.predictor.callers) as pool:
        list(pool.map(model.answer, islice(bodies, 64)))
        start, busy, done = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < seconds:
            done += sum(1 for _ in pool.map(model.answer, islice(bodies, 64)))
        busy, lasted = time.process_time() - busy, time.perf_counter() - start
    print(done / lasted, busy / done, model.predictor.engine)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
