"""Images whose answer is known, by which a model in service proves that it still answers as in training."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from eyebright.data.header import read_image
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import EyebrightError, ModelError
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.runs.predictions_csv import NAME, read_predictions
from eyebright.sealed.parity import LARGEST_DIFFERENCE
from eyebright.types import Prediction

_MOST = 12
_SYNTHETIC_PX = 256


@dataclass(frozen=True)
class ReferenceImage:
    """An encoded image and, of a photograph of the run, what the run predicted for it.

    Attributes:
        content: the encoded image.
        predicted: the class, or the labels as one text; None of an image that no run knows.
        confidence: its probability.
    """

    content: bytes
    predicted: str | None = None
    confidence: float = 0.0

    def check(self, prediction: Prediction) -> None:
        """Refuse a prediction that is not the run's.

        Raises:
            ModelError: it differs by what no parity check lets pass.
        """
        if self.predicted is None:
            return
        difference = abs(prediction.confidence - self.confidence)
        if prediction.label != self.predicted or difference >= LARGEST_DIFFERENCE:
            raise ModelError(
                "The model must answer a photograph of its run as in training. It answers {answer} "
                "({confidence}), and the run predicted {predicted} ({expected}). Restore the run from a "
                "copy, or train again.",
                answer=prediction.label,
                confidence=f"{prediction.confidence:.4f}",
                predicted=self.predicted,
                expected=f"{self.confidence:.4f}",
            )


def reference_images(model: Path) -> list[ReferenceImage]:
    """Return photographs of a model's run, those that it was most sure of first; else one made up.

    Of sure photographs no rounding changes the class.

    Args:
        model: the file; the run's manifest and predictions lie beside it.
    """
    found = [image for image in _photographs(model) if image is not None]
    return found or [ReferenceImage(_synthetic())]


def _photographs(model: Path) -> list[ReferenceImage | None]:
    manifest, predictions = model.with_name("manifest.parquet"), model.with_name(NAME)
    if not (manifest.is_file() and predictions.is_file()):
        return []
    try:
        root, rows = read_manifest(manifest).root, read_predictions(predictions)
    except EyebrightError:  # files of another version: then there are no known photographs
        return []
    return [_photograph(root, row) for row in _surest(rows)]


def _surest(rows: Sequence[PredictionRow]) -> list[PredictionRow]:
    return sorted(rows, key=lambda row: -row.confidence)[:_MOST]


def _photograph(root: Path, row: PredictionRow) -> ReferenceImage | None:
    try:
        return ReferenceImage(read_image(root / row.path, row.sha), row.predicted, row.confidence)
    except EyebrightError:  # moved, deleted or changed since
        return None


def _synthetic() -> bytes:
    """Return a picture of gradients and noise, always the same, as PNG."""
    ramp = np.linspace(0, 200, _SYNTHETIC_PX)
    noise = np.random.default_rng(0).uniform(0, 55, (_SYNTHETIC_PX, _SYNTHETIC_PX, 3))
    levels = np.stack(
        [ramp[None] + 0 * ramp[:, None], ramp[:, None] + 0 * ramp[None], ramp[::-1] + 0 * ramp[:, None]]
    )
    buffer = io.BytesIO()
    Image.fromarray((levels.transpose(1, 2, 0) + noise).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
