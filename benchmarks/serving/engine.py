"""The engine's own rate: what the service answers, without HTTP. python engine.py RUN IMAGES SECONDS"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

from eyebright.serving.served_model import ServedModel


def main(run: str, images: str, seconds: float) -> None:
    model = ServedModel(Path(run))
    bodies = cycle([path.read_bytes() for path in sorted(Path(images).rglob("*.jpg"))])
    start, done = time.perf_counter(), 0
    with ThreadPoolExecutor(model.predictor.callers) as pool:
        while time.perf_counter() - start < seconds:
            block = [next(bodies) for _ in range(64)]
            done += sum(1 for _ in pool.map(model.answer, block))
    print(done / (time.perf_counter() - start), model.predictor.engine)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
