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
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.runtime.atomic import write_bytes
from eyebright.sealed.graph import INPUT, OUTPUT, UNKNOWN
from eyebright.sealed.split_model import Halves, cut, start
from eyebright.task.task import ClassificationTask, task_at
from eyebright.types import FloatArray, ImageLike, Prediction, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the metadata's `task` says where an image may have several labels.
SEVERAL = "multilabel"
_NOT_OURS = (
    "A sealed model must be an ONNX file written by Eyebright. {path}: {reason}. Use a run directory "
    "or its model.onnx."
)


def write_sealed(path: Path, graph: onnx.ModelProto, labels: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Writes the graph with `labels` (a JSON list in the order of K) and ``facts`` in its metadata.

    Values of ``facts`` that are not text are stored as JSON.
    """
    set_metadata(graph, {"labels": list(labels), **facts})
    write_bytes(path, graph.SerializeToString())


def set_metadata(graph: onnx.ModelProto, facts: Mapping[str, Any]) -> None:
    """Replaces the graph's metadata; values that are not text are stored as JSON."""
    del graph.metadata_props[:]
    for key, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        graph.metadata_props.add(key=key, value=text)


class SealedModel:
    """A sealed model, ready to answer.

    Args:
        path: the ONNX file, or a run's folder that holds `model.onnx`.
        threads: that one call may use; None leaves it to ONNX Runtime.

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
        """Backbone, preprocessing, taps and temperature, as training wrote them."""
        card: dict[str, Any] = json.loads(self.metadata["card"])
        return card

    @cached_property
    def size(self) -> int:
        """S, the side in pixels to which the model itself resizes images."""
        return int(self.card["preprocessing"]["size"])

    @cached_property
    def halves(self) -> Halves | None:
        """The model as two graphs, features between them; None of a file that cannot be cut there."""
        return cut(onnx.load(self.path))

    def reject(self) -> None:
        """Rename the file to `model.onnx.rejected`: it failed its parity check."""
        self.path.replace(_rejected(self.path))

    def probabilities(self, images: UInt8Array) -> FloatArray:
        """Calibrated probabilities (B, K) of raw RGB images (B, H, W, 3)."""
        answer: FloatArray = self._session.run([OUTPUT], {INPUT: images})[0]
        return answer

    def answer(self, images: UInt8Array) -> tuple[FloatArray, FloatArray | None]:
        """The same with the unknown score (B,), or None of a file without one."""
        outputs = [OUTPUT, UNKNOWN] if self.scores_unknown else [OUTPUT]
        probabilities, *score = self._session.run(outputs, {INPUT: images})
        return probabilities, score[0] if score else None

    @cached_property
    def scores_unknown(self) -> bool:
        """Whether the file says how strange an image is to it."""
        return any(output.name == UNKNOWN for output in self._session.get_outputs())

    @cached_property
    def unknown_rule(self) -> UnknownRule | None:
        """When an image counts as unknown; None of a file that does not tell."""
        return UnknownRule.from_metadata(self.metadata) if self.scores_unknown else None

    @cached_property
    def set_rule(self) -> SetRule | None:
        """How sets of classes are made that hold the true one as often as was promised."""
        return SetRule.from_metadata(self.metadata)

    @cached_property
    def thresholds(self) -> Float64Array | None:
        """(K,) from which probability on each label is named, where an image may have several; else None."""
        if self.metadata.get("task") != SEVERAL:
            return None
        return np.array(json.loads(self.metadata["thresholds"]), np.float64)

    @cached_property
    def task(self) -> ClassificationTask:
        """Return the task, with the thresholds of a multi-label one."""
        return task_at(self.thresholds)

    @cached_property
    def decisions(self) -> Decisions | None:
        """How it answers where that is not simply the likeliest class: by operating points, or by costs."""
        return None if self.thresholds is not None else Decisions.from_metadata(self.metadata, self.labels)

    def predict(self, image: ImageLike, top: int | None = None) -> Prediction:
        """The classes of one image, the answered first; ``top`` limits their number, unless several may hold.

        Raises:
            ImageError: the image cannot be read.
        """
        pixels = decode(image, min_side=self.size)
        name = (
            None
            if isinstance(image, bytes) or hasattr(image, "shape") or hasattr(image, "mode")
            else str(image)
        )
        probabilities, scores = self.answer(pixels[None])
        return self.prediction(probabilities[0], name, top, None if scores is None else float(scores[0]))

    def prediction(
        self, probabilities: FloatArray, path: str | None, top: int | None = None, score: float | None = None
    ) -> Prediction:
        """Probabilities (K,) with their labels, sorted; what operating points or costs answer comes first.

        Args:
            probabilities: of one image.
            path: of the image.
            top: how many classes; None for all.
            score: how strange the image is, where the file tells.
        """
        order = np.argsort(-probabilities, kind="stable")
        named = None
        if self.thresholds is not None:
            [named] = self.task.names(self.task.predicted(probabilities[None]), self.labels)
            top = None
        if self.decisions is not None:
            answer = self.decisions.answer(probabilities[None])[0]
            order = np.concatenate([[answer], order[order != answer]])
        shown = order[:top]
        rule = self.unknown_rule
        return Prediction(
            path,
            tuple(self.labels[i] for i in shown),
            tuple(float(probabilities[i]) for i in shown),
            named,
            unknown_score=score,
            unknown=None if score is None or rule is None else score > rule.threshold,
            set=None if self.set_rule is None else self._set(self.set_rule, probabilities),
        )

    def _set(self, rule: SetRule, probabilities: FloatArray) -> tuple[str, ...]:
        """The classes of an image's set, the likeliest first."""
        members = rule.sets(probabilities[None])[0]
        return tuple(self.labels[i] for i in np.argsort(-probabilities, kind="stable") if members[i])

    def _check(self) -> tuple[str, ...]:
        inputs = [(i.name, i.type) for i in self._session.get_inputs()]
        classes = {o.name: o.shape[-1] for o in self._session.get_outputs() if o.shape}
        try:
            labels = tuple(json.loads(self.metadata["labels"]))
            fits = inputs == [(INPUT, "tensor(uint8)")] and classes[OUTPUT] == len(labels) and self.size > 0
            fits = fits and (self.thresholds is None or self.thresholds.shape == (len(labels),))
            Decisions.from_metadata(self.metadata, labels)
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
        self.graph = graph
        self._session = start(content, threads)
        self.size_bytes = len(content)
        self._read_metadata()

    @cached_property
    def halves(self) -> Halves | None:
        """Return the model as two graphs, features between them; None where it cannot be cut there."""
        return cut(self.graph)

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write the model with its labels and ``facts`` as its metadata."""
        write_sealed(self.path, self.graph, self.labels, facts)

    def reject(self) -> None:
        """Write the model as `model.onnx.rejected`: it failed its parity check."""
        self.path.unlink(missing_ok=True)  # of an earlier run, whose metrics are gone
        write_bytes(_rejected(self.path), self.graph.SerializeToString())


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
        return start(str(path), threads)
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        reason = str(error).splitlines()[0].rpartition("failed:")[2].strip(" .")[:200]
        raise ModelError(_NOT_OURS, path=path, reason=reason) from error
