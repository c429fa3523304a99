"""From a model's outputs to its log: what `predict --log` and a service call once a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyebright.data.decode import decode
from eyebright.data.image_properties import looks
from eyebright.exporting.certificate.hashes import sha256
from eyebright.monitoring.projection import FeatureProjection
from eyebright.monitoring.recorder import HOUR, Recorder
from eyebright.monitoring.sketch import Batch
from eyebright.sealed.model import SealedModel
from eyebright.sealed.ood_output import stored_residual
from eyebright.types import FloatArray, ImageLike, Prediction, UInt8Array


def look_at(pixels: UInt8Array) -> FloatArray:
    """Return the looks (4,) of an image (H, W, 3), in the order of :data:`monitoring.signals.LOOKS`."""
    return np.append(looks(pixels), np.float32(min(pixels.shape[:2])))


class ModelMonitor:
    """Record what a sealed model answers.

    Args:
        model: that answers.
        path: of the log; None keeps it in memory.
        window_seconds: how long a window of the log lasts.

    Raises:
        DataError: the file is no log, or one of another model.
    """

    def __init__(self, model: SealedModel, path: Path | None, window_seconds: float = HOUR) -> None:
        digest = sha256(model.path)
        self._model = model
        _ = model.split_model  # once, before threads ask for it
        self._classes = len(model.labels)
        self._projection = FeatureProjection(digest, stored_residual(model.graph()))
        self.recorder = Recorder(path, digest, model.labels, window_seconds)

    def observe(
        self,
        probabilities: FloatArray,
        scores: FloatArray | None = None,
        features: FloatArray | None = None,
        looks: FloatArray | None = None,
        names: Sequence[str] = (),
        *,
        whole: bool = True,
    ) -> None:
        """Record a batch of B predictions; safe to call from several threads.

        Args:
            probabilities: (B, K) calibrated.
            scores: OOD scores (B,); None of a model without.
            features: (B, D) behind the predictions; None where they are not known.
            looks: (n, 4) by :func:`look_at`, or without the size (n, 3), of n <= B images; None of none.
            names: B names by which images can be found again; empty for none.
            whole: whether more than the answers is recorded; see :attr:`Recorder.wanted`.
        """
        decisions = self._model.decisions
        predicted = decisions.predict(probabilities)
        unknown = np.zeros(len(probabilities), bool) if scores is None else decisions.unknown(scores)
        table = predicted if predicted.ndim == 2 else np.equal.outer(predicted, np.arange(self._classes))
        self.recorder.observe(
            Batch(
                probabilities,
                np.where(unknown[:, None], 0, table).astype(np.int64),
                unknown,
                scores,
                None if features is None else self._projection(features),
                looks,
                names,
                whole,
            )
        )

    def predict(self, image: ImageLike, top: int | None = None, text: str = "") -> Prediction:
        """Predict as :meth:`SealedModel.predict` does, and record it; safe to call from several threads.

        Raises:
            ImageError: the image cannot be read.
        """
        name = os.fspath(image) if isinstance(image, str | os.PathLike) else None
        pixels = decode(image, min_side=self._model.size, white_level=self._model.white_level)
        probabilities, scores, features = self._model.predict_with_features(pixels[None], [text])
        if self.recorder.wanted:
            names = () if name is None else (name,)
            self.observe(probabilities, scores, features, look_at(pixels)[None], names)
        else:
            self.observe(probabilities, scores, whole=False)
        score = None if scores is None else float(scores[0])
        anomaly = None if features is None else self._model.anomaly_score(features)
        return self._model.prediction(probabilities[0], name, top, score, anomaly)
