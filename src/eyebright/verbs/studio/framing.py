"""From where the studio is shown: a browser on this machine, a proxy's address, a frame in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

_NOWHERE = b"frame-ancestors 'none'"


@dataclass(frozen=True)
class Framing:
    """From where the pages are shown.

    Attributes:
        pages: origins of pages that may show them in a frame.
        public_url: the address by which browsers reach them through a proxy; None where there is none.
    """

    pages: Sequence[str] = ()
    public_url: str | None = None

    @property
    def origin(self) -> str | None:
        """Return the origin of the proxy's address."""
        return None if self.public_url is None else self.public_url.rstrip("/")

    @property
    def hosts(self) -> frozenset[str]:
        """Return the names by which requests may call the studio besides those that it has anyway."""
        name = urlsplit(self.public_url or "").hostname
        return frozenset() if name is None else frozenset({name.casefold()})

    def policy(self, policy: bytes) -> bytes:
        """Return a policy of contents that lets these pages show the page."""
        ancestors = " ".join(["frame-ancestors 'self'", *self.pages]).encode()
        return policy.replace(_NOWHERE, ancestors) if self.pages else policy

    def with_cookie(self, name: str, token: str, request: Request) -> Response:
        """Return the same page without the token in its address, which the browser keeps from now on."""
        answer = RedirectResponse(request.url.path, 303)
        if self.pages and (self.public_url or "").startswith("https:"):
            # In a frame of another site a browser keeps only cookies that belong to that site's page as well.
            answer.set_cookie(name, token, httponly=True, samesite="none", secure=True)
            answer.headers["set-cookie"] += "; Partitioned"
        else:
            secure = request.url.scheme == "https"
            answer.set_cookie(name, token, httponly=True, samesite="strict", secure=secure)
        return answer
