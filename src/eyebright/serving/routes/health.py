"""Whether the service lives and answers, and its figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from eyebright.serving.answers import json_response
from eyebright.serving.problems import problems
from eyebright.serving.security import allow
from eyebright.serving.service import Service

router = APIRouter()

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class LivenessOut(BaseModel):
    """The process answers."""

    status: str


class ReadinessOut(BaseModel):
    """Whether all models answer; `models` says why one does not, with null for those that do."""

    ready: bool
    models: dict[str, str | None]


@router.get("/health/live", summary="Tell whether the process answers", response_model=LivenessOut)
async def live() -> Response:
    """Answer that the process lives."""
    return json_response({"status": "live"})


@router.get(
    "/health/ready",
    summary="Tell whether all models answer",
    response_model=ReadinessOut,
    responses={
        503: {"model": ReadinessOut, "description": "A model does not answer, or the service is ending."}
    },
)
async def ready(request: Request) -> Response:
    """Answer whether all models answer as in training."""
    service: Service = request.app.state.service
    models = {slot.name: slot.active.failure for slot in service.registry}
    return json_response({"ready": service.ready, "models": models}, 200 if service.ready else 503)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
    dependencies=[Depends(allow("view"))],
)
async def metrics(request: Request) -> Response:
    """Return the counters, histograms and gauges of the service and of what watches it."""
    service: Service = request.app.state.service
    return Response(service.metrics.text(service.gauges()), media_type=_PROMETHEUS)
