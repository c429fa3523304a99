"""`POST /predict`: images in, one prediction an image out; the same address answers Label Studio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from eyebright.errors import EyebrightError
from eyebright.serving.answers import (
    PredictionsOut,
    json_response,
    model_json,
    prediction_json,
    predictions_json,
)
from eyebright.serving.bodies import NamedImage, declared_bytes, media_type, parsed, read_body, read_images
from eyebright.serving.problems import problem, problems, status_of
from eyebright.serving.protocols.label_studio import TasksIn, TasksOut, answer_tasks, is_tasks
from eyebright.serving.registry import Slot
from eyebright.serving.security import allow
from eyebright.serving.served_model import AnsweredImage, ServedModel
from eyebright.serving.service import Service
from eyebright.types import JsonObject

router = APIRouter(dependencies=[Depends(allow("view"))])

_TASKS = TypeAdapter(TasksIn)
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "text": {"type": "array", "items": {"type": "string"}},
        },
    }
}


def _body(*schemas: str) -> dict[str, Any]:
    """Return a body as OpenAPI describes it: an image, a form of images, or JSON."""
    json = {"schema": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in schemas]}}
    content = {
        "image/*": _BINARY,
        "application/octet-stream": _BINARY,
        "multipart/form-data": _FORM,
        "application/json": json,
    }
    return {"requestBody": {"required": True, "content": content}}


# Read by hand: what FastAPI makes of one parameter costs a tenth of all that is not the model's.
_MODEL: dict[str, Any] = {
    "name": "model",
    "in": "query",
    "description": "Name; the first model without one.",
    "schema": {"type": "string"},
}

#: The body of a request for predictions.
RAW_BODY = _body("ImagesIn")


@router.post(
    "/predict",
    summary="Predict images",
    response_model=PredictionsOut | TasksOut,
    responses=problems(408, 429, 503),
    openapi_extra=_body("ImagesIn", "TasksIn") | {"parameters": [_MODEL]},
)
async def predict(request: Request) -> Response:
    """Answer an image as the body, a form with many, JSON with base64, or tasks of Label Studio."""
    service: Service = request.app.state.service
    slot = service.registry.get(request.query_params.get("model"))
    with service.room_for(declared_bytes(request.scope["headers"])):
        if media_type(request) == "application/json":
            body = await read_body(request, service)
            if is_tasks(body):
                return json_response(await answer_tasks(service, slot, parsed(_TASKS, body)))
        images = await read_images(request, service)
        return await answer_images(request, service, slot, images)


async def answer_images(
    request: Request, service: Service, slot: Slot, images: Sequence[NamedImage]
) -> Response:
    """Answer images, or tell which of them cannot be answered and why."""
    texts = [image.text for image in images]
    model, answers = await service.predict(slot, [image.content for image in images], texts)
    predictions = [answer.prediction for answer in answers if isinstance(answer, AnsweredImage)]
    if len(predictions) == len(answers):
        return json_response(predictions_json(slot.name, model, predictions))
    return _partly(request, slot, model, images, answers)


def _partly(
    request: Request,
    slot: Slot,
    model: ServedModel,
    images: Sequence[NamedImage],
    answers: Sequence[AnsweredImage | EyebrightError],
) -> Response:
    failed = [(i, answer) for i, answer in enumerate(answers) if isinstance(answer, EyebrightError)]
    first = failed[0][1]
    if len(answers) == 1:
        return problem(status_of(first), first.text(), request.url.path)
    errors: list[JsonObject] = [
        {"index": i, "name": images[i].name, "detail": error.text()} for i, error in failed
    ]
    given = [
        prediction_json(answer.prediction) if isinstance(answer, AnsweredImage) else None
        for answer in answers
    ]
    return problem(
        max(status_of(error) for _, error in failed),
        first.text(),
        request.url.path,
        errors=errors,
        predictions=given,
        model=model_json(slot.name, model),
    )
