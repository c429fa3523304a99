"""The page on which images are looked at that the labels or the model in use cast doubt on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eyebright.data.manifest import Sample
from eyebright.errors import DataError
from eyebright.labelling.agreement import agreements
from eyebright.labelling.label_state import Action
from eyebright.labelling.neighbours import Neighbour, nearest_labelled
from eyebright.labelling.review import Reason, ReviewItem, queue
from eyebright.labelling.review_list import ReviewList
from eyebright.runtime.atomic import storage_errors
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import person, require_role
from eyebright.verbs.studio.pages.label import valid_label, valid_labels
from eyebright.verbs.studio.pages.show import command, go, off_loop, page, post, studio_of

_MOST_LIST_BYTES, _LONGEST_NAME = 32 * 2**20, 120


@dataclass(frozen=True)
class ReviewView:
    """An image to look at, with what is known of it."""

    item: ReviewItem
    sample: Sample
    why: str
    label: str
    people: Mapping[str, str]
    nearest: Sequence[Neighbour]


async def review(request: Request) -> Response:
    """Show the next image of the queue."""
    return _page(request)


def _page(request: Request, error: str = "") -> Response:
    studio = studio_of(request)
    skip = _number(request.query_params.get("skip"))
    if studio.doubtful is None:
        studio.start_review(again=request.query_params.get("again") == "1")
    items, labels = _items(studio), studio.labels()
    shown = items[skip] if skip < len(items) else None
    with studio.project.store.reading() as state:
        pairs = agreements(state)
    used = studio.service.run
    return page(
        request,
        "review.html",
        translate("Review"),
        commands=[
            command("predict", studio.runs_folder / (used or "NAME"), studio.project.root),
            command("studio", studio.project.root, "--queue", "LIST.csv"),
        ],
        counts=[(reason_words(reason), count) for reason, count in Counter(i.reason for i in items).items()],
        view=None if shown is None else _view(studio, shown, labels),
        skip=skip,
        left=len(items),
        classes=studio.project.classes(),
        several=studio.project.multilabel,
        chosen=() if shown is None else studio.project.names(labels.get(shown.sha, "")),
        used=used,
        error=error,
        listed=_number(request.query_params.get("listed")),
        missing=_number(request.query_params.get("missing")),
        looked=studio.doubtful is not None,
        agreements=pairs,
    )


async def answer(request: Request) -> Response:
    """Take the label of the image that was shown."""
    require_role(request, "label")
    studio = studio_of(request)
    form = await request.form()
    sha, names, known = str(form.get("image", "")), form.getlist("label"), studio.project.classes()
    if studio.project.multilabel:
        name = valid_labels(map(str, names), known)
    else:
        name = valid_label(str(names[0]) if names else "", known)
    if studio.project.get(sha) is not None:
        with studio.project.store.reading() as state:
            disputed = state.disputed(sha)
        action: Action = "decide" if disputed else "label"
        await off_loop(lambda: studio.project.store.add(person(request), [(sha, name)], action))
        await off_loop(lambda: studio.looked_at(sha))
    return go(f"/review?skip={_number(form.get('skip'))}")


async def take_list(request: Request) -> Response:
    """Put the images of a list into the queue."""
    require_role(request, "label")
    studio = studio_of(request)
    path = studio.project.folder / f".{uuid4().hex}.csv.tmp"
    async with request.form(max_files=1) as form:
        upload = form.get("list")
        content = await upload.read() if isinstance(upload, UploadFile) else b""

    def work() -> ReviewList:
        try:
            with storage_errors(path):
                path.write_bytes(content)
            return studio.take_review_list(path, studio.project.root)
        finally:
            path.unlink(missing_ok=True)

    try:
        found = await off_loop(work)
    except DataError as error:
        name = _file_name(upload)
        return _page(request, error.text().replace(str(path), name).replace(path.name, name))
    return go(f"/review?listed={len(found.items)}&missing={len(found.missing)}")


def _file_name(upload: object) -> str:
    """Return the name of a file as a person knows it."""
    return printable((isinstance(upload, UploadFile) and upload.filename) or "CSV")[:_LONGEST_NAME]


async def look(request: Request) -> Response:
    """Look for doubtful images again."""
    require_role(request, "label")
    studio_of(request).start_review(again=True)
    return go("/review")


def _number(text: object) -> int:
    """Return a number that an address or a form says, or 0."""
    digits = str(text)[:9]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def reason_words(reason: Reason) -> str:
    """Return why an image is in the queue."""
    match reason:
        case "disputed":
            return translate("labelled differently")
        case "label_error":
            return translate("label suspected to be wrong")
        case "unknown":
            return translate("unknown to the model")
        case "drifted":
            return translate("unlike what came before")
        case "listed":
            return translate("on a list")
        case "unlike":
            return translate("unlike the labelled images")
        case _:
            return translate("the model is in doubt")


def _items(studio: Studio) -> list[ReviewItem]:
    """Return what is still to be looked at."""
    with studio.project.store.reading() as state:
        items = [ReviewItem(sha, "disputed", 1.0) for sha in state.images() if state.disputed(sha)]
    found = (*studio.listed, *(studio.doubtful or ()))
    items += [item for item in found if item.sha not in studio.reviewed]
    return queue([item for item in items if studio.project.get(item.sha) is not None])


def _view(studio: Studio, item: ReviewItem, labels: Mapping[str, str]) -> ReviewView | None:
    sample, suggester = studio.project.get(item.sha), studio.suggester()
    if sample is None:
        return None
    nearest = [] if suggester is None else nearest_labelled(suggester.features, item.sha, labels)
    with studio.project.store.reading() as state:
        people = dict(state.by_person(item.sha))
    return ReviewView(item, sample, reason_words(item.reason), labels.get(item.sha, ""), people, nearest)


ROUTES = [
    Route("/review", review),
    post("/review", answer),
    post("/review/look", look),
    post("/review/list", take_list, _MOST_LIST_BYTES),
]
