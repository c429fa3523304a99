"""From the body of a request to images: a file as it is, a form with many, or JSON with base64."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from eyebright.data.texts import MOST_CHARACTERS
from eyebright.runtime.stored import Value, parse_json
from eyebright.serving.errors import InvalidBodyError, MediaTypeError, SlowBodyError
from eyebright.serving.service import Service

_FORM, _JSON = "multipart/form-data", "application/json"
# What programs send with a file as the body; the last is curl's, where nothing else is said.
_RAW = frozenset({"", "application/octet-stream", "application/dicom", "application/x-www-form-urlencoded"})


@dataclass(frozen=True)
class NamedImage:
    """An encoded image of a request, what the request calls it, and its text."""

    content: bytes
    name: str | None = None
    text: str = ""


class ImagesIn(BaseModel):
    """Images as JSON, one or several: each as base64, with or without `data:…;base64,` before it.

    `text`, or `texts` of as many, are read beside them by a model that reads texts.
    """

    model_config = ConfigDict(extra="forbid")

    image: str | None = None
    images: list[str] = []
    text: str | None = None
    texts: list[str] = []


_IMAGES = TypeAdapter(ImagesIn)


class _InMemoryParser(MultiPartParser):
    """A parser that writes nothing to disk: bodies are limited, and memory for them is held."""

    spool_max_size = 0  # a spooled file without a limit


def media_type(request: Request) -> str:
    """Return the type of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().casefold()


async def read_body(request: Request, service: Service) -> bytes:
    """Return the whole body.

    Raises:
        SlowBodyError: it does not arrive in time.
    """
    try:
        async with asyncio.timeout(service.settings.body_seconds):
            return await request.body()
    except TimeoutError:
        raise _slow(service) from None


async def read_images(request: Request, service: Service) -> list[NamedImage]:
    """Return the images of a request in their order.

    Raises:
        MediaTypeError: the body is of no type that holds images.
        InvalidBodyError: there is no image in it, or it is not what its type says.
        TooLargeError: there are too many.
        SlowBodyError: it does not arrive in time.
    """
    kind = media_type(request)
    if kind == _FORM:
        images = await _form(request, service)
    elif kind == _JSON:
        images = json_images(await read_body(request, service))
    elif kind in _RAW or kind.startswith("image/"):
        images = [NamedImage(await read_body(request, service))]
    else:
        raise MediaTypeError(
            "A body must be an image, a form with images (multipart/form-data) or JSON. It is {kind}. Send "
            "it as one of these.",
            kind=kind,
        )
    service.require_count(len(images))
    if not images or not all(image.content for image in images):
        raise InvalidBodyError(
            "The body must hold at least one image, and none of them empty. Send the image as the body, as a "
            "file of a form, or as base64 in JSON."
        )
    return images


async def _form(request: Request, service: Service) -> list[NamedImage]:
    limits = service.settings
    parser = _InMemoryParser(
        request.headers,
        request.stream(),
        max_files=limits.max_images,
        max_fields=limits.max_images,
        max_part_size=limits.max_body_bytes,
    )
    try:
        async with asyncio.timeout(limits.body_seconds):
            form = await parser.parse()
    except TimeoutError:
        raise _slow(service) from None
    except MultiPartException as error:
        raise InvalidBodyError(
            "The body must be a form of files. It is not: {reason} Send each image as a file of the form.",
            reason=error.message,
        ) from None
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        images = [NamedImage(await file.read(), file.filename or None) for file in files]
        texts = [value for name, value in form.multi_items() if name == "text" and isinstance(value, str)]
        return with_texts(images, texts)
    finally:
        await form.close()


def json_images(body: bytes) -> list[NamedImage]:
    """Return the images of a JSON body.

    Raises:
        InvalidBodyError: it has another form, or an image is not base64.
    """
    found = parsed(_IMAGES, body)
    encoded = found.images if found.image is None else [found.image, *found.images]
    texts = found.texts if found.text is None else [found.text, *found.texts]
    return with_texts([NamedImage(from_base64(image)) for image in encoded], texts)


def with_texts(images: Sequence[NamedImage], texts: Sequence[str]) -> list[NamedImage]:
    """Return images with their texts, in their order.

    Raises:
        InvalidBodyError: there are texts, but not one for each image, or one is longer than any is read.
    """
    if not texts:
        return list(images)
    if len(texts) != len(images):
        raise InvalidBodyError(
            "There must be one text for each image, or none. There are {texts} for {count:image|images}. "
            "Send as many, empty ones where an image has none.",
            texts=len(texts),
            count=len(images),
        )
    if any(len(text) > MOST_CHARACTERS for text in texts):
        raise InvalidBodyError(
            "A text may have up to {most} characters. One has {count}. Shorten it.",
            most=MOST_CHARACTERS,
            count=max(map(len, texts)),
        )
    return [replace(image, text=text) for image, text in zip(images, texts, strict=True)]


def parsed(kind: TypeAdapter[Value], body: bytes) -> Value:
    """Return a JSON body, checked.

    Raises:
        InvalidBodyError: it is not what it must be; the text says where.
    """
    try:
        return parse_json(kind, body)
    except ValueError as error:
        raise InvalidBodyError(
            "The body must be JSON as /openapi.json describes it. It is not: {reason}. Correct it.",
            reason=error,
        ) from None


def from_base64(text: str) -> bytes:
    """Return what base64 stands for.

    Raises:
        InvalidBodyError: it is none.
    """
    encoded = text.partition(";base64,")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidBodyError(
            "An image in JSON must be base64. {start} is not. Encode the file's bytes.",
            start=repr(text[:20]),
        ) from None


def declared_bytes(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Return the length of a body by its header; None where it is open."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
        if name == b"transfer-encoding":
            return None
    return 0


def _slow(service: Service) -> SlowBodyError:
    return SlowBodyError(
        "A body must arrive within {seconds} s. This one did not. Send smaller images, or fewer at once.",
        seconds=f"{service.settings.body_seconds:g}",
    )
