"""The application: all pages behind one door, and the model in use beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from traceback import format_exception

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from eyebright.data.storage.base import MOST_UNPACKED_BYTES
from eyebright.errors import EyebrightError
from eyebright.report.templating import render
from eyebright.runtime.errors_once import tell
from eyebright.serving.errors import ServiceError
from eyebright.text.language import translate
from eyebright.types import Lang
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import SERVICE, Door, refusal
from eyebright.verbs.studio.framing import Framing
from eyebright.verbs.studio.pages import audit, images, jobs, label, models, review, train, try_image

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


class UnknownPageError(ServiceError):
    """There is no page at an address."""

    status = 404


def create_app(studio: Studio, lang: Lang = "en", framing: Framing | None = None) -> Starlette:
    """Return the application of a studio.

    Args:
        studio: that the pages show.
        lang: of who has not chosen one.
        framing: from where the pages are shown besides a browser of their own.
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
        middleware=[Middleware(Door, tokens=studio.tokens, hosts=studio.hosts, lang=lang, framing=framing)],
        exception_handlers={EyebrightError: _refused, 404: _nowhere, Exception: _failed},
        lifespan=lifespan,
        max_body_size=MOST_UNPACKED_BYTES,
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


def _failed(request: Request, error: Exception) -> Response:
    """Tell a person that the studio failed, and its terminal where."""
    tell("".join(format_exception(error)))
    reason = translate("The studio must not fail. It did, and the terminal says where. Please report this.")
    return HTMLResponse(render("studio/templates/refused.html", reason=reason), 500)


def _nowhere(request: Request, error: Exception) -> Response:
    return refusal(
        UnknownPageError(
            "The page must be one of the studio's. There is none at this address. Go back to the first one."
        )
    )
