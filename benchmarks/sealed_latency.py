"""The sealed model against what a person would write by hand: Pillow, numpy and a plain ONNX Runtime session.

    python benchmarks/sealed_latency.py runs/first [--photo photo.jpg] [--seconds 20]

Both take a decoded photo (and, in the second pair, the JPEG's bytes) and give probabilities, with one thread,
in turn. The plain session is what `eyebright export --to onnx --plain` writes. The goal is a ratio of 1.1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from eyebright.exporting.base import ExportSource
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray

RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def coffee() -> bytes:
    from skimage import data

    photo = BytesIO()
    Image.fromarray(data.coffee()).resize((500, 375)).save(photo, "JPEG", quality=90)
    return photo.getvalue()


def plain_session(source: ExportSource) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(source.normalised_graph.SerializeToString(), options)


def by_hand(source: ExportSource) -> Callable[[Image.Image], FloatArray]:
    """As a careful person writes it: one resize, float32 all the way, laid out as the network wants."""
    session, preprocessing = plain_session(source), source.preprocessing
    resample, side = RESAMPLE[preprocessing.interpolation], (source.size, source.size)
    scale = np.float32(1) / (np.float32(255) * np.asarray(preprocessing.std, np.float32))
    shift = np.asarray(preprocessing.mean, np.float32) / np.asarray(preprocessing.std, np.float32)

    def answer(image: Image.Image) -> FloatArray:
        pixels = np.asarray(image.resize(side, resample), np.float32) * scale - shift
        probabilities: FloatArray = session.run(
            ["probabilities"], {"pixels": pixels.transpose(2, 0, 1)[None]}
        )[0]
        return probabilities

    return answer


def in_turn(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, np.ndarray]:
    """Milliseconds of every call; each is made once a turn, in random order."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = np.random.default_rng(0)
    for call in calls.values():
        for _ in range(5):
            call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name in order.permutation(list(calls)):
            start = time.perf_counter()
            calls[name]()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: np.array(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--photo", type=Path, help="default: scikit-image's coffee, 500 x 375")
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    model = SealedModel(arguments.model, threads=1)
    hand = by_hand(ExportSource(model, onnx.load(model.path)))
    data = arguments.photo.read_bytes() if arguments.photo else coffee()
    image = Image.open(BytesIO(data)).convert("RGB")

    def sealed(picture: Image.Image) -> FloatArray:
        return model.probabilities(np.asarray(picture)[None])

    def opened() -> Image.Image:
        return Image.open(BytesIO(data)).convert("RGB")

    calls: dict[str, Callable[[], object]] = {
        "sealed": lambda: sealed(image),
        "by hand": lambda: hand(image),
        "sealed, from JPEG": lambda: sealed(opened()),
        "by hand, from JPEG": lambda: hand(opened()),
    }
    print(f"{image.width} x {image.height} -> {model.size}; largest difference in a probability", end=" ")
    print(f"{np.abs(sealed(image) - hand(image)).max():.4f}")
    times = in_turn(calls, arguments.seconds)
    for name, found in times.items():
        low, middle, high = np.percentile(found, (10, 50, 90))
        print(f"{name:20} {middle:7.2f} ms  (10 to 90 %: {low:.2f} to {high:.2f}, {len(found)} calls)")
    for more in ("", ", from JPEG"):
        ratio = np.median(times[f"sealed{more}"]) / np.median(times[f"by hand{more}"])
        print(f"ratio{more}: {ratio:.3f}")


if __name__ == "__main__":
    main()
