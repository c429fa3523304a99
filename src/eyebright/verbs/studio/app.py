"""The application: all pages behind one door, and the model in use beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from eyebright.errors import EyebrightError
from eyebright.studio.intake import MOST_BYTES
from eyebright.text.language import translate
from eyebright.types import Lang
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import SERVICE, Door, refusal
from eyebright.verbs.studio.pages import audit, images, jobs, label, models, review, train, try_image

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


def create_app(studio: Studio, *, hosts: frozenset[str] = frozenset(), lang: Lang = "en") -> Starlette:
    """Return the application of a studio.

    Args:
        studio: that the pages show.
        hosts: names besides localhost and addresses that requests may be sent to.
        lang: of who has not chosen one.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with studio.service:
            yield

    pages = (images, audit, label, train, models, try_image, review, jobs)
    app = Starlette(
        routes=[
            Mount(SERVICE, studio.service),
            Route("/static/{name}", _static),
            *(route for module in pages for route in module.ROUTES),
        ],
        middleware=[Middleware(Door, tokens=studio.tokens, hosts=hosts, lang=lang)],
        exception_handlers={EyebrightError: _refused, 404: _nowhere},
        lifespan=lifespan,
        max_body_size=MOST_BYTES,
    )
    app.state.studio = studio
    return app


def _static(request: Request) -> Response:
    """Return a style sheet or a script."""
    name = request.path_params["name"]
    found = _resources().get(name)
    if found is None:
        return Response(status_code=404)
    headers = {"cache-control": "no-cache"}
    return Response(found.read_bytes(), media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


def _resources() -> dict[str, Traversable]:
    own = files("eyebright.verbs.studio").joinpath("static")
    return {
        "page.css": files("eyebright.report").joinpath("page.css"),
        **{name: own.joinpath(name) for name in ("studio.css", "studio.js", "label.js")},
    }


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, EyebrightError):
        raise error
    return refusal(error)


def _nowhere(request: Request, error: Exception) -> Response:
    from eyebright.serving.errors import UnknownModelError

    return refusal(UnknownModelError(translate("There is no such page. Go back to the first one.")))
