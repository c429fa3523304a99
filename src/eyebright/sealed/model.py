"""The sealed model on disk: written with its provenance, opened with checks, run with plain ONNX Runtime."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from eyebright.data.decode import decode
from eyebright.data.header import read_image
from eyebright.errors import ModelError, NotFoundError
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.onnx_graph.edit import copy_of, extracted
from eyebright.onnx_graph.stored import parse_onnx, read_onnx_bytes
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.onnx_session import open_session, run, runtime_reason
from eyebright.runtime.stored import reason_of
from eyebright.sealed.answer_output import with_answer
from eyebright.sealed.card import SealedCard
from eyebright.sealed.contract import check_contract, check_probabilities
from eyebright.sealed.graph import (
    ANOMALY_MAP,
    ANOMALY_SCORE,
    ANSWER,
    INPUT,
    OUTPUT,
    TEXT_OUTPUT,
    TEXT_SHARE,
    TEXTS,
    TOKENS,
    UNKNOWN,
)
from eyebright.sealed.metadata import SealedMetadata, decisions_of
from eyebright.sealed.split_model import SplitModel, split_at_features
from eyebright.sealed.text_tensor import TOKENIZER, TextInputs, plain_texts, tokens
from eyebright.task.task import ClassificationTask
from eyebright.types import FloatArray, ImageLike, IntArray, Json, Prediction, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_OURS = (
    "A sealed model must be an ONNX file written by Eyebright. {path}: {reason}. Use a run directory "
    "or its model.onnx."
)


def sealed_with(graph: onnx.ModelProto, labels: Sequence[str], facts: Mapping[str, Json]) -> onnx.ModelProto:
    """Return a sealed graph with metadata, and with the output `answer` that they call for.

    Every model and export gets its metadata here, so that no file answers by other decisions than it names.

    Args:
        graph: with or without an answer by other decisions; it is left as it is.
        labels: in the order of K.
        facts: further metadata; values that are not text are stored as JSON.
    """
    texts = {key: _text(value) for key, value in {"labels": list(labels), **facts}.items()}
    whole = with_answer(graph, decisions_of(texts, labels))
    set_metadata(whole, texts)
    return whole


def write_sealed(
    path: Path, graph: onnx.ModelProto, labels: Sequence[str], facts: Mapping[str, Json]
) -> None:
    """Write :func:`sealed_with` of the arguments."""
    write_bytes(path, sealed_with(graph, labels, facts).SerializeToString())


def set_metadata(graph: onnx.ModelProto, facts: Mapping[str, Json]) -> None:
    """Replace the graph's metadata; values that are not text are stored as JSON."""
    del graph.metadata_props[:]
    for key, value in facts.items():
        graph.metadata_props.add(key=key, value=_text(value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def model_file(path: Path) -> Path:
    """Return the file of a model: ``path`` itself, or `model.onnx` in a run's folder."""
    return path / "model.onnx" if path.is_dir() else path


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
        self.path = model_file(path)
        self._threads = threads
        graph = _load(self.path)
        self._check(graph)
        self.size_bytes = self.path.stat().st_size
        del graph  # or it would be in memory twice
        self._session = _open(self.path, threads)

    def _check(self, graph: onnx.ModelProto) -> None:
        """Read the metadata, and hold the graph to the contract."""
        try:
            self.metadata = {entry.key: entry.value for entry in graph.metadata_props}
            self.facts = SealedMetadata.read(self.metadata)
            check_contract(graph, len(self.facts.labels), self.facts.decisions.multilabel)
        except ValueError as error:
            raise ModelError(_NOT_OURS, path=self.path, reason=error) from error
        given = {output.name for output in graph.graph.output}
        #: Whether the file gives an OOD score for each image.
        self.has_ood_score = UNKNOWN in given
        #: Whether the file gives a score and a map of anomalies, having learned from good images alone.
        self.has_anomaly_map = {ANOMALY_SCORE, ANOMALY_MAP} <= given
        #: Whether the file gives its answer for each image, as all do that this version writes.
        self.has_answer = ANSWER in given
        #: Whether the file reads a text beside each image.
        self.has_text = TEXT_OUTPUT in given

    def __reduce__(self) -> tuple[type[SealedModel], tuple[Path, int | None]]:
        """Return how another process opens the same file: a session cannot be sent to it."""
        return SealedModel, (self.path.absolute(), self._threads)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the K classes in the order of the outputs."""
        return self.facts.labels

    @cached_property
    def card(self) -> SealedCard:
        """Return the backbone, preprocessing, feature layers and temperature, as training wrote them."""
        return SealedCard(self.facts.card.model_dump())

    @property
    def size(self) -> int:
        """Return S, the side in pixels to which the model itself resizes images."""
        return self.facts.card.preprocessing.size

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Return the columns of the table that the model's texts came from; empty of a model of images."""
        text = self.facts.card.text
        return () if text is None else text.columns

    @property
    def white_level(self) -> int | None:
        """Return the grey value that is white where grey has more than 8 bits (see `data/colour.py`).

        None of a model whose training images have 8 bits; models from before this was stored took 65535.
        """
        return self.facts.white_level

    def pixels(self, path: Path, sha: str | None) -> UInt8Array:
        """Return the pixels (H, W, 3) that the model answers about, of a file that is still the one listed.

        Raises:
            NotFoundError: the file does not exist.
            ImageError: it cannot be read, or its hash is no longer ``sha``.
        """
        return decode(read_image(path, sha), min_side=self.size, white_level=self.white_level)

    @cached_property
    def split_model(self) -> SplitModel | None:
        """Return the model as two graphs with the features between them; None if it cannot be split."""
        return split_at_features(self.graph(), self._text_inputs)

    def graph(self) -> onnx.ModelProto:
        """Load the model's graph."""
        return onnx.load(self.path)

    def reject(self) -> None:
        """Rename the file to `model.onnx.rejected`: it failed its parity check."""
        self.path.replace(_rejected(self.path))

    def probabilities(self, images: UInt8Array, texts: Sequence[str] | None = None) -> FloatArray:
        """Return calibrated probabilities (B, K) of raw RGB images (B, H, W, 3), and of B texts if given."""
        return self._run([OUTPUT], images, texts)[0]

    def text_probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Return calibrated probabilities (B, K) of texts alone, by a file that reads them."""
        found: FloatArray = run(self._text_session, [TEXT_OUTPUT], self._text_inputs(texts))[0]
        check_probabilities(found, len(texts), len(self.labels))
        return found

    def text_shares(self, texts: Sequence[str]) -> FloatArray:
        """Return what texts add to the logits (B, K) of their images, the mean over the classes taken out."""
        found: FloatArray = run(self._share_session, [TEXT_SHARE], self._text_inputs(texts))[0]
        return np.asarray(found - found.mean(axis=1, keepdims=True), np.float32)

    @cached_property
    def _share_session(self) -> Any:
        whole = copy_of(self.graph())
        share = onnx.helper.make_tensor_value_info(
            TEXT_SHARE, onnx.TensorProto.FLOAT, ["T", len(self.labels)]
        )
        whole.graph.value_info.append(share)
        return open_session(extracted(whole, self._text_names, [TEXT_SHARE]), self._threads)

    @property
    def _text_names(self) -> list[str]:
        return [TEXTS] if TOKENIZER not in self.metadata else list(TOKENS)

    @cached_property
    def _text_inputs(self) -> TextInputs:
        return tokens(self.metadata[TOKENIZER]) if TOKENIZER in self.metadata else plain_texts

    @cached_property
    def _text_session(self) -> Any:
        return open_session(extracted(self.graph(), self._text_names, [TEXT_OUTPUT]), self._threads)

    def predict_batch(
        self, images: UInt8Array, texts: Sequence[str] | None = None
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return probabilities (B, K) of RGB images (B, H, W, 3), and OOD scores (B,) if there are any.

        Args:
            images: to predict.
            texts: B, empty where an image has none; a file that reads no texts passes them over.
        """
        outputs = [OUTPUT, UNKNOWN] if self.has_ood_score else [OUTPUT]
        probabilities, *score = self._run(outputs, images, texts)
        return probabilities, score[0] if score else None

    def predict_with_features(
        self, images: UInt8Array, texts: Sequence[str] | None = None
    ) -> tuple[FloatArray, FloatArray | None, FloatArray | None]:
        """Return what :meth:`predict_batch` does, and the features (B, D) if the file can be split there."""
        split = self.split_model
        if split is None:
            return *self.predict_batch(images, texts), None
        features = split.features(images)
        probabilities, scores = split.predict(features, texts if self.has_text else None)
        check_probabilities(probabilities, len(images), len(self.labels))
        return probabilities, scores, features

    def predict_answers(
        self, images: UInt8Array, texts: Sequence[str] | None = None
    ) -> tuple[FloatArray, FloatArray | None, IntArray]:
        """Return what :meth:`predict_batch` does, and the answers (B,) or (B, K) that the file itself gives.

        A file of an earlier version gives none; then they are decided here.
        """
        if not self.has_answer:
            probabilities, scores = self.predict_batch(images, texts)
            return probabilities, scores, self.decisions.answer(probabilities, scores)
        outputs = [OUTPUT, ANSWER, *([UNKNOWN] if self.has_ood_score else [])]
        probabilities, answers, *score = self._run(outputs, images, texts)
        return probabilities, score[0] if score else None, np.asarray(answers, np.int64)

    def predict_anomaly_scores(self, images: UInt8Array) -> tuple[FloatArray, FloatArray]:
        """Return probabilities (B, 2) and scores (B,), 1 at the limit, of RGB images (B, H, W, 3).

        Only a file that learned from good images alone gives scores; see :attr:`has_anomaly_map`.
        """
        probabilities, scores = self._run([OUTPUT, ANOMALY_SCORE], images)
        return probabilities, scores

    def anomaly_score(self, features: FloatArray) -> float | None:
        """Return the score of an image's features (1, D); None if the file gives none."""
        split = self.split_model
        if not self.has_anomaly_map or split is None:
            return None
        return float(split.anomaly_scores(features)[0])

    def anomalies(self, images: UInt8Array) -> tuple[FloatArray, FloatArray]:
        """Return scores (B,), 1 at the limit, and maps (B, S, S) of RGB images (B, H, W, 3).

        Only a file that learned from good images alone gives them; see :attr:`has_anomaly_map`.
        """
        _, scores, maps = self._run([OUTPUT, ANOMALY_SCORE, ANOMALY_MAP], images)
        return scores, maps

    def _run(
        self, outputs: list[str], images: UInt8Array, texts: Sequence[str] | None = None
    ) -> list[FloatArray]:
        """Run the graph; the first of ``outputs`` are the probabilities."""
        given: dict[str, Any] = {INPUT: images}
        if texts is not None and self.has_text:
            given |= self._text_inputs(texts)
        found = run(self._session, outputs, given)
        check_probabilities(found[0], len(images), len(self.labels))
        return found

    @property
    def unknown_rule(self) -> UnknownRule | None:
        """Return from which OOD score on an image is unknown; None if the file gives no score."""
        return self.facts.unknown_rule if self.has_ood_score else None

    @property
    def set_rule(self) -> SetRule | None:
        """Return how prediction sets with the requested coverage are made; None if the file has no rule."""
        return self.facts.set_rule

    @cached_property
    def task(self) -> ClassificationTask:
        """Return the task, which predicts as the model does."""
        return self.decisions.task

    @cached_property
    def decisions(self) -> Decisions:
        """Return how the model decides, by its metadata."""
        found = self.facts.decisions
        return found if self.has_ood_score else found.without_unknown()

    def predict(self, image: ImageLike, top: int | None = None, text: str = "") -> Prediction:
        """Predict the classes of one image, the predicted first.

        Args:
            image: a path, encoded bytes or a file of them, an array of RGB pixels or a Pillow image.
            top: at most so many classes; a multi-label model gives all.
            text: of the image, for a model that reads texts.

        Raises:
            ImageError: the image cannot be read.
        """
        pixels = decode(image, min_side=self.size, white_level=self.white_level)
        name = os.fspath(image) if isinstance(image, str | os.PathLike) else None
        if self.has_anomaly_map:
            probabilities, [anomaly] = self.predict_anomaly_scores(pixels[None])
            return self.prediction(probabilities[0], name, top, anomaly=float(anomaly))
        probabilities, scores = self.predict_batch(pixels[None], [text])
        return self.prediction(probabilities[0], name, top, None if scores is None else float(scores[0]))

    def predict_text(self, text: str, top: int | None = None) -> Prediction:
        """Predict the classes of a text without an image, by a model that reads texts."""
        return self.prediction(self.text_probabilities([text])[0], None, top)

    def prediction(
        self,
        probabilities: FloatArray,
        path: str | None,
        top: int | None = None,
        score: float | None = None,
        anomaly: float | None = None,
    ) -> Prediction:
        """Sort probabilities (K,) with their labels; the class by operating points or costs comes first.

        Args:
            probabilities: of one image.
            path: of the image.
            top: how many classes; None for all.
            score: the OOD score, if the file gives one.
            anomaly: the anomaly score, if the file gives one.
        """
        order = np.argsort(-probabilities, kind="stable")
        predicted = self.decisions.predict(probabilities[None])
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
            unknown=bool(self.decisions.unknown(np.array([score], np.float32))[0]) if tells else None,
            set=None if self.set_rule is None else self._set(self.set_rule, probabilities),
            anomaly_score=anomaly,
        )

    def _set(self, rule: SetRule, probabilities: FloatArray) -> tuple[str, ...]:
        """Return the classes of an image's prediction set, the most probable first."""
        members = rule.sets(probabilities[None])[0]
        return tuple(self.labels[i] for i in np.argsort(-probabilities, kind="stable") if members[i])


class InMemoryModel(SealedModel):
    """A sealed model of which nothing is read from disk any more: its file may change or go.

    Args:
        path: of its file.
        graph: the model, with its labels and metadata.
        threads: that one call may use; None leaves it to ONNX Runtime.

    Raises:
        ModelError: the graph is not a sealed model.
    """

    def __init__(self, path: Path, graph: onnx.ModelProto, threads: int | None = None) -> None:
        content = graph.SerializeToString()
        self.path, self._threads = path, threads
        self._graph = graph
        self._check(graph)
        self._session = open_session(content, threads)
        self.size_bytes = len(content)

    def graph(self) -> onnx.ModelProto:
        """Return the model's graph."""
        return self._graph


class UnwrittenModel(InMemoryModel):
    """A sealed model before it is written: everything that is measured of it becomes part of its metadata."""

    def completed(self, facts: Mapping[str, Json]) -> UnwrittenModel:
        """Return the model with ``facts`` as its metadata, and with the answer that they call for."""
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


def _load(path: Path) -> onnx.ModelProto:
    """Parse a file that may be anything."""
    return parse_file(path, read_file(path))


def read_file(path: Path) -> bytes:
    """Return the content of a file that should be a sealed model.

    Raises:
        NotFoundError: there is no such file.
        ModelError: it cannot be read.
    """
    if not path.exists():
        raise NotFoundError("The model must exist. {path} does not. Check the path.", path=path)
    try:
        return read_onnx_bytes(path)
    except OSError as error:
        raise ModelError(
            "The model file must be readable. {path}: {reason}. Check its permissions.",
            path=path,
            reason=reason_of(error),
        ) from error


def parse_file(path: Path, content: bytes) -> onnx.ModelProto:
    """Parse the content of such a file.

    Raises:
        ModelError: it is no ONNX file.
    """
    try:
        return parse_onnx(content)
    except ValueError as error:
        raise ModelError(_NOT_OURS, path=path, reason=error) from error


def _open(path: Path, threads: int | None) -> Any:
    try:
        return open_session(path, threads)
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        raise ModelError(_NOT_OURS, path=path, reason=runtime_reason(error)) from error
