"""What a model sees in all images of a project: its predictions, and its features in few directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.auditing.neighbours import unit
from eyebright.data.manifest import Sample
from eyebright.labelling.neighbours import Neighbour, nearest
from eyebright.runs.scoring import Predictions
from eyebright.runtime.context import progress_task
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.types import FloatArray, UInt8Array

# Random directions keep the angles between features nearly as they are.
_DIRECTIONS = 512


@dataclass(frozen=True)
class ModelView:
    """A model's view of N images.

    Attributes:
        path: of the model.
        predictions: for the images.
        units: (N, R) features of unit length; None of a model that cannot be split at its features.
    """

    path: Path
    predictions: Predictions
    units: FloatArray | None

    def nearest(
        self, model: SealedModel, pixels: UInt8Array, labels: Mapping[str, str], count: int = 6
    ) -> list[Neighbour]:
        """Return the labelled images that the model finds most like an image (H, W, 3)."""
        split = model.split_model
        if split is None or self.units is None:
            return []
        own = unit(_reduced(split.features(pixels[None])))[0]
        shas = [sample.sha for sample in self.predictions.samples]
        return nearest(shas, np.asarray(self.units @ own, np.float32), labels, count)


def view_of(model: SealedModel, root: Path, samples: Sequence[Sample]) -> ModelView:
    """Let a model answer for images; features that are cached are not computed again.

    Args:
        model: opened with one thread a call.
        root: of the images.
        samples: of which at least one must be readable.
    """
    kept: list[Sample] = []
    rows, scores, units = [], [], []
    with progress_task("Running the sealed model", total=len(samples)) as task:
        for block in predict_blocks(model, root, samples, default_folder()):
            task.advance(len(block.samples) + len(block.skipped))
            if not block.samples:
                continue
            kept += block.samples
            rows.append(block.probabilities)
            if block.scores is not None:
                scores.append(block.scores)
            if block.features is not None:
                units.append(unit(_reduced(block.features)))
    probabilities = np.concatenate(rows) if rows else np.empty((0, len(model.labels)), np.float32)
    predictions = Predictions(
        kept, model.labels, probabilities, (), model.decisions, np.concatenate(scores) if scores else None
    )
    return ModelView(model.path, predictions, np.concatenate(units) if units else None)


def _reduced(features: FloatArray) -> FloatArray:
    """Return features (n, D) in the same random directions (n, R) every time; few ones as they are."""
    width = features.shape[1]
    if width <= _DIRECTIONS:
        return features
    directions = np.random.default_rng(width).normal(size=(width, _DIRECTIONS)).astype(np.float32)
    return np.asarray(features @ directions, np.float32)
