"""The models in service: which they are, what vouches for them, and how they are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from eyebright.serving.answers import PredictionsOut, json_response
from eyebright.serving.bodies import declared_bytes, parsed, read_body, read_images
from eyebright.serving.documents import card_json, certificate_json
from eyebright.serving.problems import problems
from eyebright.serving.registry import Registry, Slot
from eyebright.serving.routes.predict import RAW_BODY, answer_images
from eyebright.serving.security import allow
from eyebright.serving.service import Service
from eyebright.types import JsonObject

router = APIRouter(prefix="/models", dependencies=[Depends(allow("view"))])
admin_router = APIRouter(prefix="/models", dependencies=[Depends(allow("admin"))])


class ShadowOut(BaseModel):
    """A model that answers silently, and how its answers compare with those that are given."""

    sha256: str
    images: int
    same_answer: int
    largest_difference: float
    skipped: int


class ServedOut(BaseModel):
    """A model in service.

    `file` says whether the file on disk is still the one that answers, and `proven` whether it answered a
    photograph of its run as in training when it was loaded. Without one it only had to answer alike.
    """

    name: str
    sha256: str
    labels: list[str]
    multilabel: bool
    engine: str
    ready: bool
    proven: bool
    file: Literal["unchanged", "changed", "missing"]
    previous_sha256: str | None
    shadow: ShadowOut | None


class ModelsOut(BaseModel):
    """All models in service; the first answers where a request names none."""

    models: list[ServedOut]


class RunIn(BaseModel):
    """A run beside those that are served; none stands for the directory of the present model."""

    model_config = ConfigDict(extra="forbid")

    run: str | None = None


_RUN = TypeAdapter(RunIn)
_RUN_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RunIn"}}},
    }
}


@router.get("", summary="List the models", response_model=ModelsOut, responses=problems())
async def models(request: Request) -> Response:
    """Return all models in service."""
    registry: Registry = request.app.state.service.registry
    return json_response({"models": [await _served(slot) for slot in registry]})


@router.get("/{name}", summary="Describe a model in service", response_model=ServedOut, responses=problems())
async def model(request: Request, name: str) -> Response:
    """Return one model in service."""
    return json_response(await _served(request.app.state.service.registry.get(name)))


@router.post(
    "/{name}/predict",
    summary="Predict images by a model",
    response_model=PredictionsOut,
    responses=problems(408, 429, 503),
    openapi_extra=RAW_BODY,
)
async def predict(request: Request, name: str) -> Response:
    """Answer an image as the body, a form with many, or JSON with base64."""
    service: Service = request.app.state.service
    slot = service.registry.get(name)
    with service.room_for(declared_bytes(request.scope["headers"])):
        return await answer_images(request, service, slot, await read_images(request, service))


@router.get(
    "/{name}/card", summary="The card of a model", response_model=dict[str, Any], responses=problems()
)
async def card(request: Request, name: str) -> Response:
    """Return what the model is: classes, backbone, preprocessing, metrics, decisions and prediction sets."""
    slot: Slot = request.app.state.service.registry.get(name)
    return json_response(card_json(slot.name, slot.active))


@router.get(
    "/{name}/certificate",
    summary="What vouches for a model",
    response_model=dict[str, Any],
    responses=problems(),
)
async def certificate(request: Request, name: str) -> Response:
    """Return the parity check of the run, the certificates of its exports, and the check at the start."""
    slot: Slot = request.app.state.service.registry.get(name)
    return json_response(await asyncio.to_thread(certificate_json, slot.active))


@admin_router.post(
    "/{name}/swap",
    summary="Replace a model without losing a request",
    response_model=ServedOut,
    responses=problems(408, 409),
    openapi_extra=_RUN_BODY,
)
async def swap(request: Request, name: str) -> Response:
    """Load, check and use the model of another run, or what lies now where the present one was."""
    run = await _run(request)

    async def step(registry: Registry, slot: Slot) -> None:
        await registry.activate(slot, await registry.load(slot, run))

    return await _change(request, name, "swap", step)


@admin_router.post(
    "/{name}/rollback",
    summary="Go one step back",
    response_model=ServedOut,
    responses=problems(409),
)
async def rollback(request: Request, name: str) -> Response:
    """Let the model before the present one answer again; a second time returns to the present one."""

    async def step(_: Registry, slot: Slot) -> None:
        slot.roll_back()

    return await _change(request, name, "rollback", step)


@admin_router.post(
    "/{name}/shadow",
    summary="Try a model out silently",
    response_model=ServedOut,
    responses=problems(408, 409),
    openapi_extra=_RUN_BODY,
)
async def shadow(request: Request, name: str) -> Response:
    """Let another run answer the same images, which nobody is shown; without a run that ends."""
    run = await _run(request)

    async def step(registry: Registry, slot: Slot) -> None:
        slot.set_shadow(None if run is None else await registry.load(slot, run))

    return await _change(request, name, "shadow", step)


@admin_router.post(
    "/{name}/promote",
    summary="Let the shadow answer",
    response_model=ServedOut,
    responses=problems(409),
)
async def promote(request: Request, name: str) -> Response:
    """Let the model that was tried out answer; the present one is kept, one step back."""

    async def step(registry: Registry, slot: Slot) -> None:
        await registry.activate(slot, slot.take_shadow())

    return await _change(request, name, "promote", step)


async def _run(request: Request) -> str | None:
    body = await read_body(request, request.app.state.service)
    return parsed(_RUN, body).run if body else None


async def _change(
    request: Request, name: str, event: str, step: Callable[[Registry, Slot], Awaitable[None]]
) -> Response:
    """Take one step with a model, one after another, and answer what is served then.

    Args:
        request: that asks for it.
        name: of the model.
        event: in the log.
        step: what is done to its slot.
    """
    service: Service = request.app.state.service
    slot = service.registry.get(name)
    async with slot.changing:
        await step(service.registry, slot)
        service.log.write(event, model=slot.name, sha256=slot.active.sha256)
        return json_response(await _served(slot))


async def _served(slot: Slot) -> JsonObject:
    model, shadow, figures = slot.active, slot.shadow, slot.shadow_figures
    return {
        "name": slot.name,
        "sha256": model.sha256,
        "labels": list(model.sealed.labels),
        "multilabel": model.sealed.decisions.multilabel,
        "engine": model.predictor.engine,
        "ready": model.failure is None,
        "proven": model.proven,
        "file": await asyncio.to_thread(model.file_state),
        "previous_sha256": None if slot.previous is None else slot.previous.sha256,
        "shadow": None
        if shadow is None
        else {
            "sha256": shadow.sha256,
            "images": figures.images,
            "same_answer": figures.same_answer,
            "largest_difference": round(figures.largest_difference, 6),
            "skipped": figures.skipped,
        },
    }
