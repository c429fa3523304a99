"""The application: routes, limits and errors around a service. Further pages can be mounted on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from eyebright.serving.bodies import ImagesIn
from eyebright.serving.guard import Guard
from eyebright.serving.label_studio import SetupIn, TasksIn
from eyebright.serving.problems import Problem, install
from eyebright.serving.routes import explain, health, inference_protocol, label_studio, models, predict
from eyebright.serving.routes.models import RunIn
from eyebright.serving.service import Service
from eyebright.serving.tensors import InferIn
from eyebright.version import __version__

# Bodies and problems that routes read or answer themselves, so that FastAPI does not see them.
_BY_HAND: tuple[type[BaseModel], ...] = (ImagesIn, TasksIn, SetupIn, RunIn, InferIn, Problem)


def create_app(service: Service) -> FastAPI:
    """Return the application of a service.

    Whoever mounts more on it uses `request.app.state.service`, :func:`eyebright.serving.security.allow` for
    routes that need a role, and raises the errors of :mod:`eyebright.serving.errors`.

    Args:
        service: that the routes belong to.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="Eyebright",
        version=__version__,
        summary="Sealed image classifiers as a service.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    install(app)
    # Before any parser; what a header announces is refused by the guard around it.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=service.settings.max_body_bytes)
    app.add_middleware(Guard, service=service)
    for module in (predict, models, explain, health, label_studio, inference_protocol):
        app.include_router(module.router)
    app.include_router(models.admin_router)
    app.include_router(inference_protocol.health_router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Add the schemas of what routes read by themselves to the description of the application."""
    described = app.openapi

    def _whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = described()
            _, definitions = models_json_schema(
                [(model, "validation") for model in _BY_HAND], ref_template="#/components/schemas/{model}"
            )
            schema.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        return app.openapi_schema or schema

    app.openapi = _whole  # type: ignore[method-assign]
