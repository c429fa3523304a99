"""What image and text each tell a sealed model, and what texts give away."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.evaluation.modalities import Modalities, ModalityAnswers, compare_modalities
from eyebright.evaluation.text_leak import ClassWords, MaskedFigures, TextLeak
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel
from eyebright.task.task import ClassificationTask
from eyebright.training.cache.store import default_folder
from eyebright.training.text.fusion import TextHead
from eyebright.types import FloatArray, Split

_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class AloneAnswers:
    """What a model answers to N images alone, and to their texts alone."""

    image: ModalityAnswers
    text: ModalityAnswers


def answer_alone(predictions: Predictions, model: SealedModel, root: Path) -> AloneAnswers:
    """Ask a model that reads texts for each image without its text, and for each text without its image.

    Args:
        predictions: of the model for N images, whose features are cached, by the decisions that count.
        model: that reads texts.
        root: of the images.
    """
    bare = [replace(sample, text="") for sample in predictions.samples]
    with SILENT.task("", total=len(bare)) as task:
        image = predict_samples(model, root, bare, default_folder(), task=nullcontext(task))
    text = model.text_probabilities([sample.text for sample in predictions.samples])
    decide = predictions.task.predicted
    return AloneAnswers(
        ModalityAnswers(image.probabilities, decide(image.probabilities)), ModalityAnswers(text, decide(text))
    )


def joined_answers(parts: Sequence[AloneAnswers]) -> AloneAnswers:
    """Return the answers of several models to different images as one."""

    def joined(answers: Sequence[ModalityAnswers]) -> ModalityAnswers:
        return ModalityAnswers(
            np.concatenate([one.probabilities for one in answers]),
            np.concatenate([one.predicted for one in answers]),
        )

    return AloneAnswers(joined([part.image for part in parts]), joined([part.text for part in parts]))


def measure_modalities(
    predictions: Predictions, alone: AloneAnswers, split: Split, seed: int
) -> Modalities | None:
    """Return the accuracy of image, text and both on one split; None where no image has a text.

    Args:
        predictions: of both.
        alone: answers to all of the predicted images.
        split: the evaluated one.
        seed: of the bootstrap.
    """
    places = predictions.of(split)
    texts = sum(bool(predictions.samples[place].text) for place in places)
    if not texts:
        return None
    return compare_modalities(
        predictions.task,
        predictions.truth[places],
        predictions.labels,
        split,
        image=alone.image.of(places),
        text=alone.text.of(places),
        both=ModalityAnswers(predictions.probabilities[places], predictions.predicted[places]),
        texts=texts,
        groups=predictions.groups(places),
        seed=seed,
    )


def measure_leak(
    predictions: Predictions,
    alone: AloneAnswers | None,
    split: Split,
    words: ClassWords,
    masked: TextHead | None,
    seed: int,
) -> TextLeak:
    """Return what texts give away, with the figures of a text head that never saw the names of classes.

    Args:
        predictions: of the model.
        alone: answers to all of the predicted images; None where they are not the model's own.
        split: the evaluated one.
        words: that are spelled like names of classes.
        masked: fitted on texts without these; None where nothing leaks.
        seed: of the bootstrap.
    """
    if alone is None or masked is None:
        return TextLeak(words.own, words.words)
    places = predictions.of(split)
    task = predictions.task
    texts = [words.masked(predictions.samples[place].text) for place in places.tolist()]
    alone_image = alone.image.of(places)
    image = _logits(task, alone_image.probabilities)
    text = _answers(task, masked.logits(texts)[0])
    both = _answers(task, masked.fused(image, texts))
    groups, truth = predictions.groups(places), predictions.truth[places]
    found = compare_modalities(
        task,
        truth,
        predictions.labels,
        split,
        image=alone_image,
        text=text,
        both=both,
        texts=sum(map(bool, texts)),
        groups=groups,
        seed=seed,
    )
    return TextLeak(words.own, words.words, MaskedFigures(found.text, found.both, found.gain))


def _answers(task: ClassificationTask, logits: FloatArray) -> ModalityAnswers:
    probabilities = task.probabilities(logits)
    return ModalityAnswers(probabilities, task.predicted(probabilities))


def _logits(task: ClassificationTask, probabilities: FloatArray) -> FloatArray:
    """Return logits (N, K) that have these probabilities."""
    found = np.log(np.maximum(probabilities, _TINY))
    if task.multilabel:
        found = found - np.log(np.maximum(1 - probabilities, _TINY))
    return np.asarray(found, np.float32)
