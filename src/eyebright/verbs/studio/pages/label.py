"""The page on which images are labelled together, and where labels leave as files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eyebright.data.manifest import joined, parted
from eyebright.errors import ConfigError
from eyebright.labelling.groups import Group, Tile
from eyebright.labelling.label_files import FORMATS, table, write_labels
from eyebright.serving.errors import InvalidBodyError
from eyebright.text.language import translate
from eyebright.verbs.studio.door import person, require_role
from eyebright.verbs.studio.pages.show import command, fragment, go, off_loop, page, post, studio_of

#: Letters that stand for the images of a page.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST_LABEL = 80
_TILE_CHARACTERS = 160
# They have a meaning in tables and as names of folders.
_UNFIT = frozenset('/\\:*?"<>|;')


class LabelsIn(BaseModel):
    """What a page sends: labels by hash, the images left out, and whether others labelled them before."""

    model_config = ConfigDict(extra="forbid")

    labels: dict[str, str]
    later: list[str] = []
    second: bool = False


_LABELS = TypeAdapter(LabelsIn)


@dataclass(frozen=True)
class GroupView:
    """The images to label next, as the page shows them.

    Attributes:
        group: the images; None until features are there.
        classes: in use so far.
        second: whether others labelled the images before.
        images: of the project.
        labelled: of these.
        texts: of the images, by hash, as far as a tile shows them.
        several: whether an image may have several labels.
    """

    group: Group | None
    classes: Sequence[str]
    second: bool
    images: int
    labelled: int
    texts: Mapping[str, str]
    several: bool

    @property
    def tiles(self) -> list[tuple[str, Tile, str, str]]:
        """Return each image with its letter, its guesses as JSON for the page's script, and its text.

        Where there are more images than letters, those that are surest have none.
        """
        found = [] if self.group is None else self.group.tiles
        doubtful = sorted(found, key=lambda tile: tile.probability)[: len(LETTERS)]
        lettered, letters = {tile.sha for tile in doubtful}, iter(LETTERS)
        return [
            (
                next(letters) if tile.sha in lettered else "",
                tile,
                json.dumps(tile.guesses, ensure_ascii=False),
                self.texts.get(tile.sha, ""),
            )
            for tile in found
        ]


async def label(request: Request) -> Response:
    """Show the images to label next."""
    studio = studio_of(request)
    second = request.query_params.get("second") == "1"
    studio.start_features(again=request.query_params.get("again") == "1")
    return page(
        request,
        "label.html",
        translate("Labelling"),
        commands=[command("audit", table(studio.project))],
        written=request.query_params.get("written", ""),
        undone=0,
        shown=await _group(request, second),
    )


async def add(request: Request) -> Response:
    """Take labels; the answer has the images to label next."""
    require_role(request, "label")
    studio = studio_of(request)
    given = _parse(await request.body())
    known = studio.project.classes()
    several = studio.project.multilabel
    rows = [
        (sha, valid_labels(parted(name), known) if several else valid_label(name, known))
        for sha, name in given.labels.items()
    ]
    if unknown := [sha for sha, _ in rows if studio.project.get(sha) is None]:
        raise InvalidBodyError(
            "Labels must be of images of this folder. {image} is not one. Reload the page.", image=unknown[0]
        )
    if rows:
        await off_loop(partial(studio.project.store.add, person(request), rows))
    studio.leave(person(request), given.later)
    return await _next(request, given.second)


async def undo(request: Request) -> Response:
    """Take a person's last labels back."""
    require_role(request, "label")
    studio = studio_of(request)
    images = await off_loop(partial(studio.project.store.undo, person(request)))
    if request.headers.get("accept") == "application/json":
        return JSONResponse({"images": len(images)})
    return await _next(request, request.query_params.get("second") == "1", undone=len(images))


async def write(request: Request) -> Response:
    """Write the labels as files below the studio's folder."""
    require_role(request, "label")
    studio = studio_of(request)
    form = await request.form()
    kind = next((known for known in FORMATS if known == form.get("format")), FORMATS[0])
    path = await off_loop(partial(write_labels, studio.project, kind))
    return go(f"/label?{urlencode({'written': path.relative_to(studio.project.root.parent).as_posix()})}")


def valid_label(name: str, known: Collection[str]) -> str:
    """Return a class's name as it is stored.

    Args:
        name: as a person wrote it.
        known: the classes in use, which may come from a table and have any name.

    Raises:
        ConfigError: it cannot be one.
    """
    if name in known:
        return name
    clean = " ".join(name.split())
    if not clean or len(clean) > _LONGEST_LABEL or not clean.isprintable() or _UNFIT & set(clean):
        raise ConfigError(
            "The name of a class must have 1 to {most} characters and none of {unfit}. Got {name}. Choose "
            "another.",
            most=_LONGEST_LABEL,
            unfit=" ".join(sorted(_UNFIT)),
            name=repr(name[: 2 * _LONGEST_LABEL]),
        )
    return clean


def valid_labels(names: Iterable[str], known: Collection[str]) -> str:
    """Return any number of labels of an image as they are stored, each once.

    Raises:
        ConfigError: one of them cannot be the name of a class.
    """
    return joined({valid_label(name, known) for name in names})


def _parse(body: bytes) -> LabelsIn:
    try:
        return _LABELS.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidBodyError(
            "Labels must be a JSON object of hashes and names. {reason}. Reload the page.",
            reason=first["msg"],
        ) from None


async def _next(request: Request, second: bool, undone: int = 0) -> Response:
    return fragment("group.html", undone=undone, shown=await _group(request, second))


async def _group(request: Request, second: bool) -> GroupView:
    """Return the images to label next."""
    studio = studio_of(request)
    group = await off_loop(partial(studio.next_group, person(request), second))
    labels = studio.labels()
    done = sum(1 for sha in labels if studio.project.get(sha))
    samples = (studio.project.get(tile.sha) for tile in (group.tiles if group else ()))
    texts = {s.sha: _shortened(s.text) for s in samples if s is not None and s.text}
    several = studio.project.multilabel
    return GroupView(group, studio.project.classes(), second, len(studio.project), done, texts, several)


def _shortened(text: str) -> str:
    """Return as much of a text as a tile shows, on one line."""
    line = " ".join(text[: 2 * _TILE_CHARACTERS].split())
    return line if len(line) <= _TILE_CHARACTERS else line[: _TILE_CHARACTERS - 1].rstrip() + "…"


ROUTES = [
    Route("/label", label),
    post("/label", add),
    post("/label/undo", undo),
    post("/label/write", write),
]
