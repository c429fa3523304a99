"""A model in service: loaded once, whole and checked; what becomes of its file changes no answer."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

from eyebright.errors import EyebrightError, ImageError, ModelError
from eyebright.explaining.base import Explainer
from eyebright.explaining.choose import explainer
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.integrity import check_files, export_folder, read_certificate
from eyebright.runs.integrity import require_recorded_hash
from eyebright.sealed.model import InMemoryModel, model_file, parse_file, read_file
from eyebright.serving.hooks import Watching
from eyebright.serving.prediction import Answered, Predictor, choose_predictor, opened
from eyebright.serving.reference import ReferenceImage, reference_images
from eyebright.types import ImageLike, Prediction

FileState: TypeAlias = Literal["unchanged", "changed", "missing"]
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class AnsweredImage:
    """An answer with what it follows from."""

    answered: Answered
    prediction: Prediction


class ServedModel:
    """A sealed model that answers, and can prove that it does.

    Args:
        path: the file, or the run or export that holds it.

    Raises:
        NotFoundError: there is no such file.
        ModelError: it is no sealed model, was modified after its run or export was written, or does not
            answer a photograph of its run as in training.
    """

    def __init__(self, path: Path) -> None:
        self.path = model_file(path)
        content = read_file(self.path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        require_recorded_hash(self.path, self.sha256)
        _require_exported(self.path)
        self._stamp, self._same_file = self._stat(), True
        self.sealed = InMemoryModel(self.path, parse_file(self.path, content), threads=1)
        self.references = reference_images(self.path)
        self.predictor: Predictor = choose_predictor(self.sealed, [one.content for one in self.references])
        #: Why the model does not answer; None while it does.
        self.failure: str | None = None
        self.watching: Watching | None = None
        #: Seconds for one image on one thread.
        self.seconds = self.check()
        #: Held while a heat map is made by a method that cannot make two at once.
        self.explaining = Lock()

    @property
    def version(self) -> str:
        """Return what tells this file from others of its name."""
        return self.sha256[:_VERSION_DIGITS]

    @property
    def proven(self) -> bool:
        """Return whether photographs of the run were there to be answered."""
        return self.references[0].predicted is not None

    def answer(self, source: ImageLike, text: str = "") -> AnsweredImage:
        """Answer one image and its text, and tell whoever watches.

        Raises:
            ImageError: it cannot be read.
            ModelError: the engine does not answer any more, not even a reference image.
        """
        image = opened(self.sealed, source)
        try:
            answered = self.predictor.answer(image, text)
        except Exception as error:  # an engine that died may raise anything
            self.check()
            if isinstance(error, ImageError):
                raise
            raise ImageError(
                "The model must run on the image. It failed ({reason}). Downscale the image, or free memory.",
                reason=str(error) or type(error).__name__,
            ) from error
        if self.watching is not None:
            self.watching.add(answered, source if isinstance(source, bytes) else None)
        return AnsweredImage(answered, self._prediction(answered))

    def check(self) -> float:
        """Answer the reference image again, and return how many seconds that took.

        Raises:
            ModelError: the answer is not the expected one, or there is none.
        """
        try:
            start = time.perf_counter()
            first = self._check(self.references[0])
            seconds = time.perf_counter() - start
            if self._check(self.references[0]) != first:
                raise ModelError(
                    "The model must answer the same image always alike. It answered {path} in two ways. "
                    "Check this machine's memory, or use another engine.",
                    path=self.path,
                )
        except EyebrightError as error:
            self.failure = str(error)
            raise
        except Exception as error:  # an engine that died may raise anything
            self.failure = str(error) or type(error).__name__
            raise ModelError(
                "The engine must answer the reference image. {engine} failed: {reason}. Restart the service.",
                engine=self.predictor.engine,
                reason=self.failure,
            ) from error
        self.failure = None
        return seconds

    def _check(self, reference: ReferenceImage) -> Prediction:
        prediction = self._prediction(self.predictor.answer(opened(self.sealed, reference.content)))
        reference.check(prediction)
        return prediction

    def _prediction(self, answered: Answered) -> Prediction:
        return self.sealed.prediction(
            answered.probabilities, None, score=answered.score, anomaly=answered.anomaly_score
        )

    @cached_property
    def explainer(self) -> Explainer:
        """Return what draws heat maps, made when it is first asked for.

        Raises:
            NoHeatMapError: there is none for this model.
            MissingExtraError: it needs packages that are not installed.
        """
        return explainer(self.sealed)

    def file_state(self) -> FileState:
        """Return whether the file on disk is still the one that answers."""
        try:
            stamp = self._stat()
            if stamp != self._stamp:
                self._same_file = sha256(self.path) == self.sha256
                self._stamp = stamp
        except OSError:
            return "missing"
        return "unchanged" if self._same_file else "changed"

    def close(self) -> None:
        """End whoever watches."""
        if self.watching is not None:
            self.watching.close()

    def _stat(self) -> tuple[int, int, int]:
        status = self.path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns


def _require_exported(path: Path) -> None:
    """Refuse the file of an export that is not as its certificate lists it."""
    folder = export_folder(path)
    if folder is None:
        return
    changed = [
        check.name for check in check_files(folder, read_certificate(folder)) if check.state != "unchanged"
    ]
    if changed:
        raise ModelError(
            "An export must be as its certificate lists it. {path} is not: {name} was changed or removed. "
            "Export the model again.",
            path=folder,
            name=changed[0],
        )
