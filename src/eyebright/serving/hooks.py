"""What may watch a service's answers: a monitor is told of each, in batches and in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Thread
from typing import Protocol, TypeAlias

import numpy as np

from eyebright.data.image_properties import looks
from eyebright.sealed.model import SealedModel
from eyebright.serving.prediction import Answered
from eyebright.types import FloatArray

_MOST_WAITING = 256
_BATCH = 32


@dataclass(frozen=True)
class Gauge:
    """A number that an observer shows among the service's metrics.

    Attributes:
        name: as Prometheus has it, such as "eyebright_drift_pvalue".
        help: one English sentence.
        value: the number.
        labels: further labels by name; the model's name is added.
    """

    name: str
    help: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)


class Observer(Protocol):
    """Sees what one model answers. All calls come from one thread, but for :meth:`gauges`."""

    def observe(
        self,
        probabilities: FloatArray,
        scores: FloatArray | None,
        features: FloatArray | None,
        looks: FloatArray,
    ) -> None:
        """See a batch of answered images.

        Args:
            probabilities: (B, K), calibrated.
            scores: OOD scores (B,); None of a model that gives none.
            features: (B, D); None of a model that cannot be split at its features.
            looks: (B, 3), as :func:`eyebright.data.image_properties.looks` gives them.
        """

    def gauges(self) -> Iterable[Gauge]:
        """Return what the metrics of the service show of it; called at any time, from another thread."""

    def close(self) -> None:
        """Write what is to be kept: the model was replaced, or the service ends."""


#: Makes the observer of a model that is put into service; None where it is not to be watched.
ObserverMaker: TypeAlias = Callable[[str, SealedModel], Observer | None]


class Watching:
    """Hands answers to an observer without making any answer wait: what it cannot keep up with is dropped.

    Args:
        observer: that is told.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        #: Answers that the observer was not told of.
        self.dropped = 0
        self._waiting: Queue[Answered | None] = Queue(_MOST_WAITING)
        self._thread = Thread(target=self._tell, name="observer", daemon=True)
        self._thread.start()

    def add(self, answered: Answered) -> None:
        """Tell the observer of an answer, soon."""
        try:
            self._waiting.put_nowait(answered)
        except Full:
            self.dropped += 1

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
            if answers := [answered for answered in batch if answered is not None]:
                self._observe(answers)
        self.observer.close()

    def _observe(self, answers: list[Answered]) -> None:
        scores = [answered.score for answered in answers]
        features = [answered.features for answered in answers]
        self.observer.observe(
            np.stack([answered.probabilities for answered in answers]),
            None if scores[0] is None else np.array(scores, np.float32),
            None if features[0] is None else np.stack([row for row in features if row is not None]),
            np.stack([looks(answered.pixels) for answered in answers]),
        )
