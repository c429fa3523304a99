"""Memory: knowing when it ran out, getting it back, and finding how many images fit at once."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from eyebright.runtime import machine
from eyebright.runtime.parallel import in_context
from eyebright.training.finetune.system.errors import no_memory_for_one_image

Result = TypeVar("Result")

_WORTH_IT = 1.05
_FIRST_TRIAL = 8
_TIMED_STEPS = 2


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on whatever device."""
    return isinstance(error, torch.OutOfMemoryError) or machine.is_out_of_memory(error)


def free(device: torch.device) -> None:
    """Give back memory that nothing refers to any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    elif device.type == "cpu" and sys.platform == "linux":
        # glibc keeps what was freed in pieces that are too small for the next try; musl has no such call.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def run_recorded(device: torch.device) -> None:
    """Run what an XLA device has recorded since the last time; every other device runs at once.

    Without it, steps would add up to one program until a number is read, and each would be compiled anew.
    """
    if device.type == "xla":
        import torch_xla

        torch_xla.sync()


class OomRetry:
    """Does work that may run out of memory, so that it can be retried with less.

    Work is done in the thread that asks for it, until memory runs out on a CPU. From then on it is done in
    another, and after each failure in a new one: a backward pass that fails leaves its graph with all
    activations in its thread's queue, and oneDNN cannot use the thread's scratch memory again.

    Args:
        device: where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._thread: ThreadPoolExecutor | None = None

    def do(self, work: Callable[[], Result]) -> Result | None:
        """Return what ``work()`` gives; None where memory ran out, with nothing left of the attempt."""
        try:
            return work() if self._thread is None else self._thread.submit(in_context(work)).result()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Out here the error no longer holds the tensors of its frames.
        if self._thread is not None:
            self._thread.shutdown()
        if self._device.type == "cpu":
            torch.autograd.backward(torch.ones((), requires_grad=True).mul(2))  # clears this thread's queue
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="eyebright-attempt")
        free(self._device)
        return None


def retry_smaller(attempt: Callable[[int], Result | None], images: int) -> tuple[Result, int]:
    """Return what an attempt with so many images gives, halving their number as often as it is None.

    Args:
        attempt: gives None where memory ran out.
        images: to begin with.

    Returns:
        What it gave, and with how many images.

    Raises:
        TrainingError: not even one fits.
    """
    while (result := attempt(images)) is None:
        if images == 1:
            raise no_memory_for_one_image()
        images //= 2
    return result, images


def finish(device: torch.device) -> None:
    """Wait until the device has finished; a clock read before shows only when the work was queued."""
    if device.type in ("cuda", "mps", "xpu"):
        torch.accelerator.synchronize(device)


def peak_memory_mb(device: torch.device) -> float:
    """Return the most memory in use so far: of the device, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / 2**20
    return _peak_resident_bytes() / 2**20


@contextmanager
def activation_checkpointing(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Recompute activations inside ``modules`` in the backward pass instead of keeping them."""
    before = [vars(module).get("forward") for module in modules]
    for module in modules:
        contexts = partial(_contexts, module)
        vars(module)["forward"] = partial(
            checkpoint, module.forward, use_reentrant=False, context_fn=contexts
        )
    try:
        yield
    finally:
        for module, forward in zip(modules, before, strict=True):
            if forward is None:
                del vars(module)["forward"]
            else:
                vars(module)["forward"] = forward


def _contexts(module: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return the contexts of the first and the second pass, in which norms must not count a batch again."""
    return nullcontext(), _uncounted(module)


@contextmanager
def _uncounted(module: nn.Module) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    counts = [count for name, count in module.named_buffers() if name.endswith("num_batches_tracked")]
    before = [count.clone() for count in counts]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for count, was in zip(counts, before, strict=True):
            count.copy_(was)


def forget_peak(device: torch.device) -> None:
    """Reset what :func:`peak_memory_mb` returns, where the device can do that."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def find_micro_batch(
    make_step: Callable[[int], Callable[[], object]],
    most: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Return how many images at once are fastest, by real steps of growing size until nothing is gained.

    Args:
        make_step: loads so many images, and gives what makes their gradients and drops them. In training
            images are loaded ahead, so that is not timed.
        most: images that one process has in a step.
        device: where.
        clock: seconds.

    Returns:
        The best size that fits; 1 where not even two images did.
    """
    best, best_rate = 1, 0.0
    size = min(_FIRST_TRIAL, most)
    while True:
        rate = _rate(make_step, size, device, clock)
        if rate is None and not best_rate and size > 1:  # not even the first one fits
            size = most = size // 2
        elif rate is None or rate < best_rate * _WORTH_IT:
            return best
        else:
            best, best_rate = size, rate
            if size == most:
                return best
            size = min(2 * size, most)


def _peak_resident_bytes() -> int:
    if sys.platform == "win32":
        import psutil  # comes with accelerate

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    block = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * block


def _rate(
    make_step: Callable[[int], Callable[[], object]],
    size: int,
    device: torch.device,
    clock: Callable[[], float],
) -> float | None:
    """Return images a second, and None where memory ran out."""

    def measure() -> float:
        step = make_step(size)
        step()  # the first of a size also chooses algorithms and reserves memory
        finish(device)
        began = clock()
        for _ in range(_TIMED_STEPS):
            step()
        finish(device)
        return _TIMED_STEPS * size / max(clock() - began, 1e-9)

    return OomRetry(device).do(measure)
