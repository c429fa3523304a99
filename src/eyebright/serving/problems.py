"""Errors as `application/problem+json` (RFC 9457), one form for everything that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from eyebright.errors import (
    ConfigError,
    EyebrightError,
    ImageError,
    ImageSizeError,
    MissingExtraError,
    ModelError,
    NotFoundError,
)
from eyebright.explaining.base import NoHeatMapError
from eyebright.serving.answers import ModelOut, PredictionOut
from eyebright.serving.errors import ServiceError, UnauthorisedError
from eyebright.text.language import translate
from eyebright.types import Json

_MEDIA_TYPE = "application/problem+json"
_STATUS: Mapping[type[EyebrightError], int] = {
    ImageSizeError: 413,
    ImageError: 422,
    ConfigError: 422,
    ModelError: 422,
    NotFoundError: 422,
    NoHeatMapError: 422,
    MissingExtraError: 501,
}


#: Responses by status, as FastAPI takes their descriptions.
Responses: TypeAlias = dict[int | str, dict[str, Any]]


class ImageProblem(BaseModel):
    """Why one image of several was not answered: its place in the request, from 0, and its name."""

    index: int
    name: str | None = None
    detail: str


class Problem(BaseModel):
    """What went wrong: `title` names the status, `detail` says what must hold, what was got and what to do.

    Of several images, `errors` lists those that could not be answered, and `predictions` has the answers of
    the others in the order given, with null in the place of each that failed.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ImageProblem] | None = None
    predictions: list[PredictionOut | None] | None = None
    model: ModelOut | None = None
    error: str | None = None


#: Responses of routes that read images, as OpenAPI describes them.
_TEXTS = {
    400: "The request is not valid.",
    401: "A token is missing or wrong.",
    403: "The token's role may not do this, or a page of another origin sent the request.",
    404: "There is no such model.",
    405: "The method is not one of this address.",
    408: "The body did not arrive in time.",
    409: "What is asked for does not fit the state of the service.",
    413: "The body, an image or their number is too large.",
    415: "The body is of a type that is not taken.",
    421: "The header Host names another service.",
    422: "The body cannot be used, such as a file that is no image.",
    429: "More is waiting than can be answered in time; Retry-After says when to ask again.",
    500: "The service failed.",
    501: "This needs a package that is not installed.",
    503: "The service is ending, or an engine does not answer.",
}
_EVERYWHERE = (400, 401, 403, 404, 405, 413, 415, 421, 422, 500)


def problems(*more: int) -> Responses:
    """Return the descriptions of all problems that a route may answer with."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _TEXTS[status], "content": {_MEDIA_TYPE: schema}}
        for status in sorted({*_EVERYWHERE, *more})
    }


def problem(
    status: int, detail: str, path: str, headers: Mapping[str, str] | None = None, **more: Json
) -> Response:
    """Return an error as a response.

    Args:
        status: of HTTP.
        detail: sentences for a person.
        path: of the request; the Open Inference Protocol wants the text under a name of its own.
        headers: further ones.
        **more: extension members.
    """
    content: dict[str, Json] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"error": detail} if path.startswith("/v2") else {}),
        **more,
    }
    return Response(
        json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        status,
        headers,
        _MEDIA_TYPE,
    )


def status_of(error: EyebrightError) -> int:
    """Return the status that tells of an error."""
    if isinstance(error, ServiceError):
        return error.status
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def of_error(error: EyebrightError, path: str) -> Response:
    """Return an error of our own as a response."""
    headers: dict[str, str] = {}
    if isinstance(error, ServiceError) and error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, UnauthorisedError):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status_of(error), error.text(), path, headers)


async def _own_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, EyebrightError):
        raise error
    return of_error(error, request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    text = {
        404: translate("The address must be one of /openapi.json. This one is not. Check it."),
        405: translate("The method must be one that the address takes. This one is not. See /openapi.json."),
        413: translate("The body must be smaller. It is larger than the service takes. Send fewer images."),
    }.get(error.status_code, str(error.detail))
    return problem(error.status_code, text, request.url.path, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    text = translate(
        "The request must be as /openapi.json describes it. {place}: {reason}. Correct it.",
        place=place,
        reason=first["msg"],
    )
    return problem(422, text, request.url.path)


async def _failed(request: Request, error: Exception) -> Response:
    request.app.state.service.log.write(
        "error", kind=type(error).__name__, reason=str(error), where=_where(error)
    )
    text = translate("The service must not fail. It did, and its log says where. Please report this.")
    return problem(500, text, request.url.path)


def _where(error: Exception) -> str:
    """Return the innermost place of an error, in one line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def install(app: FastAPI) -> None:
    """Let an application answer with problems, whatever goes wrong."""
    app.add_exception_handler(EyebrightError, _own_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _failed)
