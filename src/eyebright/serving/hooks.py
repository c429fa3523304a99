"""What may watch a service's answers: a monitor is told of each, in batches and in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Lock, Thread
from typing import Protocol, TypeAlias

import numpy as np

from eyebright.data.image_properties import looks
from eyebright.monitoring.prometheus import MonitorGauge
from eyebright.sealed.model import SealedModel
from eyebright.serving.prediction import Answered
from eyebright.types import FloatArray

_MOST_WAITING = 256
_MOST_WAITING_BYTES = 64 * 2**20  # of pixels
_BATCH = 32


class Observer(Protocol):
    """Sees what one model answers. All calls come from one thread, but for :meth:`gauges`."""

    def observe(
        self,
        probabilities: FloatArray,
        scores: FloatArray | None,
        features: FloatArray | None,
        looks: FloatArray,
        images: Sequence[bytes | None],
    ) -> None:
        """See a batch of answered images.

        Args:
            probabilities: (B, K), calibrated.
            scores: OOD scores (B,); None of a model that gives none.
            features: (B, D); None of a model that cannot be split at its features.
            looks: (B, 3), as :func:`eyebright.data.image_properties.looks` gives them.
            images: B encoded images as they were sent; None of those that came as pixels.
        """

    def gauges(self) -> Iterable[MonitorGauge]:
        """Return what the metrics of the service show of it; called at any time, from another thread."""

    def close(self) -> None:
        """Write what is to be kept: the model was replaced, or the service ends."""


#: Makes the observer of a model that is put into service; None where it is not to be watched.
ObserverMaker: TypeAlias = Callable[[str, SealedModel], Observer | None]


@dataclass(frozen=True)
class _Told:
    """An answer, and the image as it was sent; None of one that came as pixels."""

    answered: Answered
    image: bytes | None

    @property
    def size_bytes(self) -> int:
        return self.answered.pixels.nbytes + len(self.image or b"")


class Watching:
    """Hands answers to an observer without making any answer wait: what it cannot keep up with is dropped.

    Args:
        observer: that is told.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        #: Answers that the observer was not told of, because it could not keep up or failed.
        self.dropped = 0
        self._bytes = 0
        self._counting = Lock()
        self._waiting: Queue[_Told | None] = Queue(_MOST_WAITING)
        self._thread = Thread(target=self._tell, name="observer", daemon=True)
        self._thread.start()

    def add(self, answered: Answered, image: bytes | None = None) -> None:
        """Tell the observer of an answer, soon.

        Args:
            answered: the answer.
            image: as it was sent; None of one that came as pixels.
        """
        told = _Told(answered, image)
        with self._counting:
            if self._bytes + told.size_bytes > _MOST_WAITING_BYTES or self._waiting.full():
                self.dropped += 1
                return
            self._bytes += told.size_bytes
            self._waiting.put_nowait(told)

    def close(self) -> None:
        """Tell what is waiting, and end; an observer that hangs is not waited for."""
        with suppress(Full):
            self._waiting.put(None, timeout=1)
        self._thread.join(timeout=1)

    def _tell(self) -> None:
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            with suppress(Empty):
                while len(batch) < _BATCH:
                    batch.append(self._waiting.get_nowait())
            ended = None in batch
            if answers := [told for told in batch if told is not None]:
                self._try_to_observe(answers)
        self.observer.close()

    def _try_to_observe(self, answers: list[_Told]) -> None:
        failed = 0
        try:
            self._observe(answers)
        except Exception:  # whatever an observer does wrong, the service goes on; the metrics show it
            failed = len(answers)
        with self._counting:
            self._bytes -= sum(told.size_bytes for told in answers)
            self.dropped += failed

    def _observe(self, told: list[_Told]) -> None:
        answers = [one.answered for one in told]
        scores = [answered.score for answered in answers]
        features = [answered.features for answered in answers]
        self.observer.observe(
            np.stack([answered.probabilities for answered in answers]),
            None if scores[0] is None else np.array(scores, np.float32),
            None if features[0] is None else np.stack([row for row in features if row is not None]),
            np.stack([looks(answered.pixels) for answered in answers]),
            [one.image for one in told],
        )
