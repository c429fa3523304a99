"""A model in service beside its reference: recorded as it answers, analysed as often as it is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from eyebright.monitoring.analysis import analyse
from eyebright.monitoring.kept_images import KeptImages
from eyebright.monitoring.model_monitor import ModelMonitor
from eyebright.monitoring.prometheus import MonitorGauge, gauges
from eyebright.monitoring.reference import reference_of
from eyebright.monitoring.signals import uncertainty
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray

# An analysis takes a second or two of one core; whoever asks more often gets the one before.
_FRESH_SECONDS = 300.0


class LiveMonitor:
    """Watch the answers of a model in service.

    Args:
        model: of a run, whose validation or test images, or reference, are there.
        log: file that is written every hour and at the end.
        kept: where doubtful images are kept; None keeps none.
        seed: of the order of images within a window.

    Raises:
        DataError: the log is damaged or one of another model, or the run has no such images.
    """

    def __init__(
        self, model: SealedModel, log: Path | None, kept: KeptImages | None = None, seed: int = 0
    ) -> None:
        self._model, self._seed = model, seed
        self._reference = reference_of(model, None, seed)
        self._monitor = ModelMonitor(model, log)
        self._kept = kept
        self._lock = Lock()
        self._known: Sequence[MonitorGauge] = ()
        self._asked = -_FRESH_SECONDS

    def observe(
        self,
        probabilities: FloatArray,
        scores: FloatArray | None,
        features: FloatArray | None,
        looks: FloatArray | None,
        images: Sequence[bytes | None] = (),
    ) -> None:
        """Record a batch of answers, see :meth:`ModelMonitor.observe`; under load some of them whole.

        Args:
            probabilities: (B, K), calibrated.
            scores: OOD scores (B,); None of a model without.
            features: (B, D); None where they are not known.
            looks: (B, 3); None of none.
            images: B encoded images, None of those that came as pixels; empty where none are to be kept.
        """
        if self._monitor.recorder.wanted:
            names = self._keep(images, probabilities, scores)
            self._monitor.observe(probabilities, scores, features, looks, names)
        else:
            self._monitor.observe(probabilities, scores, whole=False)

    def _keep(
        self, images: Sequence[bytes | None], probabilities: FloatArray, scores: FloatArray | None
    ) -> list[str]:
        """Return names of the images that are kept, empty ones of the others."""
        kept = self._kept
        if kept is None or not images:
            return []
        doubts = uncertainty(probabilities, scores).tolist()
        pairs = zip(images, doubts, strict=True)
        return ["" if image is None else kept.keep(image, doubt) for image, doubt in pairs]

    def gauges(self) -> Sequence[MonitorGauge]:
        """Return the gauges of an analysis that is at most five minutes old; none before the first image."""
        with self._lock:
            log = self._monitor.recorder.snapshot()
            if log.images and time.monotonic() - self._asked >= _FRESH_SECONDS:
                found = analyse(log, self._reference, self._model.decisions, self._seed)
                self._known, self._asked = list(gauges(found)), time.monotonic()
            return self._known

    def close(self) -> None:
        """Write the log.

        Raises:
            StorageError: the disk is full or must not be written.
        """
        self._monitor.recorder.close()
