"""The backend that Label Studio asks for predictions: its tasks in, its results out.

Label Studio names an image by an address. Nothing is ever fetched: an image must be in the task itself, as a
`data:` address, or lie below a folder that was named when the service was started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from eyebright.data.header import read_image
from eyebright.errors import EyebrightError, ImageError
from eyebright.serving.bodies import from_base64
from eyebright.serving.errors import InvalidBodyError
from eyebright.serving.registry import Slot
from eyebright.serving.served_model import AnsweredImage, ServedModel
from eyebright.serving.service import Service
from eyebright.types import Json, JsonObject, Prediction

_MOST_CONFIG = 100_000  # characters


class TaskIn(BaseModel):
    """A task of Label Studio, as far as it is read."""

    id: int | None = None
    data: dict[str, object]


class TasksIn(BaseModel):
    """What Label Studio asks: tasks to be predicted, and how its project is labelled."""

    model_config = ConfigDict(extra="allow")

    tasks: list[TaskIn]
    label_config: str | None = None


class SetupIn(BaseModel):
    """What Label Studio tells when a backend is connected."""

    model_config = ConfigDict(extra="allow")

    label_config: Annotated[str | None, Field(alias="schema")] = None


class ResultOut(BaseModel):
    """The choices for one image, under the names of the project's labelling configuration."""

    from_name: str
    to_name: str
    type: str
    value: dict[str, list[str]]


class TaskOut(BaseModel):
    """A task's prediction; without results where its image cannot be read or shows none of the choices."""

    result: list[ResultOut]
    score: float
    model_version: str


class TasksOut(BaseModel):
    """What Label Studio gets: a prediction a task, in their order."""

    results: list[TaskOut]
    model_version: str


class SetupOut(BaseModel):
    """The model that will answer."""

    model_version: str


@dataclass(frozen=True)
class LabelConfig:
    """What a labelling configuration says of choices for an image.

    Attributes:
        from_name: of the choices.
        to_name: of the image.
        key: of a task's data, where the image is; None for the first that holds one.
        choices: that may be given; None for any.
    """

    from_name: str = "choice"
    to_name: str = "image"
    key: str | None = None
    choices: frozenset[str] | None = None

    @classmethod
    def read(cls, text: str | None) -> LabelConfig:
        """Read the XML of a project; without one, Label Studio's usual names are taken.

        Raises:
            InvalidBodyError: it is no such XML, or has no choices for an image.
        """
        if not text:
            return cls()
        # Entities can be nested until they fill the memory; a labelling configuration has none.
        if len(text) > _MOST_CONFIG or "<!" in text.replace("<!--", ""):
            raise _unusable("it is too long, or declares entities")
        try:
            tree = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            raise _unusable(str(error)) from None
        images = {node.get("name"): node.get("value", "").lstrip("$") or None for node in tree.iter("Image")}
        for node in tree.iter("Choices"):
            name, to_name = node.get("name"), node.get("toName")
            if name and to_name in images and to_name:
                values = (choice.get("alias") or choice.get("value") for choice in node.iter("Choice"))
                choices = frozenset(value for value in values if value)
                return cls(name, to_name, images[to_name], choices or None)
        raise _unusable("it has no Choices for an Image")

    def fitting(self, label: str) -> str | None:
        """Return the choice that stands for a class, whatever its case; None if there is none."""
        if self.choices is None or label in self.choices:
            return label
        return next(
            (choice for choice in sorted(self.choices) if choice.casefold() == label.casefold()), None
        )

    def image(self, data: Mapping[str, object]) -> str:
        """Return where a task's image is.

        Raises:
            ImageError: the task has none.
        """
        names = [self.key] if self.key else list(data)
        found = next((data[name] for name in names if isinstance(data.get(name), str)), None)
        if found is None:
            raise ImageError(
                "A task must have an image. This one has none. Check the labelling configuration."
            )
        return str(found)


def is_tasks(body: bytes) -> bool:
    """Return whether a JSON body is Label Studio's."""
    try:
        content = from_json(body)
    except ValueError:  # whoever reads it tells what is wrong with it
        return False
    return isinstance(content, dict) and "tasks" in content


def version(slot: Slot, model: ServedModel) -> str:
    """Return what Label Studio shows as the model's version."""
    return f"{slot.name} {model.version}"


async def answer_tasks(service: Service, slot: Slot, request: TasksIn) -> JsonObject:
    """Return the content of :class:`TasksOut`.

    A task whose image cannot be read gets no result, and the log says why: the others are answered.
    """
    service.require_count(len(request.tasks))
    config = LabelConfig.read(request.label_config)
    images = [_image(service, config, task) for task in request.tasks]
    model, answers = await service.predict(slot, [image for image in images if isinstance(image, bytes)])
    waiting = iter(answers)
    results: list[JsonObject] = []
    for task, image in zip(request.tasks, images, strict=True):
        answer = next(waiting) if isinstance(image, bytes) else image
        if isinstance(answer, AnsweredImage):
            results.append(_result(config, answer.prediction, version(slot, model)))
        else:
            service.log.write("task without prediction", task=task.id, reason=str(answer))
            results.append({"result": [], "score": 0.0, "model_version": version(slot, model)})
    return {"results": results, "model_version": version(slot, model)}


def _result(config: LabelConfig, prediction: Prediction, model_version: str) -> JsonObject:
    named = prediction.labels[:1] if prediction.named is None else prediction.named
    choices = [choice for label in named if (choice := config.fitting(label)) is not None]
    result: Sequence[Json] = [
        {
            "from_name": config.from_name,
            "to_name": config.to_name,
            "type": "choices",
            "value": {"choices": choices},
        }
    ]
    return {
        "result": result if choices and not prediction.unknown else [],
        "score": prediction.confidence,
        "model_version": model_version,
    }


def _image(service: Service, config: LabelConfig, task: TaskIn) -> bytes | EyebrightError:
    try:
        address = config.image(task.data)
        if address.startswith("data:"):
            return from_base64(address)
        return read_image(_local(address, service.settings.images_root))
    except EyebrightError as error:
        return error


def _local(address: str, root: Path | None) -> Path:
    """Return the file that an address of Label Studio stands for, below ``root``.

    Raises:
        ImageError: there is no folder for such files, or the address leads elsewhere.
    """
    parts = urlsplit(address)
    if root is None or parts.scheme or parts.netloc:
        raise ImageError(
            "An image must be in the task itself, or below the folder of --images-root. {address} is not, "
            "and nothing is fetched. Use local storage, and name its folder.",
            address=address[:200],
        )
    named = parse_qs(parts.query).get("d", [""])[0]  # /data/local-files/?d=photos/a.jpg
    path = unquote(named or parts.path.removeprefix("/data/"))
    found = (root / path.lstrip("/")).resolve() if "\0" not in path else root
    if not found.is_relative_to(root.resolve()) or found == root.resolve():
        raise ImageError(
            "An image of a task must lie below {root}. {address} does not. Check the storage of the project.",
            root=root,
            address=address[:200],
        )
    return found


def _unusable(reason: str) -> InvalidBodyError:
    return InvalidBodyError(
        "The labelling configuration must have Choices for an Image. It cannot be used: {reason}. Choose the "
        "template for image classification.",
        reason=reason,
    )
