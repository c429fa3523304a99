"""The sealed model on disk: written with its provenance, opened with checks, run with plain ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from eyebright.data.decode import decode
from eyebright.errors import ModelError, NotFoundError
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.rules.decisions import UNKNOWN_ANSWER, Decisions
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.answer_output import with_answer
from eyebright.sealed.graph import ANSWER, INPUT, OUTPUT, UNKNOWN
from eyebright.sealed.split_model import SplitModel, split_at_features
from eyebright.task.task import ClassificationTask
from eyebright.types import FloatArray, ImageLike, IntArray, Prediction, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_OURS = (
    "A sealed model must be an ONNX file written by Eyebright. {path}: {reason}. Use a run directory "
    "or its model.onnx."
)


def sealed_with(graph: onnx.ModelProto, labels: Sequence[str], facts: Mapping[str, Any]) -> onnx.ModelProto:
    """Return a sealed graph with metadata, and with the output `answer` that they call for.

    Every model and export gets its metadata here, so that no file answers by other decisions than it names.

    Args:
        graph: with or without an answer by other decisions; it is left as it is.
        labels: in the order of K.
        facts: further metadata; values that are not text are stored as JSON.
    """
    texts = {key: _text(value) for key, value in {"labels": list(labels), **facts}.items()}
    whole = with_answer(graph, Decisions.from_metadata(texts, labels))
    set_metadata(whole, texts)
    return whole


def write_sealed(path: Path, graph: onnx.ModelProto, labels: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Write :func:`sealed_with` of the arguments."""
    write_bytes(path, sealed_with(graph, labels, facts).SerializeToString())


def set_metadata(graph: onnx.ModelProto, facts: Mapping[str, Any]) -> None:
    """Replace the graph's metadata; values that are not text are stored as JSON."""
    del graph.metadata_props[:]
    for key, value in facts.items():
        graph.metadata_props.add(key=key, value=_text(value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class SealedModel:
    """A sealed model, ready to predict.

    Args:
        path: the ONNX file, or a run's folder that holds `model.onnx`.
        threads: for one call; None leaves the number to ONNX Runtime.

    Raises:
        NotFoundError: there is no such file.
        ModelError: the file is not a sealed model.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = path / "model.onnx" if path.is_dir() else path
        self._session = _open(self.path, threads)
        self.size_bytes = self.path.stat().st_size
        self._read_metadata()

    def _read_metadata(self) -> None:
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.labels: tuple[str, ...] = self._check()

    @property
    def card(self) -> dict[str, Any]:
        """Return the backbone, preprocessing, feature layers and temperature, as training wrote them."""
        card: dict[str, Any] = json.loads(self.metadata["card"])
        return card

    @cached_property
    def size(self) -> int:
        """Return S, the side in pixels to which the model itself resizes images."""
        return int(self.card["preprocessing"]["size"])

    @cached_property
    def white_level(self) -> int | None:
        """Return the grey value that is white where grey has more than 8 bits (see `data/colour.py`).

        None of a model whose training images have 8 bits; models from before this was stored took 65535.
        """
        level: int | None = json.loads(self.metadata.get("white_level", "65535"))
        return level

    @cached_property
    def split_model(self) -> SplitModel | None:
        """Return the model as two graphs with the features between them; None if it cannot be split."""
        return split_at_features(self.graph())

    def graph(self) -> onnx.ModelProto:
        """Load the model's graph."""
        return onnx.load(self.path)

    def reject(self) -> None:
        """Rename the file to `model.onnx.rejected`: it failed its parity check."""
        self.path.replace(_rejected(self.path))

    def probabilities(self, images: UInt8Array) -> FloatArray:
        """Return calibrated probabilities (B, K) of raw RGB images (B, H, W, 3)."""
        probabilities: FloatArray = self._session.run([OUTPUT], {INPUT: images})[0]
        return probabilities

    def predict_batch(self, images: UInt8Array) -> tuple[FloatArray, FloatArray | None]:
        """Return probabilities (B, K) of RGB images (B, H, W, 3), and OOD scores (B,) if there are any."""
        outputs = [OUTPUT, UNKNOWN] if self.has_ood_score else [OUTPUT]
        probabilities, *score = self._session.run(outputs, {INPUT: images})
        return probabilities, score[0] if score else None

    def predict_answers(self, images: UInt8Array) -> tuple[FloatArray, FloatArray | None, IntArray]:
        """Return what :meth:`predict_batch` does, and the answers (B,) or (B, K) that the file itself gives.

        A file of an earlier version gives none; then they are decided here.
        """
        if not self.has_answer:
            probabilities, scores = self.predict_batch(images)
            return probabilities, scores, self.decisions.answer(probabilities, scores)
        outputs = [OUTPUT, ANSWER, *([UNKNOWN] if self.has_ood_score else [])]
        probabilities, answers, *score = self._session.run(outputs, {INPUT: images})
        return probabilities, score[0] if score else None, answers

    @cached_property
    def has_ood_score(self) -> bool:
        """Return whether the file gives an OOD score for each image."""
        return self._gives(UNKNOWN)

    @cached_property
    def has_answer(self) -> bool:
        """Return whether the file gives its answer for each image, as all do that this version writes."""
        return self._gives(ANSWER)

    def _gives(self, name: str) -> bool:
        return any(output.name == name for output in self._session.get_outputs())

    @cached_property
    def unknown_rule(self) -> UnknownRule | None:
        """Return from which OOD score on an image is unknown; None if the file gives no score."""
        return UnknownRule.from_metadata(self.metadata) if self.has_ood_score else None

    @cached_property
    def set_rule(self) -> SetRule | None:
        """Return how prediction sets with the requested coverage are made; None if the file has no rule."""
        return SetRule.from_metadata(self.metadata)

    @cached_property
    def thresholds(self) -> Float64Array | None:
        """Return the thresholds (K,) of a multi-label model's probabilities; None of a single-label model."""
        return self.decisions.thresholds if self.decisions.multilabel else None

    @cached_property
    def task(self) -> ClassificationTask:
        """Return the task, which predicts as the model does."""
        return self.decisions.task

    @cached_property
    def decisions(self) -> Decisions:
        """Return how the model decides, by its metadata."""
        found = Decisions.from_metadata(self.metadata, self.labels)
        return found if self.has_ood_score else found.without_unknown()

    def predict(self, image: ImageLike, top: int | None = None) -> Prediction:
        """Predict the classes of one image, the predicted first.

        Args:
            image: a path, encoded bytes, an array or a Pillow image.
            top: at most so many classes; a multi-label model gives all.

        Raises:
            ImageError: the image cannot be read.
        """
        pixels = decode(image, min_side=self.size)
        name = (
            None
            if isinstance(image, bytes) or hasattr(image, "shape") or hasattr(image, "mode")
            else str(image)
        )
        probabilities, scores = self.predict_batch(pixels[None])
        return self.prediction(probabilities[0], name, top, None if scores is None else float(scores[0]))

    def prediction(
        self, probabilities: FloatArray, path: str | None, top: int | None = None, score: float | None = None
    ) -> Prediction:
        """Sort probabilities (K,) with their labels; the class by operating points or costs comes first.

        Args:
            probabilities: of one image.
            path: of the image.
            top: how many classes; None for all.
            score: the OOD score, if the file gives one.
        """
        order = np.argsort(-probabilities, kind="stable")
        scores = None if score is None else np.array([score], np.float32)
        predicted, answer = (
            self.decisions.predict(probabilities[None]),
            self.decisions.answer(probabilities[None], scores),
        )
        named = None
        if self.decisions.multilabel:
            [named] = self.task.names(predicted, self.labels)
            top = None
        else:
            order = np.concatenate([predicted, order[order != predicted[0]]])
        shown = order[:top]
        tells = score is not None and self.unknown_rule is not None
        return Prediction(
            path,
            tuple(self.labels[i] for i in shown),
            tuple(float(probabilities[i]) for i in shown),
            named,
            unknown_score=score,
            unknown=bool((answer == UNKNOWN_ANSWER).all()) if tells else None,
            set=None if self.set_rule is None else self._set(self.set_rule, probabilities),
        )

    def _set(self, rule: SetRule, probabilities: FloatArray) -> tuple[str, ...]:
        """Return the classes of an image's prediction set, the most probable first."""
        members = rule.sets(probabilities[None])[0]
        return tuple(self.labels[i] for i in np.argsort(-probabilities, kind="stable") if members[i])

    def _check(self) -> tuple[str, ...]:
        inputs = [(i.name, i.type) for i in self._session.get_inputs()]
        classes = {o.name: o.shape[-1] for o in self._session.get_outputs() if o.shape}
        try:
            labels = tuple(json.loads(self.metadata["labels"]))
            fits = inputs == [(INPUT, "tensor(uint8)")] and classes[OUTPUT] == len(labels) and self.size > 0
            fits = fits and Decisions.from_metadata(self.metadata, labels).thresholds.shape == (len(labels),)
            fits = fits and (self.unknown_rule, self.set_rule) is not None
        except (KeyError, TypeError, ValueError):  # an entry is missing, or is not the JSON that we write
            fits = False
        if not fits:
            raise ModelError(
                _NOT_OURS, path=self.path, reason="it lacks the inputs, outputs or labels of one"
            )
        return labels


class UnwrittenModel(SealedModel):
    """A sealed model before it is written: everything that is measured of it becomes part of its metadata.

    Args:
        path: where it will be written.
        graph: the model, with its labels and all metadata that is known so far.
        threads: that one call may use; None leaves it to ONNX Runtime.

    Raises:
        ModelError: the graph is not a sealed model.
    """

    def __init__(self, path: Path, graph: onnx.ModelProto, threads: int | None = None) -> None:
        content = graph.SerializeToString()
        self.path = path
        self._graph = graph
        self._session = open_session(content, threads)
        self.size_bytes = len(content)
        self._read_metadata()

    def graph(self) -> onnx.ModelProto:
        """Return the model's graph."""
        return self._graph

    def completed(self, facts: Mapping[str, Any]) -> UnwrittenModel:
        """Return the model with its labels and ``facts`` as its metadata, and the answer that they call for."""
        return UnwrittenModel(self.path, sealed_with(self._graph, self.labels, facts), threads=1)

    def write(self) -> None:
        """Write the model as it is."""
        write_bytes(self.path, self._graph.SerializeToString())

    def reject(self) -> None:
        """Write the model as `model.onnx.rejected`: it failed its parity check."""
        self.path.unlink(missing_ok=True)  # of an earlier run, whose metrics are gone
        write_bytes(_rejected(self.path), self._graph.SerializeToString())


def _rejected(path: Path) -> Path:
    return path.with_name(path.name + ".rejected")


def _open(path: Path, threads: int | None) -> Any:
    if not path.is_file():
        raise NotFoundError("The model must exist. {path} does not. Check the path.", path=path)
    try:
        path.open("rb").close()  # ONNX Runtime would only tell the number of the system's error
    except OSError as error:
        raise ModelError(
            "The model file must be readable. {path}: {reason}. Check its permissions.",
            path=path,
            reason=error.strerror,
        ) from error
    try:
        return open_session(path, threads)
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        reason = str(error).splitlines()[0].rpartition("failed:")[2].strip(" .")[:200]
        raise ModelError(_NOT_OURS, path=path, reason=reason) from error
