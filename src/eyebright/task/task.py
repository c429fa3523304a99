"""What a classifier has to predict: one class an image (multi-class), or any number of labels (multi-label).

Truth and predictions are class numbers (N,) of a multi-class task, and tables (N, K) of 0 and 1 of a
multi-label one. Everything that depends on which of the two it is asks its :class:`ClassificationTask`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.runtime.compact.rows import values
from eyebright.task.logits import binary_cross_entropy, cross_entropy, sigmoid, softmax
from eyebright.task.temperature import fit_temperature
from eyebright.types import BoolArray, FloatArray, IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]

#: The probability from which on a label is predicted unless a target sets another: fewest errors are made.
THRESHOLD = 0.5
_TINY = np.finfo(np.float32).tiny


class LabelledSample(Protocol):
    """An image with its label; of a multi-label task with all of its labels."""

    @property
    def label(self) -> str:
        """Return the class's name, or the labels as one text."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of all labels."""


class ClassificationTask(Protocol):
    """A kind of classification: :class:`MultiClass` or :class:`MultiLabel`."""

    @property
    def multilabel(self) -> bool:
        """Return whether an image may have several labels, or none."""

    def encode(self, samples: Sequence[LabelledSample], labels: Sequence[str]) -> IntArray:
        """Return the truth of N samples: class numbers (N,), or a table (N, K)."""

    def strata(self, truth: IntArray) -> IntArray:
        """Return (N,) numbers of what each fold should hold in proportion."""

    def counts(self, truth: IntArray, classes: int) -> IntArray:
        """Return (K,) how many images have each class or label."""

    def targets(self, truth: IntArray, classes: int) -> FloatArray:
        """Return the probabilities (N, K) that the truth stands for: 0 and 1."""

    def chance(self, truth: IntArray, classes: int) -> float:
        """Return the accuracy of a guess: of a class, or of each label by how common it is."""

    def losses(self, logits: FloatArray, truth: IntArray) -> FloatArray:
        """Return the log loss (N,) of each image in nats; of several labels their mean."""

    def correct(self, logits: FloatArray, truth: IntArray) -> BoolArray:
        """Return (N,) whether the class, or exactly the labels of an image, are predicted."""

    def fit_temperature(self, logits: FloatArray, truth: IntArray) -> float:
        """Return the temperature by which held-out logits (N, K) must be divided for the least log loss."""

    def probabilities(self, logits: FloatArray, temperature: float = 1.0) -> FloatArray:
        """Return probabilities (N, K) of logits (N, K), each divided by ``temperature``."""

    def uncalibrated(self, probabilities: FloatArray, temperature: float) -> FloatArray:
        """Return what probabilities (N, K) would be without the temperature that made them."""

    def predicted(self, probabilities: FloatArray) -> IntArray:
        """Return the predictions for probabilities (N, K)."""

    def names(self, predicted: IntArray, labels: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the names of what is predicted for each of N images."""

    def agree(self, first: IntArray, second: IntArray) -> BoolArray:
        """Return (N,) whether two predictions, or a prediction and the truth, are equal in all labels."""

    def positive(self, truth: IntArray, label: int) -> BoolArray:
        """Return (N,) whether each image has the class or label of this number."""

    def confidence(self, probabilities: FloatArray, predicted: IntArray) -> npt.NDArray[np.floating]:
        """Return (N,) the probability that exactly the prediction holds."""

    def scored(self, probabilities: FloatArray, truth: IntArray) -> tuple[Float64Array, Float64Array]:
        """Return (M,) confidences with 1 where they came true, else 0, as calibration error takes them."""


class MultiClass:
    """One class an image.

    Args:
        decide: returns the predicted classes (N,) for probabilities (N, K); None for the most probable ones.
    """

    multilabel = False

    def __init__(self, decide: Callable[[FloatArray], IntArray] | None = None) -> None:
        self._decide = decide

    def encode(self, samples: Sequence[LabelledSample], labels: Sequence[str]) -> IntArray:
        """Return class numbers (N,)."""
        number = {label: i for i, label in enumerate(labels)}
        found = (number[label] for label in values(samples, "label"))
        return np.fromiter(found, np.int64, len(samples))

    def strata(self, truth: IntArray) -> IntArray:
        """Return the class numbers (N,) themselves."""
        return truth

    def counts(self, truth: IntArray, classes: int) -> IntArray:
        """Return (K,) how many images each class has."""
        return np.bincount(truth, minlength=classes)

    def targets(self, truth: IntArray, classes: int) -> FloatArray:
        """Return (N, K), 1 in the column of each image's class."""
        table = np.zeros((len(truth), classes), np.float32)
        table[np.arange(len(truth)), truth] = 1
        return table

    def chance(self, truth: IntArray, classes: int) -> float:
        """Return one of K."""
        return 1 / classes

    def losses(self, logits: FloatArray, truth: IntArray) -> FloatArray:
        """Return the cross-entropy (N,) of each image in nats."""
        return cross_entropy(logits, truth)

    def correct(self, logits: FloatArray, truth: IntArray) -> BoolArray:
        """Return (N,) whether the true class has the highest logit; of equal ones the first counts."""
        return np.asarray(logits.argmax(axis=1) == truth)

    def fit_temperature(self, logits: FloatArray, truth: IntArray) -> float:
        """Return the temperature of the softmax; see :func:`eyebright.task.temperature.fit_temperature`."""
        return fit_temperature(logits, truth)

    def probabilities(self, logits: FloatArray, temperature: float = 1.0) -> FloatArray:
        """Return the softmax (N, K): each row sums to 1."""
        return softmax(logits, temperature)

    def uncalibrated(self, probabilities: FloatArray, temperature: float) -> FloatArray:
        """Return probabilities (N, K) without the temperature that made them."""
        return softmax(np.log(np.maximum(probabilities, _TINY)), 1 / temperature)

    def predicted(self, probabilities: FloatArray) -> IntArray:
        """Return (N,) the classes that are decided on, or the most probable ones; of equal ones the first."""
        if self._decide is not None:
            return self._decide(probabilities)
        return np.asarray(probabilities.argmax(axis=1), np.int64)

    def names(self, predicted: IntArray, labels: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the name of each image's class."""
        each = [(label,) for label in labels]
        return [each[number] for number in predicted.tolist()]

    def agree(self, first: IntArray, second: IntArray) -> BoolArray:
        """Return (N,) whether the classes are equal."""
        return np.asarray(first == second)

    def positive(self, truth: IntArray, label: int) -> BoolArray:
        """Return (N,) whether each image is of the class."""
        return np.asarray(truth == label)

    def confidence(self, probabilities: FloatArray, predicted: IntArray) -> npt.NDArray[np.floating]:
        """Return (N,) the probability of the predicted class."""
        return probabilities[np.arange(len(predicted)), predicted]

    def scored(self, probabilities: FloatArray, truth: IntArray) -> tuple[Float64Array, Float64Array]:
        """Return (N,) the highest probabilities with 1 where their class is the true one."""
        confidence = probabilities.max(axis=1).astype(np.float64)
        return confidence, np.equal(probabilities.argmax(axis=1), truth).astype(np.float64)


class MultiLabel:
    """Any number of labels an image, each predicted from its own threshold on.

    Args:
        thresholds: (K,) of the probabilities; None for :data:`THRESHOLD` everywhere.
    """

    multilabel = True

    def __init__(self, thresholds: Float64Array | None = None) -> None:
        self.thresholds = thresholds

    def encode(self, samples: Sequence[LabelledSample], labels: Sequence[str]) -> IntArray:
        """Return a table (N, K), 1 where a sample has a label, else 0."""
        number = {label: i for i, label in enumerate(labels)}
        table = np.zeros((len(samples), len(labels)), np.int64)
        for row, sample in zip(table, samples, strict=True):
            row[[number[label] for label in sample.labels]] = 1
        return table

    def strata(self, truth: IntArray) -> IntArray:
        """Return (N,) the number of the rarest label of each image, K for none."""
        order = np.argsort(truth.sum(axis=0), kind="stable")
        rarest = order[truth[:, order].argmax(axis=1)]
        return np.asarray(np.where(truth.any(axis=1), rarest, truth.shape[1]), np.int64)

    def counts(self, truth: IntArray, classes: int) -> IntArray:
        """Return (K,) how many images have each label."""
        return np.asarray(truth.sum(axis=0))

    def targets(self, truth: IntArray, classes: int) -> FloatArray:
        """Return the table (N, K) itself."""
        return truth.astype(np.float32)

    def chance(self, truth: IntArray, classes: int) -> float:
        """Return the mean over the labels of how many images have it, or lack it, whichever is more."""
        shares = truth.mean(axis=0)
        return float(np.maximum(shares, 1 - shares).mean())

    def losses(self, logits: FloatArray, truth: IntArray) -> FloatArray:
        """Return the binary cross-entropy (N,) of each image in nats, the mean over the labels."""
        return np.asarray(binary_cross_entropy(logits, truth).mean(axis=1), np.float32)

    def correct(self, logits: FloatArray, truth: IntArray) -> BoolArray:
        """Return (N,) whether exactly the true labels have logits above 0."""
        return np.asarray(((logits > 0) == (truth > 0)).all(axis=1))

    def fit_temperature(self, logits: FloatArray, truth: IntArray) -> float:
        """Return the one temperature of all labels, each image and label counting as a binary question."""
        flat = logits.reshape(-1)
        return fit_temperature(np.stack([np.zeros_like(flat), flat], axis=1), truth.reshape(-1))

    def probabilities(self, logits: FloatArray, temperature: float = 1.0) -> FloatArray:
        """Return the sigmoid (N, K) of each logit."""
        return sigmoid(logits / np.float32(temperature))

    def uncalibrated(self, probabilities: FloatArray, temperature: float) -> FloatArray:
        """Return probabilities (N, K) without the temperature that made them."""
        logits = np.log(np.maximum(probabilities, _TINY)) - np.log(np.maximum(1 - probabilities, _TINY))
        return sigmoid(logits * np.float32(temperature))

    def predicted(self, probabilities: FloatArray) -> IntArray:
        """Return a table (N, K), 1 where a probability reaches the label's threshold."""
        thresholds = THRESHOLD if self.thresholds is None else self.thresholds
        return np.asarray(probabilities >= thresholds, np.int64)

    def names(self, predicted: IntArray, labels: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the names of each image's labels, in the order of ``labels``."""
        return [tuple(labels[number] for number in np.flatnonzero(row).tolist()) for row in predicted]

    def agree(self, first: IntArray, second: IntArray) -> BoolArray:
        """Return (N,) whether all labels of an image are equal."""
        return np.asarray((first == second).all(axis=1))

    def positive(self, truth: IntArray, label: int) -> BoolArray:
        """Return (N,) whether each image has the label."""
        return np.asarray(truth[:, label] == 1)

    def confidence(self, probabilities: FloatArray, predicted: IntArray) -> npt.NDArray[np.floating]:
        """Return (N,) the probability that exactly the predicted labels hold, taken as independent."""
        wide = probabilities.astype(np.float64)
        found: Float64Array = np.where(predicted > 0, wide, 1 - wide).prod(axis=1)
        return found

    def scored(self, probabilities: FloatArray, truth: IntArray) -> tuple[Float64Array, Float64Array]:
        """Return (N * K,) all probabilities with 1 where the label is true."""
        return probabilities.ravel().astype(np.float64), truth.ravel().astype(np.float64)


def task_of(truth: IntArray) -> ClassificationTask:
    """Return the task whose truth has this shape: (N,) is multi-class, (N, K) multi-label."""
    return MultiClass() if truth.ndim == 1 else MultiLabel()
