"""What image and text each tell: accuracy of either alone and of both, on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from eyebright.evaluation.measure import measure_split
from eyebright.evaluation.paired import accuracy_difference
from eyebright.task.task import ClassificationTask
from eyebright.types import FloatArray, IntArray, Interval, JsonObject, Split


@dataclass(frozen=True)
class Modalities:
    """Accuracy of a model that reads texts, by what it is given.

    Attributes:
        image, text, both: accuracy with its 95 % interval.
        gain: of both less the image alone, paired.
        image_gain: of both less the text alone, paired.
        count: evaluated images.
        texts: those with a text.
    """

    image: Interval
    text: Interval
    both: Interval
    gain: Interval
    image_gain: Interval
    count: int
    texts: int

    def to_json(self) -> JsonObject:
        """Return the entries of `metrics.json`."""
        return {
            "modalities": {
                name: {"accuracy": asdict(one)}
                for name, one in (("image", self.image), ("text", self.text), ("both", self.both))
            }
            | {"images": self.count, "texts": self.texts},
            "text_gain": asdict(self.gain),
        }


@dataclass(frozen=True)
class ModalityAnswers:
    """Probabilities (N, K) of N images, and what was predicted for them."""

    probabilities: FloatArray
    predicted: IntArray

    def of(self, places: IntArray) -> ModalityAnswers:
        """Return the answers to some of the images."""
        return ModalityAnswers(self.probabilities[places], self.predicted[places])


def compare_modalities(
    task: ClassificationTask,
    truth: IntArray,
    labels: Sequence[str],
    split: Split,
    *,
    image: ModalityAnswers,
    text: ModalityAnswers,
    both: ModalityAnswers,
    texts: int,
    groups: IntArray | None,
    seed: int,
) -> Modalities:
    """Return the accuracy of image, text and both.

    Args:
        task: of the model.
        truth: (N,) class numbers, or (N, K) labels.
        labels: K names.
        split: that is evaluated.
        image: answers to the images alone.
        text: answers to the texts alone.
        both: answers to both.
        texts: how many images have a text.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
        seed: of the bootstrap.
    """
    accuracy = {
        name: measure_split(
            task,
            truth,
            one.probabilities,
            labels,
            split,
            predicted=one.predicted,
            groups=groups,
            seed=seed,
        ).accuracy
        for name, one in (("image", image), ("text", text), ("both", both))
    }
    right = {
        name: task.agree(one.predicted, truth)
        for name, one in (("image", image), ("text", text), ("both", both))
    }
    return Modalities(
        accuracy["image"],
        accuracy["text"],
        accuracy["both"],
        accuracy_difference(right["both"], right["image"], groups),
        accuracy_difference(right["both"], right["text"], groups),
        len(truth),
        texts,
    )
