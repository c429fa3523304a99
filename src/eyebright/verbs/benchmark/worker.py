"""The process that measures one model of `eyebright benchmark`; it replies to lines with lines of JSON.

Its argument is a JSON object of the model's fields and the image's file. Each line on standard input is a
number of seconds; the reply has the milliseconds of every call made in that time, and the peak memory so far.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypedDict

import numpy as np
import onnx

from eyebright.exporting.base import ExportSource
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.certificate.integrity import read_certificate
from eyebright.onnx_graph.stored import read_onnx
from eyebright.runtime.machine import peak_memory_bytes
from eyebright.runtime.telemetry import openvino_core
from eyebright.sealed.model import SealedModel
from eyebright.types import UInt8Array

_WARM_UP_CALLS = 2


class WorkerSpec(TypedDict):
    """What the process must know, as its only argument; see :class:`BenchmarkModel`."""

    kind: str
    path: str
    parent: str
    threads: int
    batch: int
    image: str


class WorkerAnswer(TypedDict, total=False):
    """A line of its standard output: an empty one once the model is loaded, then the turns' times."""

    milliseconds: list[float]
    memory_bytes: int | None


def main() -> None:
    """Load, warm up, report ready, and serve until standard input ends."""
    # What a runtime prints must not come between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        spec: WorkerSpec = json.loads(sys.argv[1])
        images = np.stack([np.load(spec["image"])] * spec["batch"])
        call = _loaded(spec, images)
        for _ in range(_WARM_UP_CALLS):
            call()
        _say(out, {})
        for line in sys.stdin:
            _say(out, {"milliseconds": _measured(call, float(line)), "memory_bytes": peak_memory_bytes()})


def _say(out: TextIO, content: WorkerAnswer) -> None:
    out.write(json.dumps(content) + "\n")
    out.flush()


def _measured(call: Callable[[], object], seconds: float) -> list[float]:
    call()  # others had the processor and its caches meanwhile
    found: list[float] = []
    end = time.perf_counter() + seconds
    while not found or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - start))
    return found


def _loaded(spec: WorkerSpec, images: UInt8Array) -> Callable[[], object]:
    """Return a call that predicts the images (B, H, W, 3)."""
    path = Path(spec["path"])
    match spec["kind"]:
        case "onnx":
            model = SealedModel(path, threads=spec["threads"])
            return lambda: model.probabilities(images)
        case "openvino":
            return _openvino(path, spec["threads"], images)
        case _:
            parent = Path(spec["parent"])
            graph = read_onnx(parent)
            source = ExportSource(_Described(parent, graph), graph)
            target = FORMATS[read_certificate(path).format]
            runner = target.load(source, path, spec["threads"])
            return lambda: runner.predict(images[0])


def _openvino(path: Path, threads: int, images: UInt8Array) -> Callable[[], object]:
    core = openvino_core()
    model = core.read_model(path)
    model.reshape([len(images), -1, -1, 3])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer([images])


class _Described(SealedModel):
    """A sealed model of which only the metadata is read: loading it would count as the export's memory."""

    def __init__(self, path: Path, graph: onnx.ModelProto) -> None:
        self.path = path
        self._check(graph)


if __name__ == "__main__":
    main()
