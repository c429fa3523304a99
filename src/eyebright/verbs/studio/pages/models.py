"""The models that were trained: reports, comparison with the one in use, exports, and which one is in use."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from eyebright.errors import EyebrightError
from eyebright.runs.run import Run
from eyebright.text.language import language, translate
from eyebright.types import Interval
from eyebright.verbs.compare.options import CompareConfig
from eyebright.verbs.export.options import ExportConfig, FormatName
from eyebright.verbs.studio.door import SERVICE, require_role
from eyebright.verbs.studio.in_service import NAME
from eyebright.verbs.studio.pages.show import command, go, off_loop, page, post, studio_of

# A report has its own policy in the page; here it also gets an origin of its own, apart from the studio's.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
)
#: Formats that need no extra.
_FORMATS: tuple[FormatName, ...] = ("onnx", "openvino", "html", "triton")


@dataclass(frozen=True)
class TrainedRun:
    """A run in the list of models."""

    name: str
    images: int
    accuracy: Interval | None
    in_use: bool


async def models(request: Request) -> Response:
    """List the runs."""
    return _list(request)


async def model(request: Request) -> Response:
    """Show a run: its figures, and what can be done with it."""
    studio = studio_of(request)
    run = await off_loop(lambda: studio.run(request.path_params["name"]))
    return _model(request, run)


async def report(request: Request) -> Response:
    """Return the report of a run."""
    run = studio_of(request).run(request.path_params["name"])
    return document(run.report)


async def compare(request: Request) -> Response:
    """Compare a run with the one in use."""
    require_role(request, "admin")
    studio = studio_of(request)
    run, used = studio.run(request.path_params["name"]), studio.run(studio.service.run)
    out = studio.project.folder / "comparisons" / time.strftime("%Y%m%d-%H%M%S")
    config = CompareConfig.build(runs=[used.directory, run.directory], out=out, lang=language())

    def work() -> str:
        from eyebright.verbs.compare.compare import compare as stage

        return f"/comparisons/{stage(config).directory.name}"

    words = command("compare", used.directory, run.directory, "--out", out)
    studio.jobs.start("compare", [words], work)
    return go(f"/models/{run.directory.name}")


async def comparison(request: Request) -> Response:
    """Return a comparison."""
    folder = studio_of(request).project.folder / "comparisons" / Path(request.path_params["name"]).name
    return document(folder / "compare.html")


async def export(request: Request) -> Response:
    """Export a run, and compare each export with the original."""
    require_role(request, "admin")
    studio = studio_of(request)
    run = studio.run(request.path_params["name"])
    form = await request.form()
    to = next((known for known in _FORMATS if known == form.get("format")), _FORMATS[0])
    int8 = bool(form.get("int8"))
    config = ExportConfig.build(model=run.directory, to=[to], int8=int8, lang=language())

    def work() -> str:
        from eyebright.verbs.export.export import export as stage

        stage(config)
        return f"/models/{run.directory.name}"

    words = command("export", run.directory, "--to", to, *["--int8"] * int8)
    studio.jobs.start("export", [words], work)
    return go(f"/models/{run.directory.name}")


async def use(request: Request) -> Response:
    """Put a run into service."""
    require_role(request, "admin")
    studio = studio_of(request)
    run = studio.run(request.path_params["name"])
    try:
        await studio.service.put(run.directory)
    except EyebrightError as error:
        return _model(request, run, error.text())
    studio.doubtful = None
    studio.start_review(again=True)
    return go(f"/models/{run.directory.name}")


async def back(request: Request) -> Response:
    """Put the model into service that was in use before."""
    require_role(request, "admin")
    studio = studio_of(request)
    try:
        await studio.service.back()
    except EyebrightError as error:
        return _list(request, error.text())
    studio.doubtful = None
    studio.start_review(again=True)
    return go("/models")


def _list(request: Request, error: str = "") -> Response:
    studio = studio_of(request)
    used = studio.service.run
    rows = [_row(run, used) for run in studio.runs()]
    shown = studio.run(used).directory if used else studio.runs_folder / "NAME"
    return page(
        request,
        "models.html",
        translate("Models"),
        commands=[command("serve", f"{NAME}={shown}")],
        error=error,
        rows=rows,
        used=used,
        previous=studio.service.previous,
        address=f"{request.base_url}{SERVICE[1:]}/predict",
        open_service=studio.open_service,
    )


def _model(request: Request, run: Run, error: str = "") -> Response:
    studio = studio_of(request)
    name = run.directory.name
    return page(
        request,
        "model.html",
        translate("Model {name}", name=name),
        commands=[
            command("evaluate", run.directory, "DATA"),
            command("export", run.directory, "--to", "onnx"),
        ],
        error=error,
        run=name,
        summary=list(run.display()),
        used=studio.service.run,
        formats=[known for known in get_args(FormatName) if known in _FORMATS],
        exports=sorted(folder.parent.name for folder in run.directory.glob("exports/*/certificate.json")),
    )


def _row(run: Run, used: str) -> TrainedRun:
    name, found = run.directory.name, run.metrics.get("accuracy")
    accuracy = Interval(found["value"], found["low"], found["high"]) if found else None
    return TrainedRun(name, run.metrics["images"]["train"], accuracy, name == used)


def document(path: Path) -> Response:
    """Return a report, apart from the studio's own pages."""
    if not path.is_file():
        return Response(status_code=404)
    return FileResponse(path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})


ROUTES = [
    Route("/models", models),
    post("/models/back", back),
    Route("/models/{name}", model),
    Route("/models/{name}/report", report),
    post("/models/{name}/compare", compare),
    post("/models/{name}/export", export),
    post("/models/{name}/use", use),
    Route("/comparisons/{name}", comparison),
]
