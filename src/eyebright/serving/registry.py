"""The models in service by name: replaced without a lost request, taken back, and tried out in the shadow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from eyebright.errors import ConfigError, nearest
from eyebright.serving.errors import ConflictError, ForbiddenError, UnknownModelError
from eyebright.serving.hooks import ObserverMaker, Watching
from eyebright.serving.served_model import AnsweredImage, ServedModel
from eyebright.types import ImageLike


@dataclass
class ShadowFigures:
    """How a second model's answers, which nobody is shown, compare with those that are given.

    Attributes:
        images: that both answered.
        same_answer: on how many both gave the same answer.
        largest_difference: of any probability; 0 of models with other classes.
        skipped: images that it was not asked about, because there was too much to do.
    """

    images: int = 0
    same_answer: int = 0
    largest_difference: float = 0.0
    skipped: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, same: bool, difference: float) -> None:
        """Count an image that both answered."""
        with self._lock:
            self.images += 1
            self.same_answer += same
            self.largest_difference = max(self.largest_difference, difference)


class Slot:
    """A name, the model that answers under it, the one before it, and one in its shadow.

    A request takes the active model once and keeps it, so that a replacement changes no answer under way.

    Args:
        name: in addresses.
        model: that answers.
    """

    def __init__(self, name: str, model: ServedModel) -> None:
        self.name = name
        self.active = model
        self.previous: ServedModel | None = None
        self.shadow: ServedModel | None = None
        self.shadow_figures = ShadowFigures()
        self.changing = asyncio.Lock()

    def replace(self, model: ServedModel) -> ServedModel | None:
        """Let another model answer; the present one is kept, one step back.

        Returns:
            The model that was one step back, which is not kept any more.
        """
        dropped, self.previous, self.active = self.previous, self.active, model
        return dropped

    def roll_back(self) -> None:
        """Exchange the active model and the one before it.

        Raises:
            ConflictError: there was none before it.
        """
        if self.previous is None:
            raise ConflictError(
                "There must be an earlier model to go back to. {name} was not replaced since the service "
                "started. Replace it first.",
                name=self.name,
            )
        self.previous, self.active = self.active, self.previous

    def set_shadow(self, model: ServedModel | None) -> None:
        """Try a model out, or end that; the figures begin anew."""
        self.shadow = model
        self.shadow_figures = ShadowFigures()

    def take_shadow(self) -> ServedModel:
        """Return the shadow, which then is none any more.

        Raises:
            ConflictError: there is none.
        """
        if self.shadow is None:
            raise ConflictError(
                "There must be a shadow to be promoted. {name} has none. Name one first.", name=self.name
            )
        shadow = self.shadow
        self.set_shadow(None)
        return shadow


def compare_shadow(
    model: ServedModel,
    shadow: ServedModel,
    figures: ShadowFigures,
    source: ImageLike,
    text: str,
    given: AnsweredImage,
) -> None:
    """Let a shadow answer an image as well, and count whether it answers alike.

    Args:
        model: that answered.
        shadow: that answers silently.
        figures: of the shadow.
        source: the image.
        text: beside it; empty where there is none.
        given: the answer of the model.
    """
    other = shadow.answer(source, text)
    same = all(
        getattr(other.prediction, name) == getattr(given.prediction, name) for name in ("label", "unknown")
    )
    difference = 0.0
    if shadow.sealed.labels == model.sealed.labels:
        difference = float(np.abs(other.answered.probabilities - given.answered.probabilities).max())
    figures.add(same, difference)


class Registry:
    """All slots of a service.

    Args:
        models: by name.
        make_observer: gives each model that is put into service its observer.
    """

    def __init__(self, models: dict[str, ServedModel], make_observer: ObserverMaker | None = None) -> None:
        self._slots = {name: Slot(name, model) for name, model in models.items()}
        self._make_observer = make_observer
        # Whoever may replace models may not read the whole disk: runs lie beside those that are served.
        self._folders = {_run(model.path).parent for model in models.values()}
        for slot in self:
            self._watch(slot.name, slot.active)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def get(self, name: str | None) -> Slot:
        """Return a slot; the first without a name.

        Raises:
            UnknownModelError: no model has that name.
        """
        if name is None:
            return next(iter(self))
        if name not in self._slots:
            raise UnknownModelError(
                "The model must be one that is served. There is no {name}; the closest are: {nearest}. "
                "`GET /models` lists them.",
                name=name,
                nearest=nearest(name, self._slots),
            )
        return self._slots[name]

    @property
    def callers(self) -> int:
        """Return how many threads keep every core at work."""
        return max(slot.active.predictor.callers for slot in self)

    async def load(self, slot: Slot, run: str | None) -> ServedModel:
        """Load and check a model, while the present one goes on answering.

        Args:
            slot: for which.
            run: a directory beside those that are served; None for what lies where the present model was.

        Raises:
            ForbiddenError: the directory lies elsewhere.
            EyebrightError: it holds no model that can be served.
        """
        path = slot.active.path if run is None else self._beside(slot, run)
        return await asyncio.to_thread(ServedModel, path)

    async def activate(self, slot: Slot, model: ServedModel) -> None:
        """Let another model answer from now on, and end what watched the one that is not kept."""
        self._watch(slot.name, model)
        dropped = slot.replace(model)
        if dropped is not None:
            await asyncio.to_thread(dropped.close)

    def close(self) -> None:
        """End all observers."""
        for slot in self:
            for model in (slot.active, slot.previous, slot.shadow):
                if model is not None:
                    model.close()

    def _beside(self, slot: Slot, run: str) -> Path:
        path = _run(slot.active.path).parent / run.replace("\0", "")
        if _run(path).parent not in self._folders:
            raise ForbiddenError(
                "A run that replaces another must lie beside one that is served. {run} does not. Move it "
                "there, or start the service with it.",
                run=run,
            )
        return path

    def _watch(self, name: str, model: ServedModel) -> None:
        observer = self._make_observer(name, model.sealed) if self._make_observer else None
        model.watching = Watching(observer) if observer else None


def _run(path: Path) -> Path:
    """Return the directory of a run, of which a path is the directory or its model."""
    resolved = path.resolve()
    return resolved.parent if resolved.suffix == ".onnx" else resolved


def named_models(given: Sequence[str]) -> dict[str, Path]:
    """Return paths of models by the names under which they are served.

    Args:
        given: paths of runs or models, or NAME=PATH.

    Raises:
        ConfigError: two have the same name, or one cannot stand in an address.
    """
    found: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or "/" in name:
            path = text
            name = _run(Path(path)).name
        if not name or not all(character.isalnum() or character in "-_." for character in name):
            raise ConfigError(
                "The name of a model must have letters, digits, - _ and . only. Got {name}. Name it "
                "yourself: NAME={path}.",
                name=repr(name),
                path=path,
            )
        if name in found:
            raise ConfigError(
                "Each model must have a name of its own. {name} is that of two. Name one yourself: "
                "NAME={path}.",
                name=name,
                path=path,
            )
        found[name] = Path(path)
    return found
