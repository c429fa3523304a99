"""Batches for engines that need them: images of many callers, collected while the device is at work."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias

import numpy as np

from eyebright.types import FloatArray, UInt8Array

#: Features (B, D) of a full batch of images (B, S, S, 3).
RunBatch: TypeAlias = Callable[[UInt8Array], FloatArray]
_Waiting: TypeAlias = "tuple[UInt8Array, Future[FloatArray]]"


class Batches:
    """Collects images and runs them in batches of one size, in a thread of its own.

    Whoever waits is taken at once: a batch is never held back for more images, and what it lacks is filled
    up, so that an image's features do not depend on its neighbours.

    Args:
        run: computes a full batch.
        size: B.
    """

    def __init__(self, run: RunBatch, size: int) -> None:
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        threading.Thread(target=_work, args=(self._queue, run, size), daemon=True, name="batches").start()
        # The thread holds the queue only, so it ends when nobody can put anything there any more.
        weakref.finalize(self, self._queue.put, None)

    def features(self, image: UInt8Array) -> FloatArray:
        """Return the features (D,) of one image (S, S, 3); safe to call from several threads at once."""
        waiting: Future[FloatArray] = Future()
        self._queue.put((image, waiting))
        return waiting.result()


def _work(queue: SimpleQueue[_Waiting | None], run: RunBatch, size: int) -> None:
    while (first := queue.get()) is not None:
        taken, ended = [first], False
        with suppress(Empty):
            while len(taken) < size and not ended:
                following = queue.get_nowait()
                if following is None:
                    ended = True
                else:
                    taken.append(following)
        images = [image for image, _ in taken]
        try:
            rows = run(np.stack(images + images[:1] * (size - len(images))))
        except Exception as error:  # whatever the device's library raises belongs to those who wait
            for _, waiting in taken:
                waiting.set_exception(error)
        else:
            for (_, waiting), row in zip(taken, rows, strict=False):
                waiting.set_result(row.copy())
        if ended:
            return
