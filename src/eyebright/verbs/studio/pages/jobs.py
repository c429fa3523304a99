"""The job under way, shown on every page: how far it is, how long it takes, and a button that stops it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eyebright.verbs.studio.door import require_role
from eyebright.verbs.studio.pages.show import fragment, go, post, studio_of


async def job(request: Request) -> Response:
    """Show the last job."""
    return fragment("job.html", job=studio_of(request).jobs.last)


async def stop(request: Request) -> Response:
    """Ask the job under way to stop."""
    require_role(request, "label")
    studio_of(request).jobs.stop()
    form = await request.form()
    return go("/train" if form.get("back") == "/train" else "/")


ROUTES = [Route("/job", job), post("/job/stop", stop)]
