"""What all routes share: the models, the threads, the limits, the tokens, the figures and the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.data.header import open_image
from eyebright.errors import EyebrightError, ImageError, ModelError
from eyebright.serving.errors import InvalidBodyError, OverloadedError, TooLargeError, UnavailableError
from eyebright.serving.metrics import Labels, ServiceMetrics
from eyebright.serving.registry import Registry, Slot, compare_shadow
from eyebright.serving.request_log import RequestLog
from eyebright.serving.security import Tokens
from eyebright.serving.served_model import AnsweredImage, ServedModel
from eyebright.serving.workers import Workers
from eyebright.types import UInt8Array

#: An image of a request: an encoded file, or pixels (H, W, 3).
Source: TypeAlias = bytes | UInt8Array

# An engine that failed is asked again so often.
_CHECK_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """The limits of a service.

    Attributes:
        deadline_seconds: within which an admitted image is answered.
        max_body_bytes: of one request.
        max_images: of one request.
        max_pixels: of one image.
        held_bytes: of all bodies at once.
        body_seconds: within which a body must arrive.
        hosts: names besides localhost and addresses that requests may be sent to.
        images_root: where files lie that Label Studio names; None where it may name none.
    """

    deadline_seconds: float = 2.0
    max_body_bytes: int = 32 * 2**20
    max_images: int = 256
    max_pixels: int = 50_000_000
    held_bytes: int = 512 * 2**20
    body_seconds: float = 60.0
    hosts: frozenset[str] = frozenset()
    images_root: Path | None = None


class Service:
    """A running service; the routes find it as ``request.app.state.service``.

    Args:
        registry: the models.
        settings: the limits.
        tokens: None where everybody on this machine may view, and nobody may change anything.
        log: of requests.
    """

    def __init__(
        self, registry: Registry, settings: ServiceSettings, tokens: Tokens | None, log: RequestLog
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.tokens = tokens
        self.log = log
        self.metrics = ServiceMetrics()
        seconds = max(slot.active.seconds for slot in registry)
        self.workers = Workers(registry.callers, seconds, settings.deadline_seconds)
        self._held = 0

    @contextmanager
    def room_for(self, declared_bytes: int | None) -> Iterator[None]:
        """Admit a request before its body is read, and hold memory for that body.

        Args:
            declared_bytes: by the header Content-Length; None where the length is open.

        Raises:
            OverloadedError: there is more to do than can be answered in time, or no memory for the body.
        """
        self.workers.admit()
        size = self.settings.max_body_bytes if declared_bytes is None else declared_bytes
        if self._held + size > max(self.settings.held_bytes, self.settings.max_body_bytes):
            refused = OverloadedError(
                "Bodies that are being received must fit into {limit} MB together. They fill it. Try again "
                "later.",
                limit=self.settings.held_bytes >> 20,
            )
            refused.retry_after_seconds = 1
            raise refused
        self._held += size
        try:
            yield
        finally:
            self._held -= size

    def require_count(self, count: int) -> None:
        """Refuse a request with too many images.

        Raises:
            TooLargeError: it has more than the service takes at once.
        """
        if count > self.settings.max_images:
            raise TooLargeError(
                "A request must have at most {limit} images. It has {count}. Send several requests.",
                limit=self.settings.max_images,
                count=count,
            )

    def require_pixels(self, width: int, height: int) -> None:
        """Refuse an image with too many pixels.

        Raises:
            TooLargeError: it has more than the service decodes.
        """
        if width * height > self.settings.max_pixels:
            raise TooLargeError(
                "An image must have at most {limit} million pixels. This one has {width} × {height}, so it "
                "was not decoded. Downscale it.",
                limit=f"{self.settings.max_pixels / 1e6:g}",
                width=width,
                height=height,
            )

    async def predict(
        self, slot: Slot, sources: Sequence[Source], texts: Sequence[str] = ()
    ) -> tuple[ServedModel, list[AnsweredImage | EyebrightError]]:
        """Answer images by the active model of a slot.

        Of one request no more images wait than there are threads, so that others get their turn.

        Args:
            slot: of the model.
            sources: the images.
            texts: one an image, for a model that reads texts; none without.

        Returns:
            The model that answered, and for each image its answer, or why there is none.

        Raises:
            UnavailableError: the engine does not answer.
        """
        model = slot.active
        if model.failure is not None:
            raise _unavailable(model.failure)
        gate = asyncio.Semaphore(self.workers.count)

        given = list(texts) or [""] * len(sources)
        if any(given) and not model.sealed.has_text:
            raise InvalidBodyError(
                "A text can be sent only to a model that reads texts. {name} reads images only. Leave "
                "the text out.",
                name=slot.name,
            )

        async def one(source: Source, text: str) -> AnsweredImage | EyebrightError:
            async with gate:
                return await self.workers.run(partial(self._answer, slot, model, source, text))

        answers = await asyncio.gather(*map(one, sources, given))
        for source, text, answer in zip(sources, given, answers, strict=True):
            if isinstance(answer, AnsweredImage):
                self._count(slot, answer)
                self._shadow(slot, model, source, text, answer)
        return model, list(answers)

    def _answer(
        self, slot: Slot, model: ServedModel, source: Source, text: str
    ) -> AnsweredImage | EyebrightError:
        """Answer one image, in a thread of the workers."""
        start = time.perf_counter()
        try:
            self.check_pixels(source)
            answer = model.answer(source, text)
        except (ImageError, TooLargeError) as error:
            return error
        except ModelError as error:
            raise _unavailable(str(error)) from error
        self.metrics.inference.add(time.perf_counter() - start, model=slot.name)
        return answer

    def check_pixels(self, source: Source) -> None:
        """Refuse an image with too many pixels, before any is decoded.

        Raises:
            TooLargeError: it has.
        """
        if isinstance(source, np.ndarray):
            self.require_pixels(source.shape[1], source.shape[0])
            return
        with suppress(ImageError):  # the decoder tells what is wrong, or mends it
            self.require_pixels(*open_image(BytesIO(source)).size)

    def _count(self, slot: Slot, answer: AnsweredImage) -> None:
        prediction = answer.prediction
        for label in prediction.labels[:1] if prediction.named is None else prediction.named:
            self.metrics.predictions.add(model=slot.name, label=label)
        if prediction.unknown:
            self.metrics.unknown.add(model=slot.name)
        self.metrics.confidence.add(prediction.confidence, model=slot.name)

    def _shadow(
        self, slot: Slot, model: ServedModel, source: Source, text: str, answer: AnsweredImage
    ) -> None:
        """Let the shadow answer too, if no other image has to wait for it."""
        shadow = slot.shadow
        if shadow is None:
            return
        if self.workers.pending >= self.workers.count:
            slot.shadow_figures.skipped += 1
            return
        compare = partial(compare_shadow, model, shadow, slot.shadow_figures, source, text, answer)
        task = asyncio.create_task(self.workers.run(compare))
        task.add_done_callback(self._shadow_done)

    def _shadow_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.write("shadow failed", reason=str(error))

    @property
    def ready(self) -> bool:
        """Return whether every model answers."""
        working = all(slot.active.failure is None for slot in self.registry)
        return working and not self.workers.closing and not self.workers.hanging

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the engines while the service runs, and end everything after it."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            self.workers.close(1)
            self.registry.close()

    async def _watch(self) -> None:
        """Ask engines that failed again, from time to time."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            for slot in self.registry:
                model = slot.active
                if model.failure is not None:
                    await self._ask_again(slot, model)

    async def _ask_again(self, slot: Slot, model: ServedModel) -> None:
        try:
            await self.workers.run(model.check)
        except EyebrightError as error:
            self.log.write("engine failed", model=slot.name, reason=str(error))
        else:
            self.log.write("engine answers again", model=slot.name)

    def gauges(self) -> Iterator[tuple[str, str, Labels, float]]:
        """Yield what the metrics show of this moment."""
        yield "eyebright_ready", "Whether every model answers.", (), float(self.ready)
        yield "eyebright_queue_length", "Images that wait or are worked on.", (), float(self.workers.pending)
        yield "eyebright_image_seconds", "Seconds that a thread takes for an image.", (), self.workers.seconds
        slots = [((("model", slot.name),), slot) for slot in self.registry]
        for labels, slot in slots:
            version = (*labels, ("sha256", slot.active.sha256), ("engine", slot.active.predictor.engine))
            yield "eyebright_model_info", "The model that answers.", version, 1.0
        for labels, slot in slots:
            changed = float(slot.active.file_state() != "unchanged")
            yield "eyebright_model_file_changed", "Whether the file is another than answers.", labels, changed
        for labels, slot in slots:
            if slot.shadow is not None:
                figures = slot.shadow_figures
                yield "eyebright_shadow_images", "Images that the shadow answered.", labels, figures.images
        for labels, slot in slots:
            if slot.shadow is not None:
                same = slot.shadow_figures.same_answer
                yield "eyebright_shadow_same_answer", "Images that the shadow answered alike.", labels, same
        yield from sorted(self._observed(), key=lambda gauge: gauge[0])

    def _observed(self) -> Iterator[tuple[str, str, Labels, float]]:
        """Yield what the observers show, and how much each of them was not told."""
        for slot in self.registry:
            labels, watching = (("model", slot.name),), slot.active.watching
            if watching is not None:
                yield "eyebright_unobserved", "Answers that the observer missed.", labels, watching.dropped
                for gauge in watching.observer.gauges():
                    yield gauge.name, gauge.help, (*labels, *gauge.labels.items()), gauge.value


def _unavailable(reason: str) -> UnavailableError:
    error = UnavailableError(
        "The engine must answer. It does not: {reason} The service goes on trying; ask again later.",
        reason=reason,
    )
    error.retry_after_seconds = round(_CHECK_SECONDS)
    return error
