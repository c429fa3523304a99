"""The page on which the model in use answers for a photograph: class, set, heat map, nearest images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from PIL import Image
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eyebright.data.decode import decode
from eyebright.errors import EyebrightError, ImageError, MissingExtraError
from eyebright.explaining.base import NoHeatMapError
from eyebright.explaining.drawing import draw
from eyebright.labelling.neighbours import Neighbour
from eyebright.report.thumbnails import data_uri
from eyebright.serving.served_model import ServedModel
from eyebright.text.language import translate
from eyebright.types import Prediction
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import require_role
from eyebright.verbs.studio.pages.show import command, fragment, off_loop, page, post, studio_of

_MOST_BYTES = 64 * 2**20
_PICTURE_PX = 480
_CLASSES = 8


@dataclass(frozen=True)
class Answer:
    """What the model says of a photograph.

    Attributes:
        prediction: the classes, the set, and whether it is unknown.
        picture: the photograph as a data URI.
        heat: the same under its heat map; empty where the model has none.
        nearest: the labelled images that are most like it; none before all images were looked at.
    """

    prediction: Prediction
    picture: str
    heat: str
    nearest: Sequence[Neighbour]

    @property
    def bars(self) -> list[tuple[str, float]]:
        """Return the likeliest classes with their probabilities."""
        pairs = zip(self.prediction.labels, self.prediction.probabilities, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])[:_CLASSES]


async def try_image(request: Request) -> Response:
    """Show the page."""
    return _page(request)


async def answer(request: Request) -> Response:
    """Answer for a photograph; a script gets a part of the page, a form all of it."""
    require_role(request, "view")
    studio = studio_of(request)
    async with request.form(max_files=2) as form:
        upload = form.get("file")
        content = await upload.read() if isinstance(upload, UploadFile) else b""
    model = studio.service.model
    whole = request.headers.get("accept", "").startswith("text/html")
    try:
        found = None if model is None else await off_loop(lambda: _answer(studio, model, content))
    except EyebrightError as error:
        return (
            _page(request, error=error.text())
            if whole
            else fragment("answer.html", answer=None, error=error.text())
        )
    return _page(request, found) if whole else fragment("answer.html", answer=found, error="")


def _page(request: Request, found: Answer | None = None, error: str = "") -> Response:
    studio = studio_of(request)
    used = studio.service.run
    run = studio.runs_folder / (used or "NAME")
    return page(
        request,
        "try.html",
        translate("Try it"),
        commands=[command("predict", run, "PHOTO"), command("explain", run, "PHOTO")],
        error=error,
        used=used,
        answer=found,
    )


def _answer(studio: Studio, model: ServedModel, content: bytes) -> Answer:
    prediction = model.answer(content).prediction
    shown = Image.fromarray(decode(content, min_side=_PICTURE_PX))
    pixels = decode(content, min_side=model.sealed.size, white_level=model.sealed.white_level)
    view = studio.view if studio.view is not None and studio.view.path == model.path else None
    nearest = [] if view is None else view.nearest(model.sealed, pixels, studio.labels())
    return Answer(prediction, data_uri(shown, _PICTURE_PX), _heat(model, content), nearest)


def _heat(model: ServedModel, content: bytes) -> str:
    """Return the photograph under its heat map, as a data URI; nothing where the model has none."""
    try:
        how = model.explainer
        with model.explaining if how.method == "gradcam" else nullcontext():  # its hooks are the module's
            drawn = draw(model.sealed, how, content, None, _PICTURE_PX)
    except (NoHeatMapError, MissingExtraError, ImageError):
        return ""
    return data_uri(drawn.picture, _PICTURE_PX)


ROUTES = [Route("/try", try_image), post("/try", answer, _MOST_BYTES)]
