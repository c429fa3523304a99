"""The page on which images are looked at that the labels or the model in use cast doubt on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eyebright.data.manifest import Sample
from eyebright.studio.agreement import agreements
from eyebright.studio.neighbours import Neighbour, nearest_labelled
from eyebright.studio.review import Reason, ReviewItem, doubts, label_errors, queue
from eyebright.text.language import translate
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import person, require
from eyebright.verbs.studio.pages.label import valid_label
from eyebright.verbs.studio.pages.show import command, go, off_loop, page, studio_of


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
    studio = studio_of(request)
    skip = _number(request.query_params.get("skip"))
    studio.start_features()
    items, labels = await off_loop(lambda: _items(studio))
    shown = items[skip] if skip < len(items) else None
    with studio.project.store.reading() as state:
        pairs = agreements(state)
    used = studio.service.run
    return page(
        request,
        "review.html",
        translate("Review"),
        commands=[command("predict", studio.runs_folder / (used or "NAME"), studio.project.root)],
        counts=[(reason_words(reason), count) for reason, count in Counter(i.reason for i in items).items()],
        view=None if shown is None else _view(studio, shown, labels),
        skip=skip,
        left=len(items),
        classes=studio.project.classes(),
        used=used,
        asked=studio.predictions is not None,
        ready=studio.suggester() is not None,
        agreements=pairs,
    )


async def answer(request: Request) -> Response:
    """Take the label of the image that was shown."""
    require(request, "label")
    studio = studio_of(request)
    form = await request.form()
    sha, name = str(form.get("image", "")), valid_label(str(form.get("label", "")))
    if studio.project.get(sha) is not None:
        with studio.project.store.reading() as state:
            disputed = state.disputed(sha)
        action = "decide" if disputed else "label"
        await off_loop(lambda: studio.project.store.add(person(request), [(sha, name)], action))
        studio.reviewed.add(sha)
    return go(f"/review?skip={_number(form.get('skip'))}")


async def ask(request: Request) -> Response:
    """Let the model in use answer for all images."""
    require(request, "label")
    studio = studio_of(request)

    def work() -> str:
        studio.predict_all()
        return "/review"

    studio.jobs.start("review", [], work)
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
        case "unlike":
            return translate("unlike the labelled images")
        case _:
            return translate("the model is in doubt")


def _items(studio: Studio) -> tuple[list[ReviewItem], dict[str, str]]:
    labels = studio.labels()
    with studio.project.store.reading() as state:
        items = [ReviewItem(sha, "disputed", 1.0) for sha in state.images() if state.disputed(sha)]
    suggester = studio.suggester()
    if suggester is not None:
        items += label_errors(suggester.suggest(labels), suggester.features.shas, labels)
    if studio.predictions is not None:
        items += doubts(studio.predictions, labels)
    there = (item for item in items if studio.project.get(item.sha) is not None)
    return queue([i for i in there if i.sha not in studio.reviewed or i.reason == "disputed"]), labels


def _view(studio: Studio, item: ReviewItem, labels: Mapping[str, str]) -> ReviewView | None:
    sample, suggester = studio.project.get(item.sha), studio.suggester()
    if sample is None:
        return None
    nearest = [] if suggester is None else nearest_labelled(suggester.features, item.sha, labels)
    with studio.project.store.reading() as state:
        people = dict(state.by_person(item.sha))
    return ReviewView(
        item, sample, reason_words(item.reason), labels.get(item.sha, ""), people, nearest
    )


ROUTES = [
    Route("/review", review),
    Route("/review", answer, methods=["POST"]),
    Route("/review/ask", ask, methods=["POST"]),
]
