"""Heat maps of the most confident mistakes, and the embedding map of the evaluated images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.errors import ImageError, NotFoundError
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.explaining.base import NoHeatMapError
from eyebright.explaining.choose import explainer
from eyebright.explaining.overlay import overlay
from eyebright.explaining.projection import Method, project
from eyebright.report.content import EmbeddingMap
from eyebright.report.sections.gallery import surest_mistakes
from eyebright.report.thumbnails import data_uri
from eyebright.runs.scoring import Predictions
from eyebright.runtime.compact.rows import picked
from eyebright.runtime.parallel import parallel
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.types import Split

_HEATED, _HEATED_PX = 12, 224
_POINTS, _FEWEST_POINTS = 1200, 40


def explain_predictions(
    model: SealedModel,
    predictions: Predictions,
    split: Split,
    root: Path,
    seed: int,
    *,
    heat: bool = True,
    layout: Method = "t-SNE",
) -> tuple[Mapping[str, str], EmbeddingMap | None]:
    """Return the heat maps and the embedding map of one split; neither of a multi-label model.

    Args:
        model: that predicted, opened with one thread a call.
        predictions: of the model.
        split: the evaluated one.
        root: of the images.
        seed: of the choice of images.
        heat: whether the mistakes are the model's own, so that its heat maps explain them.
        layout: of the embedding map.
    """
    if predictions.task.multilabel:
        return {}, None
    places = predictions.of(split)
    samples, rows = picked(predictions.samples, places), picked(predictions.rows(), places)
    heatmaps = heat_of_mistakes(model, root, rows) if heat else {}
    if model.has_anomaly_map:  # its features are distances, which lay out nothing
        return heatmaps, None
    return heatmaps, embedding_map(model, root, samples, rows, seed, layout)


def heat_of_mistakes(model: SealedModel, root: Path, rows: Sequence[PredictionRow]) -> dict[str, str]:
    """Draw the evidence for the predicted class into the most confident mistakes, as data URIs by path.

    At most 12; none where the model has no exact heat map, which alone is quick enough for every report.
    """
    wrong = [row for row in surest_mistakes(rows)[:_HEATED] if row.predicted in model.labels]
    if not wrong:
        return {}
    try:
        how = explainer(model, "exact")
    except NoHeatMapError:
        return {}

    def drawn(row: PredictionRow) -> str | None:
        try:
            pixels = model.pixels(root / row.path, row.sha or None)
        except (ImageError, NotFoundError):  # predicted from the cache, and deleted or changed since
            return None
        heat = how.heat(pixels, model.labels.index(row.predicted))
        return data_uri(overlay(pixels, heat, _HEATED_PX, how.signed, how.full), _HEATED_PX)

    pictures = zip(wrong, parallel(drawn, wrong), strict=True)
    return {row.path: picture for row, picture in pictures if picture is not None}


def embedding_map(
    model: SealedModel,
    root: Path,
    samples: Sequence[Sample],
    predicted: Sequence[PredictionRow],
    seed: int,
    layout: Method = "t-SNE",
) -> EmbeddingMap | None:
    """Lay the images out by their features; None of few images, or where the file does not give features.

    Of many images all mistakes are shown, as far as there is room, and others at random. Features are those
    that were cached when the model was run.
    """
    places = _chosen(predicted, seed)
    if len(places) < _FEWEST_POINTS:
        return None
    by_path = {row.path: row for row in picked(predicted, places)}
    features, rows = [], []
    for block in predict_blocks(model, root, picked(samples, places), default_folder()):
        if block.features is None:
            return None
        features.append(block.features)
        rows += [by_path[sample.path] for sample in block.samples]
    if len(rows) < _FEWEST_POINTS:
        return None
    found = project(np.concatenate(features), seed, layout)
    return EmbeddingMap(rows=rows, points=found.points, method=found.method, count=len(samples))


def _chosen(rows: Sequence[PredictionRow], seed: int) -> list[int]:
    """Return the places of the rows that are shown, in their order."""
    wrong = {row.path for row in surest_mistakes(rows)[:_POINTS]}
    mistakes = [i for i, row in enumerate(rows) if row.path in wrong]
    others = [i for i, row in enumerate(rows) if row.predicted == row.label]
    room = min(len(others), _POINTS - len(mistakes))
    drawn = np.random.default_rng(seed).permutation(len(others))[:room]
    return sorted([*mistakes, *(others[int(i)] for i in drawn)])
