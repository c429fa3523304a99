"""The first page: what images there are, and how more arrive; and every image as a thumbnail."""

from __future__ import annotations

import io
import json
from collections import Counter
from functools import lru_cache, partial
from pathlib import Path
from uuid import uuid4

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eyebright.data.decode import open_rgb
from eyebright.data.header import read_image
from eyebright.data.storage.base import MOST_UNPACKED_BYTES
from eyebright.errors import EyebrightError, ImageError, NotFoundError
from eyebright.labelling.intake import Arrived
from eyebright.runtime.atomic import storage_errors
from eyebright.serving.errors import InvalidBodyError
from eyebright.text.language import translate
from eyebright.types import Skipped
from eyebright.verbs.studio.door import person, remember, require_role
from eyebright.verbs.studio.pages.show import command, go, off_loop, page, post, studio_of

_MOST_FILES, _MOST_HASHES = 1000, 2000
_MOST_REQUEST_BYTES = 512 * 2**20
_SIDES = {"small": 192, "large": 960}
_QUALITY = 80
_SHOWN_REFUSED = 20
_LONGEST_NAME = 120


async def images(request: Request) -> Response:
    """Show what images there are."""
    studio = studio_of(request)
    labels = studio.labels()
    known = [label for sha, label in labels.items() if studio.project.get(sha)]
    counts = Counter(name for label in known for name in studio.project.names(label))
    return page(
        request,
        "images.html",
        translate("Images"),
        commands=[command("train", studio.project.root)],
        images=len(studio.project),
        labelled=len(known),
        counts=sorted(counts.items()),
        most=max(counts.values(), default=0),
        folders=sorted(Counter(studio.project.folder_labels().values()).items()),
        texts=sum(bool(sample.text) for sample in studio.project.samples),
        refused=[_refused(entry) for entry in (*studio.refused.values(), *studio.unreadable)],
        skipped=[_refused(entry) for entry in studio.project.skipped],
    )


async def missing(request: Request) -> Response:
    """Tell which of some SHA-256 hashes belong to files that have not arrived."""
    require_role(request, "label")
    digests = await _json_list(request)
    return JSONResponse(await off_loop(partial(studio_of(request).intake.missing, digests)))


async def add(request: Request) -> Response:
    """Take photographs; a script gets figures, a form the page."""
    require_role(request, "label")
    studio = studio_of(request)
    async with request.form(max_files=_MOST_FILES) as form:
        files = [
            (upload.filename, await upload.read())
            for upload in form.getlist("files")
            if isinstance(upload, UploadFile) and upload.filename  # an input without a file has no name
        ]
    arrived = await off_loop(partial(studio.intake.take, files))
    studio.took([name for name, _ in files], arrived.refused)
    return _answer(request, arrived)


async def add_zip(request: Request) -> Response:
    """Take an archive, which is written to disk as it comes."""
    require_role(request, "label")
    studio = studio_of(request)
    path = studio.project.folder / f".{uuid4().hex}.zip.tmp"
    name = request.query_params.get("name", "archive.zip")[:_LONGEST_NAME]

    def work() -> str:
        try:
            arrived = studio.intake.take_zip(path, name)
        finally:
            path.unlink(missing_ok=True)
        studio.took((), arrived.refused)
        return "/"

    try:
        with storage_errors(path), path.open("wb") as file:
            async for chunk in request.stream():
                await off_loop(partial(file.write, chunk))
        studio.jobs.start("unpack", [], work)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _answer(request, Arrived())


def _answer(request: Request, arrived: Arrived) -> Response:
    if request.headers.get("accept") != "application/json":
        return go("/")
    return JSONResponse(
        {
            "new": arrived.new,
            "known": arrived.known,
            "texts": arrived.texts,
            "refused": [_refused(entry) for entry in arrived.refused[:_SHOWN_REFUSED]],
            "refused_count": len(arrived.refused),
        }
    )


def _refused(entry: Skipped) -> str:
    return f"{entry.path}: {translate(entry.reason, **entry.reason_values)}"


async def take_folder_names(request: Request) -> Response:
    """Label the images that arrived in folders with the folders' names."""
    require_role(request, "label")
    studio = studio_of(request)
    names = studio.project.folder_labels()
    if names:
        await off_loop(partial(studio.project.store.add, person(request), list(names.items())))
    return go("/")


async def picture(request: Request) -> Response:
    """Return an image of the project, made small."""
    studio = studio_of(request)
    sample = studio.project.get(request.path_params["sha"])
    side = _SIDES.get(request.path_params["size"])
    if sample is None or side is None:
        return Response(status_code=404)
    try:
        content = await off_loop(partial(_small, studio.project.path(sample), sample.sha, side))
    except (ImageError, NotFoundError):
        return Response(status_code=404)
    # The address names the content, so it never changes.
    headers = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(content, media_type="image/jpeg", headers=headers)


@lru_cache(maxsize=4096)
def _small(path: Path, sha: str, side: int) -> bytes:
    image = open_rgb(read_image(path, sha), min_side=side)
    image.thumbnail((side, side))
    image.info.clear()  # nothing of the original's metadata leaves with it
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


async def settings(request: Request) -> Response:
    """Remember the language or the name that a person chose."""
    form = await request.form()
    name, language = form.get("name"), form.get("language")
    answer = go(_inside(form.get("back")))
    return remember(
        answer,
        language=language if isinstance(language, str) else None,
        name=name if isinstance(name, str) else None,
    )


def _inside(path: object) -> str:
    """Return an address of the studio, whatever a form says."""
    text = str(path or "/")
    return text if text.startswith("/") and not text.startswith(("//", "/\\")) else "/"


async def _json_list(request: Request) -> list[str]:
    try:
        found = json.loads(await request.body())
    except ValueError as error:
        raise _not_hashes() from error
    if not isinstance(found, list) or len(found) > _MOST_HASHES or not all(isinstance(x, str) for x in found):
        raise _not_hashes()
    return found


def _not_hashes() -> EyebrightError:
    return InvalidBodyError(
        "The body must be a JSON list of at most {count} hashes. It is not. Send fewer.", count=_MOST_HASHES
    )


ROUTES = [
    Route("/", images),
    post("/images/missing", missing),
    post("/images", add, _MOST_REQUEST_BYTES),
    post("/images/zip", add_zip, MOST_UNPACKED_BYTES),
    post("/images/labels", take_folder_names),
    Route("/picture/{size}/{sha}", picture),
    post("/settings", settings),
]
