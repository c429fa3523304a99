"""The head that reads image and text: each by a convex head of its own, and both by their weighted logits.

Image and text features differ in number and kind, so each is standardised and regularised by itself. What the
two heads say of images that they did not learn from is then fused by two weights, in a third convex problem.
A missing text, or image, so costs nothing: the other head answers as it would alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.task.task import ClassificationTask, task_of
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.multilabel import fit_labels
from eyebright.training.text.featuriser import TextFeaturiser
from eyebright.types import BoolArray, FloatArray, IntArray

#: L2 strengths of text, strong to weak, for rows whose mean square norm is 1: texts overfit easily.
TEXT_STRENGTHS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6)
# Fused logits must have a lower held-out loss than the better head alone by so many standard errors.
_STANDARD_ERRORS = 0.5


@dataclass(frozen=True)
class TextHead:
    """What a model reads from texts, and how much it counts beside the image.

    Attributes:
        featuriser: of texts.
        head: on its features, over its temperature.
        image_weight, text_weight: of the calibrated logits where an image has a text.
        l2: the text head's strength.
    """

    featuriser: TextFeaturiser
    head: LinearHead
    image_weight: float
    text_weight: float
    l2: float

    def logits(self, texts: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """Return calibrated logits (N, K) of texts, and whether each text (N,) says anything."""
        rows, present = self.featuriser.rows(texts)
        return self.head.logits(rows), present

    def fused(self, image: FloatArray, texts: Sequence[str]) -> FloatArray:
        """Return calibrated logits (N, K) of images and their texts.

        Args:
            image: calibrated logits (N, K) of the images alone.
            texts: N, empty where an image has none.
        """
        text, present = self.logits(texts)
        return fuse(image, text, present, self.image_weight, self.text_weight)


def fuse(
    image: FloatArray, text: FloatArray, present: BoolArray, image_weight: float, text_weight: float
) -> FloatArray:
    """Return calibrated logits (N, K): weighted where there is a text, those of the image elsewhere."""
    both = np.float32(image_weight) * image + np.float32(text_weight) * text
    return np.asarray(np.where(present[:, None], both, image), np.float32)


@dataclass(frozen=True)
class TextFit:
    """A text head with what it says of training images that it did not learn from.

    Attributes:
        head: the fitted head.
        held_out: calibrated fused logits (N, K).
        loss: mean held-out loss of the images with text, in nats, by "image", "text" and "both".
    """

    head: TextHead
    held_out: FloatArray
    loss: dict[str, float]


def fit_text_head(
    featuriser: TextFeaturiser,
    texts: Sequence[str],
    image: FloatArray,
    truth: IntArray,
    *,
    groups: IntArray,
    seed: int,
    weights: FloatArray | None = None,
) -> TextFit | None:
    """Fit the text head and the weights of the two.

    Args:
        featuriser: of texts.
        texts: N, empty where an image has none.
        image: calibrated held-out logits (N, K) of the image head.
        truth: (N,) class numbers, or (N, K) labels.
        groups: (N,) numbers that images share which are not independent.
        seed: of the folds.
        weights: (N,) of the images in training; None counts all alike.

    Returns:
        The fit; None where too few images have a text.
    """
    task = task_of(truth)
    rows, present = featuriser.rows(texts)
    there = np.flatnonzero(present)
    if len(there) < 2 or len(np.unique(groups[there])) < 2:
        return None
    kept = None if weights is None else weights[there]
    fit = _fit_block(rows[there], truth[there], image.shape[1], task, groups[there], seed, kept)
    temperature = np.float32(task.fit_temperature(fit.held_out, truth[there]))
    text = np.zeros_like(image)
    text[there] = fit.held_out / temperature
    shares = _weights(image[there], text[there], truth[there], task)
    head = LinearHead(fit.head.weights / temperature, fit.head.bias / temperature)
    held_out = fuse(image, text, present, *shares)
    loss = {
        name: float(task.losses(logits[there], truth[there]).mean())
        for name, logits in (("image", image), ("text", text), ("both", held_out))
    }
    return TextFit(TextHead(featuriser, head, *shares, fit.l2), held_out, loss)


def _fit_block(
    rows: FloatArray,
    truth: IntArray,
    classes: int,
    task: ClassificationTask,
    groups: IntArray,
    seed: int,
    weights: FloatArray | None,
) -> HeadFit:
    """Fit a head on text features (n, D), standardised as one block: rare n-grams are not blown up."""
    mean = rows.mean(axis=0)
    scale = np.float32(1 / max(float(np.sqrt(np.square(rows - mean).sum(axis=1).mean())), 1e-6))
    block = (rows - mean) * scale
    if task.multilabel:
        fit = fit_labels(
            block,
            truth,
            task.strata(truth),
            groups=groups,
            weights=weights,
            seed=seed,
            strengths=TEXT_STRENGTHS,
            standardised=True,
        )
    else:
        fit = fit_head(
            block,
            truth,
            classes,
            groups=groups,
            weights=weights,
            seed=seed,
            strengths=TEXT_STRENGTHS,
            standardised=True,
        )
    slopes = fit.head.weights * scale
    head = LinearHead(slopes, fit.head.bias - mean @ slopes)
    return HeadFit(head, fit.l2, fit.path, fit.held_out, fit.discriminant_share)


def _weights(
    image: FloatArray, text: FloatArray, truth: IntArray, task: ClassificationTask
) -> tuple[float, float]:
    """Return the weights of calibrated held-out logits (n, K) with the least loss, which are not negative.

    Where both together are not better than the better one alone, that one answers.
    """

    def loss(weights: FloatArray) -> float:
        return float(
            task.losses(np.float32(weights[0]) * image + np.float32(weights[1]) * text, truth).mean()
        )

    # Differences of a step that float32 can tell: the losses' own rounding is 1e-7.
    # A tenth of all that a training imports, and most never come here.
    from scipy.optimize import minimize

    found = minimize(
        loss, np.array([0.7, 0.7]), method="L-BFGS-B", bounds=[(0, 4), (0, 4)], options={"eps": 1e-3}
    )
    both = task.losses(np.float32(found.x[0]) * image + np.float32(found.x[1]) * text, truth)
    alone = {(1.0, 0.0): task.losses(image, truth), (0.0, 1.0): task.losses(text, truth)}
    best = min(alone, key=lambda weights: float(alone[weights].mean()))
    gain = alone[best] - both
    error = float(gain.std()) / np.sqrt(len(gain))
    if float(gain.mean()) <= _STANDARD_ERRORS * error:
        return best
    return float(found.x[0]), float(found.x[1])
