"""From an image to a sealed model's probabilities, on the engine that answers most images a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from eyebright.data.decode import open_rgb, to_square
from eyebright.engines.base import Engine
from eyebright.engines.choose import cached_trials, make
from eyebright.runtime.context import say
from eyebright.runtime.machine import usable_cores
from eyebright.sealed.contract import check_probabilities
from eyebright.sealed.engine_graph import engine_graph
from eyebright.sealed.model import SealedModel
from eyebright.sealed.parity import compare
from eyebright.sealed.split_model import SplitModel
from eyebright.training.cache.store import default_folder
from eyebright.types import FloatArray, ImageLike, UInt8Array


@dataclass(frozen=True)
class Answered:
    """What a model gives for one image.

    Attributes:
        probabilities: (K,), calibrated.
        score: the OOD score; None of a model that gives none.
        features: (D,); None of a model that cannot be split at its features.
        pixels: of the image as it was decoded, (H, W, 3).
        anomaly_score: 1 at the limit; None of a model of several classes.
    """

    probabilities: FloatArray
    score: float | None
    features: FloatArray | None
    pixels: UInt8Array
    anomaly_score: float | None = None


class Predictor(Protocol):
    """Answers one image a call, from several threads at once.

    Attributes:
        engine: what it runs on, as it is shown.
        callers: how many threads keep every core at work.
    """

    engine: str
    callers: int

    def answer(self, image: Image.Image, text: str = "") -> Answered:
        """Return what the model gives for an image as :func:`opened` decodes it, and its text."""


class SealedPredictor:
    """Runs the sealed file as it is: the reference for every other predictor."""

    engine = "onnxruntime float32, sealed file"

    def __init__(self, model: SealedModel) -> None:
        self.callers = usable_cores()
        self._model = model

    def answer(self, image: Image.Image, text: str = "") -> Answered:
        """Return what the sealed file gives for a decoded image and its text."""
        pixels = np.asarray(image)
        if self._model.has_anomaly_map:
            probabilities, [anomaly] = self._model.predict_anomaly_scores(pixels[None])
            return Answered(probabilities[0], None, None, pixels, float(anomaly))
        probabilities, scores = self._model.predict_batch(pixels[None], [text])
        return Answered(probabilities[0], None if scores is None else float(scores[0]), None, pixels)


class EnginePredictor:
    """Lets Pillow resize, an engine compute features, and the sealed file's other part decide.

    Args:
        model: the sealed model.
        split: the model in two parts, of which the second is used.
        engine: on the graph of :func:`~eyebright.sealed.engine_graph.engine_graph`.
    """

    def __init__(self, model: SealedModel, split: SplitModel, engine: Engine) -> None:
        self.engine = engine.name
        self.callers = engine.callers
        self._model = model
        self._split = split
        self._engine = engine
        self._interpolation = model.facts.card.preprocessing.interpolation

    def answer(self, image: Image.Image, text: str = "") -> Answered:
        """Return what the model gives for a decoded image and its text."""
        features = self._engine.run(to_square(image, self._model.size, interpolation=self._interpolation))
        texts = [text] if self._model.has_text else None
        probabilities, scores = self._split.predict(features[None], texts)
        check_probabilities(probabilities, 1, len(self._model.labels))
        score = None if scores is None else float(scores[0])
        anomaly = self._model.anomaly_score(features[None])
        return Answered(probabilities[0], score, features, np.asarray(image), anomaly)


def opened(model: SealedModel, source: ImageLike) -> Image.Image:
    """Return an image decoded as the model needs it.

    Raises:
        ImageError: it cannot be read.
    """
    return open_rgb(source, min_side=model.size, white_level=model.white_level)


def choose_predictor(model: SealedModel, images: Sequence[bytes]) -> Predictor:
    """Return the fastest predictor on this machine that answers as the sealed file does.

    Only engines of the file's own precision take part: with others, thresholds would lie elsewhere.

    Args:
        model: the sealed model.
        images: encoded images on which engines are timed and compared with the file.
    """
    sealed = SealedPredictor(model)
    graph, split = engine_graph(model.graph(), model.size), model.split_model
    if graph is None or split is None:
        return sealed
    content, interpolation = graph.SerializeToString(), model.facts.card.preprocessing.interpolation
    decoded = [opened(model, image) for image in images]
    squares = [to_square(image, model.size, interpolation=interpolation) for image in decoded]
    trials = cached_trials(default_folder(), content, squares)
    fastest = next(trial.name for trial in trials if "float32" in trial.name)
    chosen = EnginePredictor(model, split, make(fastest, content))
    return chosen if _same(model, chosen, sealed, decoded) else sealed


def _same(model: SealedModel, chosen: Predictor, sealed: Predictor, images: Sequence[Image.Image]) -> bool:
    """Return whether a predictor passes the parity check against the sealed file."""
    first, second = (
        np.stack([predictor.answer(image).probabilities for image in images])
        for predictor in (chosen, sealed)
    )
    parity = compare(first, second, model.task)
    if not parity.passed:
        say(
            "{engine} is not used: its probabilities differ from the sealed file's by up to {difference}.",
            engine=chosen.engine,
            difference=f"{parity.largest_difference:.4f}",
        )
    return parity.passed
