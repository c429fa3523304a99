"""How a page is made: its template, the way through the studio, and the command line that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from eyebright.labelling.jobs import Job
from eyebright.report.templating import render
from eyebright.runtime.parallel import in_context
from eyebright.text.language import translate
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import person

Result = TypeVar("Result")
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_SMALL_BYTES = 4 * 2**20

# The page of each kind of job.
_PAGES = {
    "features": "/label",
    "unpack": "/images",
    "audit": "/audit",
    "train": "/train",
    "compare": "/models/",
    "export": "/models/",
    "review": "/review",
}


@dataclass(frozen=True)
class WayStep:
    """One page of the way."""

    path: str
    title: str


def studio_of(request: Request) -> Studio:
    """Return the studio that a request is for."""
    found: Studio = request.app.state.studio
    return found


def way() -> list[WayStep]:
    """Return the pages in the order of the work."""
    return [
        WayStep("/", translate("Images")),
        WayStep("/audit", translate("Audit")),
        WayStep("/label", translate("Labelling")),
        WayStep("/train", translate("Train")),
        WayStep("/models", translate("Models")),
        WayStep("/try", translate("Try it")),
        WayStep("/review", translate("Review")),
    ]


def command(*words: str | Path) -> str:
    """Return a command line of Eyebright."""
    return shlex.join(["eyebright", *map(str, words)])


async def off_loop(work: Callable[[], Result]) -> Result:
    """Run what takes time in another thread, in the language of this request."""
    return await run_sync(in_context(work))


def page(
    request: Request,
    template: str,
    title: str,
    *,
    commands: Sequence[str] = (),
    error: str = "",
    **values: object,
) -> Response:
    """Return a page.

    Args:
        request: that asks for it.
        template: its file below `studio/templates`.
        title: of the page.
        commands: command lines that do the same.
        error: why what was asked for was not done, above the page.
        **values: of the template.
    """
    studio = studio_of(request)
    text = render(
        f"studio/templates/{template}",
        title=title,
        here=request.url.path,
        at="/" + request.url.path.split("/")[1],
        way=way(),
        name=studio.project.root.name,
        person=person(request),
        job=_shown(studio.jobs.last, request.url.path),
        commands=commands,
        error=error,
        **values,
    )
    return HTMLResponse(text, 422 if error else 200)


def _shown(job: Job | None, path: str) -> Job | None:
    """Return the last job where it is still of interest: while it runs, and on the page that started it."""
    if job is None or job.state == "running":
        return job
    return job if path.startswith(_PAGES.get(job.kind, "/")) else None


def post(path: str, endpoint: Endpoint, most_bytes: int = _SMALL_BYTES) -> Route:
    """Return the route of what changes something, with a limit to its body."""
    return Route(path, endpoint, methods=["POST"], max_body_size=most_bytes)


def fragment(template: str, **values: object) -> Response:
    """Return a part of a page."""
    return HTMLResponse(render(f"studio/templates/{template}", **values))


def go(path: str) -> Response:
    """Return a redirection after what changed something."""
    return RedirectResponse(path, 303)
