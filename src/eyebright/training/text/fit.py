"""Fitting what reads texts: every featuriser that can, and the one that helps images most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eyebright.data.manifest import Sample
from eyebright.training.linear_probe.folds import groups_of, row_weights
from eyebright.training.text.featuriser import TextFeaturiser
from eyebright.training.text.fusion import TextFit, fit_text_head
from eyebright.training.text.ngrams import fit_ngrams
from eyebright.types import FloatArray, IntArray


def fit_texts(
    samples: Sequence[Sample],
    image: FloatArray,
    truth: IntArray,
    *,
    seed: int,
    encoder: TextFeaturiser | None = None,
    rewrite: Callable[[str], str] | None = None,
) -> Sequence[TextFit]:
    """Fit a text head for each featuriser, the one with the least held-out loss beside the image first.

    Args:
        samples: N training images with their texts.
        image: calibrated held-out logits (N, K) of the image head.
        truth: (N,) class numbers, or (N, K) labels.
        seed: of the folds.
        encoder: compared with n-grams, where one is given.
        rewrite: changes each text before it is read; None for nothing.

    Returns:
        None, one or two fits: none where no text says anything.
    """
    texts = [sample.text if rewrite is None else rewrite(sample.text) for sample in samples]
    featurisers = [fit_ngrams(texts), *([] if encoder is None else [encoder])]
    fits = [
        fit_text_head(
            one,
            texts,
            image,
            truth,
            groups=groups_of(samples),
            seed=seed,
            weights=row_weights(samples),
        )
        for one in featurisers
    ]
    return sorted((fit for fit in fits if fit is not None), key=lambda fit: fit.loss["both"])
