"""What a service answers, as JSON and as OpenAPI describes it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel
from starlette.responses import Response

from eyebright.serving.served_model import ServedModel
from eyebright.types import JsonObject, Prediction

_DIGITS = 6


class PredictionOut(BaseModel):
    """The prediction for one image.

    `answer` is the class under the model's operating points and costs, also where `unknown` says that the
    image is unlike the training images, so look at `unknown` first. Of a multi-label model it is the
    predicted labels as one text, and `labels` lists them. `set` holds the true class as often as `coverage`
    of the model promises, null without prediction sets; `unknown_score` is null of a model that has none.
    `anomaly_score` is given by a model of good images alone: 1 is its limit.
    """

    answer: str
    labels: list[str] | None = None
    confidence: float
    probabilities: dict[str, float]
    set: list[str] | None
    unknown: bool
    unknown_score: float | None
    anomaly_score: float | None = None


class ModelOut(BaseModel):
    """The model that answered: its name, the SHA-256 of its file, and the coverage of its prediction sets."""

    name: str
    sha256: str
    coverage: float | None


class PredictionsOut(BaseModel):
    """The answer to a request: one prediction an image, in the order given."""

    predictions: list[PredictionOut]
    model: ModelOut


def prediction_json(prediction: Prediction) -> JsonObject:
    """Return the content of :class:`PredictionOut`."""
    pairs = zip(prediction.labels, prediction.probabilities, strict=True)
    score, anomaly = prediction.unknown_score, prediction.anomaly_score
    return {
        "answer": prediction.label,
        **({} if prediction.named is None else {"labels": list(prediction.named)}),
        "confidence": round(prediction.confidence, _DIGITS),
        "probabilities": {label: round(probability, _DIGITS) for label, probability in pairs},
        "set": None if prediction.set is None else list(prediction.set),
        "unknown": bool(prediction.unknown),
        "unknown_score": None if score is None else round(score, _DIGITS),
        **({} if anomaly is None else {"anomaly_score": round(anomaly, _DIGITS)}),
    }


def model_json(name: str, model: ServedModel) -> JsonObject:
    """Return the content of :class:`ModelOut`."""
    rule = model.sealed.set_rule
    return {"name": name, "sha256": model.sha256, "coverage": None if rule is None else rule.coverage}


def predictions_json(name: str, model: ServedModel, predictions: Sequence[Prediction]) -> JsonObject:
    """Return the content of :class:`PredictionsOut`."""
    return {
        "predictions": [prediction_json(prediction) for prediction in predictions],
        "model": model_json(name, model),
    }


def json_response(content: object, status: int = 200) -> Response:
    """Return JSON as a response; names that are no valid text are escaped."""
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(text, status, media_type="application/json")
