"""What every request passes: host, origin, token and language; and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eyebright.errors import EyebrightError
from eyebright.report.templating import render
from eyebright.serving.errors import ServiceError
from eyebright.serving.problems import status_of
from eyebright.serving.security import Role, Tokens, authorise, check_host, check_origin
from eyebright.text.language import LANGUAGES, speaking
from eyebright.types import Lang
from eyebright.verbs.studio.framing import Framing

#: Nothing is fetched from elsewhere, nothing inline runs, and no other page can show this one in a frame.
POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without one, a form's origin would be "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_LANGUAGE, _PERSON = "eyebright-language", "eyebright-person"
_YEAR_SECONDS = 31_536_000
_LONGEST_NAME = 40
_POLICY_HEADER = b"content-security-policy"
_OPEN = ("/static/",)
#: Tokens of these addresses are headers, as programs send them.
SERVICE = "/service"


class Door:
    """Lets a request in, or tells why not.

    Args:
        app: the pages.
        tokens: who may do what.
        hosts: names besides localhost and addresses that requests may be sent to.
        lang: of who has not chosen one.
        framing: from where the pages are shown; None for nowhere but here.
    """

    def __init__(
        self, app: ASGIApp, tokens: Tokens, hosts: frozenset[str], lang: Lang, framing: Framing | None = None
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._framing = framing or Framing()
        self._hosts = hosts | self._framing.hosts
        self._lang = lang

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection; only HTTP has requests."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        with speaking(chosen_language(request, self._lang)):
            try:
                answer = self._refused(request)
            except EyebrightError as error:
                answer = refusal(error)
            await (answer or self._app)(scope, receive, _guarded(send, self._framing.policy))

    def _refused(self, request: Request) -> Response | None:
        """Return what is answered instead of a page; None lets the request in."""
        headers, path = request.headers, request.url.path
        check_host(headers.get("host"), self._hosts)
        if headers.get("origin") != self._framing.origin or self._framing.origin is None:
            check_origin(headers.get("origin"), headers.get("host"))
        if path.startswith((*_OPEN, f"{SERVICE}/")):
            return None
        given = parse_qs(request.url.query).get("token", [""])[0]
        if given and self._tokens.role(given) is not None:
            return self._framing.with_cookie(_token_name(request), given, request)
        authorise(self._tokens, _bearer(request), "view")
        return None


def require_role(request: Request, role: Role) -> None:
    """Refuse a request whose token does not have a role, or one above it.

    Raises:
        ServiceError: it does not.
    """
    authorise(request.app.state.studio.tokens, _bearer(request), role)


def chosen_language(request: Request, default: Lang) -> Lang:
    """Return the language that a person chose, else the studio's."""
    chosen = request.cookies.get(_LANGUAGE)
    return next((lang for lang in LANGUAGES if lang == chosen), default)


def person(request: Request) -> str:
    """Return the name under which somebody labels."""
    return unquote(request.cookies.get(_PERSON, ""))[:_LONGEST_NAME] or "me"


def remember(response: Response, *, language: str | None = None, name: str | None = None) -> Response:
    """Let the browser remember a language or a name."""
    if language in LANGUAGES:
        response.set_cookie(_LANGUAGE, language, _YEAR_SECONDS, httponly=True, samesite="strict")
    if name is not None:
        clean = "".join(c for c in name if c.isprintable()).strip()[:_LONGEST_NAME]
        response.set_cookie(_PERSON, quote(clean), _YEAR_SECONDS, httponly=True, samesite="strict")
    return response


def refusal(error: EyebrightError) -> Response:
    """Return an error as a page."""
    status = status_of(error) if isinstance(error, ServiceError) else 422
    return Response(
        render("studio/templates/refused.html", reason=error.text()), status, media_type="text/html"
    )


def _guarded(send: Send, policy: Callable[[bytes], bytes]) -> Send:
    """Return ``send`` with the headers that keep a page to itself; one may have a policy of its own.

    Args:
        send: of the connection.
        policy: returns a policy of contents with who may show the page in a frame.
    """

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            more = {**_HEADERS, "content-security-policy": POLICY, "cache-control": "no-store"}
            fresh = [(k.encode(), v.encode()) for k, v in more.items() if k.encode() not in there]
            headers = [
                (name, policy(value) if name.lower() == _POLICY_HEADER else value)
                for name, value in [*message["headers"], *fresh]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return guarded


def _bearer(request: Request) -> str | None:
    """Return the token of the cookie, or of the header that programs send, as a header."""
    token = request.cookies.get(_token_name(request))
    return f"Bearer {token}" if token else request.headers.get("authorization")


def _token_name(request: Request) -> str:
    return f"eyebright-token-{request.url.port or 0}"  # browsers do not keep ports apart
