"""What Label Studio asks besides predictions: whether the backend is there, and which model it has."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from eyebright.serving.answers import json_response
from eyebright.serving.bodies import parsed, read_body
from eyebright.serving.label_studio import LabelConfig, SetupIn, SetupOut, version
from eyebright.serving.problems import problems
from eyebright.serving.security import allow
from eyebright.serving.service import Service

router = APIRouter()

_SETUP = TypeAdapter(SetupIn)


class HealthOut(BaseModel):
    """`UP`, or `DOWN` while a model does not answer."""

    status: str


@router.post(
    "/setup",
    summary="Connect Label Studio",
    response_model=SetupOut,
    responses=problems(408),
    dependencies=[Depends(allow("view"))],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SetupIn"}}},
        }
    },
)
async def setup(request: Request) -> Response:
    """Check the labelling configuration of a project, and tell which model answers."""
    service: Service = request.app.state.service
    told = parsed(_SETUP, await read_body(request, service))
    LabelConfig.read(told.label_config)
    slot = service.registry.get(None)
    return json_response({"model_version": version(slot, slot.active)})


@router.get(
    "/health",
    summary="Tell Label Studio whether the service answers",
    response_model=HealthOut,
    responses={503: {"model": HealthOut}},
)
async def health(request: Request) -> Response:
    """Answer `UP` while every model answers."""
    ready = request.app.state.service.ready
    return json_response({"status": "UP" if ready else "DOWN"}, 200 if ready else 503)
