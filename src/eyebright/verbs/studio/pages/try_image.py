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
from eyebright.data.table.chosen import BESIDE
from eyebright.data.texts import MOST_CHARACTERS, text_of
from eyebright.errors import EyebrightError, ImageError, MissingExtraError
from eyebright.explaining.base import NoHeatMapError
from eyebright.explaining.drawing import draw
from eyebright.explaining.words import WordEvidence, word_evidence
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
_CLASSES, _WORDS = 8, 8


@dataclass(frozen=True)
class Answer:
    """What the model says of a photograph.

    Attributes:
        prediction: the classes, the set, and whether it is unknown.
        picture: the photograph as a data URI.
        heat: the same under its heat map; empty where the model has none.
        nearest: the labelled images that are most like it; none before all images were looked at.
        text: that the model read beside it.
        words: of the text, the strongest first; above 0 for the predicted class, below 0 against it.
    """

    prediction: Prediction
    picture: str
    heat: str
    nearest: Sequence[Neighbour]
    text: str = ""
    words: Sequence[WordEvidence] = ()

    @property
    def words_for(self) -> Sequence[WordEvidence]:
        """Return the words that speak for the class."""
        return [word for word in self.words if word.gain > 0][:_WORDS]

    @property
    def words_against(self) -> Sequence[WordEvidence]:
        """Return the words that speak against it."""
        return [word for word in self.words if word.gain < 0][:_WORDS]

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
        text = str(form.get("text", ""))[:MOST_CHARACTERS]
    model = studio.service.model
    whole = request.headers.get("accept", "").startswith("text/html")
    try:
        found = None if model is None else await off_loop(lambda: _answer(studio, model, content, text))
    except EyebrightError as error:
        return (
            _page(request, error=error.text(), text=text)
            if whole
            else fragment("answer.html", answer=None, error=error.text())
        )
    return _page(request, found, text=text) if whole else fragment("answer.html", answer=found, error="")


def _page(request: Request, found: Answer | None = None, error: str = "", text: str = "") -> Response:
    studio = studio_of(request)
    used = studio.service.run
    run = studio.runs_folder / (used or "NAME")
    reads = studio.service.model is not None and studio.service.model.sealed.has_text
    beside = ["--text", BESIDE] if reads else []
    return page(
        request,
        "try.html",
        translate("Try it"),
        commands=[command("predict", run, "PHOTO", *beside), command("explain", run, "PHOTO", *beside)],
        error=error,
        used=used,
        answer=found,
        reads=reads,
        text=text,
        most=MOST_CHARACTERS,
    )


def _answer(studio: Studio, model: ServedModel, content: bytes, given: str) -> Answer:
    text = (text_of([given]) or "") if model.sealed.has_text else ""
    prediction = model.answer(content, text).prediction
    words = (
        word_evidence(model.sealed, text, prediction.label) if prediction.label in model.sealed.labels else ()
    )
    shown = Image.fromarray(decode(content, min_side=_PICTURE_PX))
    pixels = decode(content, min_side=model.sealed.size, white_level=model.sealed.white_level)
    view = studio.view if studio.view is not None and studio.view.path == model.path else None
    nearest = [] if view is None else view.nearest(model.sealed, pixels, studio.labels())
    return Answer(prediction, data_uri(shown, _PICTURE_PX), _heat(model, content), nearest, text, words)


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
