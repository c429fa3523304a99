"""The Open Inference Protocol v2, as KServe and Triton speak it: health, metadata and inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from eyebright.errors import EyebrightError
from eyebright.sealed.graph import ANOMALY_SCORE, ANSWER, INPUT, OUTPUT, UNKNOWN
from eyebright.serving.answers import json_response
from eyebright.serving.bodies import declared_bytes, read_body
from eyebright.serving.errors import InvalidBodyError, UnknownModelError
from eyebright.serving.problems import Responses, problem, problems, status_of
from eyebright.serving.protocols.tensors import (
    HEADER_LENGTH,
    InferIn,
    InferOut,
    Output,
    encode_response,
    images_of,
    parse_request,
)
from eyebright.serving.registry import Slot
from eyebright.serving.security import allow
from eyebright.serving.served_model import AnsweredImage, ServedModel
from eyebright.serving.service import Service
from eyebright.types import JsonObject
from eyebright.version import __version__

router = APIRouter(prefix="/v2")
#: What needs no token.
health_router = APIRouter(prefix="/v2/health")

#: The input of encoded files; BYTES are taken under the name of the pixels, too.
ENCODED = "encoded_images"
_LABEL = "label"


class ServerOut(BaseModel):
    """The server's name, version and extensions."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or output; -1 stands for a free size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model's inputs and outputs. One of the two inputs is given."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class LiveOut(BaseModel):
    """Whether the server lives."""

    live: bool


class ReadyOut(BaseModel):
    """Whether the server, or a model, answers."""

    ready: bool


_NOT_READY: Responses = {
    503: {"model": ReadyOut, "description": "A model does not answer, or the service is ending."}
}
_VIEW = [Depends(allow("view"))]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferIn"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@health_router.get("/live", summary="Tell whether the server lives", response_model=LiveOut)
async def live() -> Response:
    """Answer that the server lives."""
    return json_response({"live": True})


@health_router.get(
    "/ready", summary="Tell whether all models answer", response_model=ReadyOut, responses=_NOT_READY
)
async def ready(request: Request) -> Response:
    """Answer whether all models answer."""
    return _ready(request.app.state.service.ready)


@router.get(
    "", summary="Describe the server", response_model=ServerOut, dependencies=_VIEW, responses=problems()
)
async def server() -> Response:
    """Return the server's name, version and extensions."""
    return json_response({"name": "eyebright", "version": __version__, "extensions": ["binary_tensor_data"]})


@router.get(
    "/models/{name}",
    summary="Describe a model",
    response_model=ModelMetadata,
    dependencies=_VIEW,
    responses=problems(),
)
@router.get(
    "/models/{name}/versions/{version}",
    summary="Describe a version of a model",
    response_model=ModelMetadata,
    dependencies=_VIEW,
    responses=problems(),
)
async def metadata(request: Request, name: str, version: str | None = None) -> Response:
    """Return a model's inputs and outputs."""
    slot, model = _find(request, name, version)
    outputs = [
        {"name": output, "datatype": datatype, "shape": shape} for output, datatype, shape in _outputs(model)
    ]
    return json_response(
        {
            "name": slot.name,
            "versions": [model.version],
            "platform": "eyebright",
            "inputs": [
                {"name": INPUT, "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
                {"name": ENCODED, "datatype": "BYTES", "shape": [-1]},
            ],
            "outputs": outputs,
        }
    )


@router.get(
    "/models/{name}/ready",
    summary="Tell whether a model answers",
    response_model=ReadyOut,
    dependencies=_VIEW,
    responses=problems() | _NOT_READY,
)
@router.get(
    "/models/{name}/versions/{version}/ready",
    summary="Tell whether a version of a model answers",
    response_model=ReadyOut,
    dependencies=_VIEW,
    responses=problems() | _NOT_READY,
)
async def model_ready(request: Request, name: str, version: str | None = None) -> Response:
    """Answer whether a model answers."""
    _, model = _find(request, name, version)
    return _ready(model.failure is None)


@router.post(
    "/models/{name}/infer",
    summary="Predict images as tensors",
    response_model=InferOut,
    dependencies=_VIEW,
    responses=problems(408, 429, 503),
    openapi_extra=_BODY,
)
@router.post(
    "/models/{name}/versions/{version}/infer",
    summary="Predict images as tensors, by a version of a model",
    response_model=InferOut,
    dependencies=_VIEW,
    responses=problems(408, 429, 503),
    openapi_extra=_BODY,
)
async def infer(request: Request, name: str, version: str | None = None) -> Response:
    """Predict the images of an input tensor."""
    slot, _ = _find(request, name, version)
    service: Service = request.app.state.service
    with service.room_for(declared_bytes(request.scope["headers"])):
        wanted, binary = parse_request(await read_body(request, service), request.headers.get(HEADER_LENGTH))
        tensor = wanted.inputs[0]
        if tensor.name not in (INPUT, ENCODED):
            raise InvalidBodyError(
                "The input must be {names}. Got {name}. Rename it.",
                names=f"{INPUT}, {ENCODED}",
                name=tensor.name,
            )
        model, answers = await service.predict(slot, images_of(service, tensor, binary))
    failed = next((answer for answer in answers if isinstance(answer, EyebrightError)), None)
    if failed is not None:
        return problem(status_of(failed), failed.text(), request.url.path)
    return _response(slot, model, wanted, [answer for answer in answers if isinstance(answer, AnsweredImage)])


def _response(slot: Slot, model: ServedModel, wanted: InferIn, answers: Sequence[AnsweredImage]) -> Response:
    outputs = _tensors(model, answers)
    names = [output.name for output in wanted.outputs] if wanted.outputs else list(outputs)
    for name in names:
        if name not in outputs:
            raise InvalidBodyError(
                "An output must be one of {names}. Got {name}. Choose one of them.",
                names=", ".join(outputs),
                name=name,
            )
    if any(output.parameters.classification for output in wanted.outputs or ()):
        raise InvalidBodyError(
            "The extension classification is not among those of this server. It was asked for. Ask for the "
            "output label instead."
        )
    everything = wanted.parameters.binary_data_output
    given = [output.parameters.binary_data for output in wanted.outputs or ()] or [None] * len(names)
    binary = [everything if one is None else one for one in given]
    head: JsonObject = {"model_name": slot.name, "model_version": model.version}
    if wanted.id is not None:
        head["id"] = wanted.id
    body, length = encode_response(head, [(name, outputs[name]) for name in names], binary)
    if length is None:
        return Response(body, media_type="application/json")
    headers = {"Inference-Header-Content-Length": str(length)}
    return Response(body, headers=headers, media_type="application/octet-stream")


def _outputs(model: ServedModel) -> list[tuple[str, str, list[int]]]:
    classes = len(model.sealed.labels)
    answer = [-1, classes] if model.sealed.decisions.multilabel else [-1]
    scores = [(name, "FP32", [-1]) for name in _scores(model)]
    return [(OUTPUT, "FP32", [-1, classes]), (ANSWER, "INT64", answer), *scores, (_LABEL, "BYTES", [-1])]


def _scores(model: ServedModel) -> list[str]:
    """Return the names of the scores (B,) that the sealed file gives."""
    given = {UNKNOWN: model.sealed.has_ood_score, ANOMALY_SCORE: model.sealed.has_anomaly_map}
    return [name for name, there in given.items() if there]


def _tensors(model: ServedModel, answers: Sequence[AnsweredImage]) -> dict[str, Output]:
    """Return what the sealed file itself gives, and the names of the answers."""
    probabilities = np.stack([one.answered.probabilities for one in answers])
    scores = {
        name: np.array(
            [one.answered.score if name == UNKNOWN else one.answered.anomaly_score for one in answers],
            np.float32,
        )
        for name in _scores(model)
    }
    return {
        OUTPUT: Output("FP32", probabilities),
        ANSWER: Output("INT64", model.sealed.decisions.answer(probabilities, scores.get(UNKNOWN))),
        **{name: Output("FP32", values) for name, values in scores.items()},
        _LABEL: Output("BYTES", np.array([one.prediction.label for one in answers], object)),
    }


def _find(request: Request, name: str, version: str | None) -> tuple[Slot, ServedModel]:
    slot: Slot = request.app.state.service.registry.get(name)
    if version not in (None, slot.active.version):
        raise UnknownModelError(
            "The version must be the one that is served. It is {served}; got {version}. Leave it out, or "
            "use that.",
            served=slot.active.version,
            version=version,
        )
    return slot, slot.active


def _ready(answers: bool) -> Response:
    return json_response({"ready": answers}, 200 if answers else 503)
