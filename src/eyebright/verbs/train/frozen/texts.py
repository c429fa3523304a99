"""Texts in training: a head that reads them beside the images, and what they give away of the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.data.manifest import Manifest
from eyebright.evaluation.text_leak import ClassWords, find_class_words
from eyebright.runtime.context import progress_task, say, timed
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.text.encoder import SentenceEncoder, load_encoder
from eyebright.training.text.featuriser import TextFeaturiser
from eyebright.training.text.fit import fit_texts
from eyebright.training.text.fusion import TextFit
from eyebright.types import FloatArray, Json, JsonObject
from eyebright.verbs.train.options import TrainConfig


@dataclass(frozen=True)
class TextReading:
    """How texts are read.

    Attributes:
        seed: of the folds.
        columns: that the texts come from.
        encoder: a sentence encoder that is compared with n-grams; None for n-grams alone.
    """

    seed: int
    columns: Sequence[str]
    encoder: TextFeaturiser | None = None


@dataclass(frozen=True)
class ReadTexts:
    """A text head, what it was chosen from, and what texts give away.

    Attributes:
        fits: of each featuriser, the chosen one first.
        words: of texts that are spelled like names of classes.
        masked: a head fitted on texts without these words; None where nothing leaks.
        columns: that the texts come from.
    """

    fits: Sequence[TextFit]
    words: ClassWords
    masked: TextFit | None
    columns: Sequence[str]

    @property
    def fit(self) -> TextFit:
        """Return the chosen fit."""
        return self.fits[0]

    @property
    def tokenizer(self) -> str | None:
        """Return the tokenizer of the chosen sentence encoder; None of n-grams."""
        featuriser = self.fit.head.featuriser
        return featuriser.tokenizer.to_str() if isinstance(featuriser, SentenceEncoder) else None

    def chosen(self) -> JsonObject:
        """Return what was selected, for `metrics.json` and the card."""
        head = self.fit.head
        return {
            "featuriser": head.featuriser.name,
            "columns": list(self.columns),
            "features": head.featuriser.width,
            "l2": head.l2,
            "image_weight": head.image_weight,
            "text_weight": head.text_weight,
        }

    def candidates(self) -> Sequence[Json]:
        """Return the featurisers that were compared, with their held-out losses in nats."""
        return [
            {"name": fit.head.featuriser.name, "selected": fit is self.fit, "log_loss": fit.loss}
            for fit in self.fits
        ]


def reading_of(config: TrainConfig, manifest: Manifest) -> TextReading | None:
    """Return how the texts of a manifest are read; None where it has none."""
    if not any(s.text for s in manifest.samples):
        return None
    encoder = None if config.text_encoder is None else load_encoder(config.text_encoder)
    columns = config.text or (manifest.columns.text if manifest.columns else ())
    return TextReading(config.seed, columns, encoder)


def read_texts(reading: TextReading, model: FrozenModel, image: FloatArray) -> ReadTexts | None:
    """Fit a head on the texts of the training images; None where too few of them say anything.

    Args:
        reading: how.
        model: the solved image head, with its images.
        image: its calibrated held-out logits (N, K).
    """
    samples = model.samples
    with timed("text"), progress_task("Reading texts", total=2) as task:
        fits = fit_texts(samples, image, model.truth, seed=reading.seed, encoder=reading.encoder)
        task.advance()
        names = [s.labels if model.truth.ndim > 1 else (s.label,) for s in samples]
        words = find_class_words([s.text for s in samples], names)
        masked: Sequence[TextFit] = ()
        if fits and words.leaks:
            masked = fit_texts(
                samples,
                image,
                model.truth,
                seed=reading.seed,
                encoder=reading.encoder,
                rewrite=words.masked,
            )
        task.advance()
    if not fits:
        say("Warning: too few training images have a text that says anything. The model reads none.")
        return None
    _say(fits[0], words)
    return ReadTexts(fits, words, masked[0] if masked else None, reading.columns)


def _say(fit: TextFit, words: ClassWords) -> None:
    head = fit.head
    if not head.text_weight:
        say("The texts tell nothing that helps on images held out in training: images alone are answered.")
    elif not head.image_weight:
        say("The texts alone answer best on images held out in training.")
    else:
        say(
            "Texts are read by {name}: log loss of held-out images {image} alone, {text} of texts alone, "
            "{both} of both.",
            name=head.featuriser.name,
            **{name: f"{loss:.3f}" for name, loss in fit.loss.items()},
        )
    if words.leaks:
        say(
            "Warning: {share} of the texts name their class, so they may give away what an image shows. The "
            "report says what is left without these words.",
            share=f"{100 * words.own:.0f} %",
        )
