"""What image and text each tell a sealed model, and what texts give away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.evaluation.modalities import Modalities, ModalityAnswers, compare_modalities
from eyebright.evaluation.text_leak import ClassWords, MaskedFigures, TextLeak, find_class_words
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
    texts = [sample.text for sample in predictions.samples]
    return AloneAnswers(
        _answers_with(predictions, model, root, lambda _: ""),
        _decided(predictions.task, model.text_probabilities(texts)),
    )


def _answers_with(
    predictions: Predictions, model: SealedModel, root: Path, rewrite: Callable[[str], str]
) -> ModalityAnswers:
    """Ask a model for the same images with other texts."""
    samples = [replace(sample, text=rewrite(sample.text)) for sample in predictions.samples]
    with SILENT.task("", total=len(samples)) as task:
        found = predict_samples(model, root, samples, default_folder(), task=nullcontext(task))
    return _decided(predictions.task, found.probabilities)


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
    image = _logits(task, alone.image.of(places).probabilities)
    figures = _masked_figures(
        predictions,
        split,
        seed,
        image=alone.image.of(places),
        text=_decided(task, task.probabilities(masked.logits(texts)[0])),
        both=_decided(task, task.probabilities(masked.fused(image, texts))),
        texts=texts,
    )
    return TextLeak(words.own, words.words, figures)


def measure_leak_of_evaluated(
    predictions: Predictions, alone: AloneAnswers, split: Split, model: SealedModel, root: Path, seed: int
) -> TextLeak:
    """Return what texts of one split give away, with what the model makes of them without these words.

    The model learned from other texts, which may have named their classes too: unlike a head that was fitted
    without such words, it may miss them.

    Args:
        predictions: of the model.
        alone: its answers to all of the predicted images.
        split: the evaluated one.
        model: that reads texts.
        root: of the images.
        seed: of the bootstrap.
    """
    places = predictions.of(split)
    samples = [predictions.samples[place] for place in places.tolist()]
    multilabel = predictions.task.multilabel
    words = find_class_words(
        [s.text for s in samples], [s.labels if multilabel else (s.label,) for s in samples]
    )
    if not words.leaks:
        return TextLeak(words.own, words.words, source="evaluated")
    texts = [words.masked(sample.text) for sample in samples]
    figures = _masked_figures(
        predictions,
        split,
        seed,
        image=alone.image.of(places),
        text=_decided(predictions.task, model.text_probabilities(texts)),
        both=_answers_with(predictions, model, root, words.masked).of(places),
        texts=texts,
    )
    return TextLeak(words.own, words.words, figures, "evaluated")


def _masked_figures(
    predictions: Predictions,
    split: Split,
    seed: int,
    *,
    image: ModalityAnswers,
    text: ModalityAnswers,
    both: ModalityAnswers,
    texts: Sequence[str],
) -> MaskedFigures:
    """Return accuracy on one split from answers to its n images, whose texts are without some words."""
    places = predictions.of(split)
    found = compare_modalities(
        predictions.task,
        predictions.truth[places],
        predictions.labels,
        split,
        image=image,
        text=text,
        both=both,
        texts=sum(map(bool, texts)),
        groups=predictions.groups(places),
        seed=seed,
    )
    return MaskedFigures(found.text, found.both, found.gain)


def _decided(task: ClassificationTask, probabilities: FloatArray) -> ModalityAnswers:
    return ModalityAnswers(probabilities, task.predicted(probabilities))


def _logits(task: ClassificationTask, probabilities: FloatArray) -> FloatArray:
    """Return logits (N, K) that have these probabilities."""
    found = np.log(np.maximum(probabilities, _TINY))
    if task.multilabel:
        found = found - np.log(np.maximum(1 - probabilities, _TINY))
    return np.asarray(found, np.float32)
