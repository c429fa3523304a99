"""PyTorch on a GPU: the graph as a module, in static batches and channels-last, on CUDA as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from eyebright.engines.base import Precision
from eyebright.engines.batches import Batches
from eyebright.onnx_torch.module import to_module
from eyebright.runtime.machine import usable_cores
from eyebright.types import FloatArray, UInt8Array

_BATCH = 64
_WARM_UPS = 3
_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class PyTorchEngine:
    """Runs a graph with PyTorch on a device.

    Images are decoded and resized by the callers, as for every engine, so features differ from the other
    engines' by arithmetic alone and the cache is shared. Memory that does not suffice halves the batch.

    Args:
        graph: serialized ONNX with one input uint8 (B, S, S, 3) and one output float32 (B, D).
        device: "cuda", "mps" or "cpu".
        precision: "float32" keeps TF32 off.
    """

    def __init__(self, graph: bytes, device: str, precision: Precision) -> None:
        self.name = f"pytorch-{device} {precision}"
        self.precision: Precision = precision
        model = onnx.load_from_string(graph)
        side = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
        size = _BATCH
        while True:
            try:
                run = _prepared(to_module(model, size), device, precision, (size, side, side, 3))
                break
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                size //= 2
        self.batch = size
        # Some decode while the device works on a batch, and another batch waits.
        self.callers = usable_cores() + 2 * size
        self._batches = Batches(run, size)

    def run(self, image: UInt8Array) -> FloatArray:
        """Return the graph's output (D,) for one image (S, S, 3)."""
        return self._batches.features(image)


def gpu() -> str | None:
    """Return the GPU that PyTorch can use, "cuda" or "mps"; None where there is none."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def _prepared(
    module: nn.Module, device: str, precision: Precision, shape: tuple[int, int, int, int]
) -> Callable[[UInt8Array], FloatArray]:
    """Return what runs a full batch, after it has run once.

    Raises:
        torch.OutOfMemoryError: the device's memory does not suffice for a batch of this shape.
    """
    module = module.to(device).to(memory_format=torch.channels_last).requires_grad_(False)
    images = torch.zeros(shape, dtype=torch.uint8, device=device)

    def compute() -> Tensor:
        with torch.inference_mode(), _arithmetic(device, precision):
            found: Tensor = module(images)
        return found.float()

    replay, answer = _cuda_graph(compute) if device == "cuda" else (None, compute())

    def run(batch: UInt8Array) -> FloatArray:
        given = torch.from_numpy(np.ascontiguousarray(batch))
        if replay is None:
            images.copy_(given)
            return np.asarray(compute().cpu().numpy(), np.float32)
        images.copy_(given.pin_memory(), non_blocking=True)
        replay()
        return np.asarray(answer.cpu().numpy(), np.float32)

    return run


def _arithmetic(device: str, precision: Precision) -> AbstractContextManager[Any]:
    """Return the context in which sums are made in float32, or products in half precision."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True  # the cache must not depend on the day
    half = _HALF.get(precision)
    return nullcontext() if half is None else torch.autocast(device, dtype=half)


def _cuda_graph(compute: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Record the computation once, so that a batch costs one launch; return the replay and its output."""
    cuda: Any = torch.cuda  # of which few functions are typed
    stream = cuda.Stream()
    stream.wait_stream(cuda.current_stream())
    with cuda.stream(stream):
        for _ in range(_WARM_UPS):
            compute()
    cuda.current_stream().wait_stream(stream)
    recorded = cuda.CUDAGraph()
    with cuda.graph(recorded):
        answer = compute()
    return recorded.replay, answer
