"""What every request passes whatever its route: host, origin and size; and how it is counted and logged."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eyebright.errors import EyebrightError
from eyebright.serving.bodies import declared_bytes
from eyebright.serving.errors import MediaTypeError, TooLargeError
from eyebright.serving.problems import of_error
from eyebright.serving.security import check_host, check_origin
from eyebright.serving.service import Service

_SAFE_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_CLOSE = (b"connection", b"close")
# What the models work for: refused here where they cannot keep up, which costs half of what a route does.
_WORK = ("/predict", "/infer", "/explain")


class Guard:
    """Refuses what no route should see, before any of the body is read, and counts and logs everything.

    Args:
        app: the routes.
        service: that they belong to.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection; only HTTP has requests."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = [*_SAFE_HEADERS, *([_CLOSE] if self._service.workers.closing else [])]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        try:
            self._require(scope)
        except EyebrightError as error:
            await of_error(error, scope["path"])(scope, receive, counted)
        else:
            await self._app(scope, receive, counted)
        finally:
            self._tell(scope, status, time.perf_counter() - start)

    def _require(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        check_host(headers.get(b"host"), self._service.settings.hosts)
        check_origin(headers.get(b"origin"), headers.get(b"host"))
        self._require_body(scope, headers)
        if scope["method"] == "POST" and scope["path"].endswith(_WORK):
            self._service.workers.admit()

    def _require_body(self, scope: Scope, headers: Mapping[bytes, str]) -> None:
        limit = self._service.settings.max_body_bytes
        if (declared_bytes(scope["headers"]) or 0) > limit:
            raise TooLargeError(
                "A body must have at most {limit} MB. This one is larger, so it was not read. Send fewer or "
                "smaller images.",
                limit=limit >> 20,
            )
        if headers.get(b"content-encoding", "identity") != "identity":
            raise MediaTypeError("Bodies must not be compressed. This one is. Send it as it is.")

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        metrics = self._service.metrics
        metrics.requests.add(route=route, code=str(status))
        metrics.duration.add(seconds, route=route)
        self._service.log.write(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            ms=round(1000 * seconds, 2),
            bytes=declared_bytes(scope["headers"]),
        )
