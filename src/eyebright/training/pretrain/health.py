"""Signs of health while a backbone is pretrained, and what they say of a collapse.

A collapse is when all images get nearly the same features: the loss may look well, the features are lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.text.language import translate
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.types import FloatArray, IntArray

NEIGHBOURS = 5
_SMALLEST_RANK = 1.5  # of projections: all lie on one line
_KEPT_RANK = 0.1  # of the rank that the features had before training
_SMALLEST_START = 2.0
_KEPT_CONSISTENCY = 0.25
_MOVED = 0.5  # of the weights' norm, which no gentle training does
_WARM, _COLD = 0.5, 0.02
_FEW = 16  # images a batch


@dataclass(frozen=True)
class Health:
    """Signs of health, on images as they are and one augmented view of each.

    Attributes:
        effective_rank: exponential of the entropy of the features' singular values: how many directions the
            images spread over.
        projected_rank: the same of the projections, which collapse first.
        knn_accuracy: share of images whose neighbours name their class; NaN without labels.
        knn_consistency: share of augmented views whose nearest image is the one that they were made from.
    """

    effective_rank: float
    projected_rank: float
    knn_accuracy: float
    knn_consistency: float


def measure_health(
    plain: FloatArray, augmented: FloatArray, projected: FloatArray, truth: IntArray | None
) -> Health:
    """Return the signs of health.

    Args:
        plain: (m, D) features of images as they are.
        augmented: (m, D) of one augmented view of each.
        projected: (m, d) projections of the images as they are.
        truth: (m,) their classes, if they are known.
    """
    if not all(np.isfinite(rows).all() for rows in (plain, augmented, projected)):
        return Health(0.0, 0.0, 0.0, 0.0)
    return Health(
        effective_rank(plain),
        effective_rank(projected),
        float("nan") if truth is None else knn_accuracy(plain, truth),
        knn_consistency(augmented, plain),
    )


def effective_rank(rows: FloatArray) -> float:
    """Return the effective rank of rows (m, D) about their mean (Roy and Vetterli, 2007); 0 of equal ones."""
    values = np.linalg.svd(rows.astype(np.float64) - rows.mean(0, dtype=np.float64), compute_uv=False)
    # Rounding is no spread: rows that are equal to float32's digits are equal.
    floor = 1e-5 * float(np.linalg.norm(rows)) / np.sqrt(max(len(rows), 1))
    values = values[values > floor]
    if not len(values):
        return 0.0
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def knn_accuracy(rows: FloatArray, truth: IntArray) -> float:
    """Return the share of rows (m, D) whose class most of their nearest others have, by the cosine."""
    similar = cosines(rows, rows)
    np.fill_diagonal(similar, -np.inf)
    count = min(NEIGHBOURS, len(rows) - 1)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :count]
    votes = np.zeros((len(rows), int(truth.max()) + 1))
    for place in range(count):  # of equal votes, the nearest one's class wins
        votes[np.arange(len(rows)), truth[nearest[:, place]]] += 1 + 1e-3 * (count - place)
    return float((votes.argmax(1) == truth).mean())


def knn_consistency(augmented: FloatArray, plain: FloatArray) -> float:
    """Return the share of views (m, D) whose nearest image (m, D) is the one that they were made from."""
    return float((cosines(augmented, plain).argmax(1) == np.arange(len(plain))).mean())


def collapse(health: Health, start: Health) -> bool:
    """Return whether the features have lost what they told images apart by."""
    least = max(_SMALLEST_START, _KEPT_RANK * start.effective_rank)
    return (
        health.projected_rank < _SMALLEST_RANK
        or health.effective_rank < least
        or health.knn_consistency < _KEPT_CONSISTENCY * start.knn_consistency
    )


def all_alike(start: Health) -> bool:
    """Return whether the images are all but identical to the backbone before it learned anything."""
    return start.effective_rank < _SMALLEST_START


def collapse_cause(recipe: PretrainRecipe, images: int, moved: float, shown: float | None) -> str:
    """Return the most likely cause of a collapse, and what to do.

    Args:
        recipe: the settings.
        images: of a step.
        moved: how far the weights went from where they began, as a share of their norm.
        shown: SimCLR's loss as a share of that of equal projections; None of other methods.
    """
    if not np.isfinite(moved) or moved > _MOVED:
        return translate(
            "The learning rate is too high: the weights moved by {moved} % of their size. Try --lr {lr}.",
            moved="∞" if not np.isfinite(moved) else f"{100 * moved:.0f}",
            lr=f"{recipe.lr / 10:.2g}",
        )
    if recipe.method == "simclr" and not _COLD <= recipe.temperature <= _WARM:
        return translate(
            "The temperature of {value} is outside of what tells images apart. Try --temperature 0.2.",
            value=recipe.temperature,
        )
    if images < _FEW:
        return translate(
            "A batch of {count:image|images} is too small to tell images apart. Use a --batch of at least "
            "{least}, or --method vicreg.",
            count=images,
            least=_FEW,
        )
    if shown is not None and shown > 1 - 1e-3:
        return translate(
            "The loss stays at that of equal images. Try a --temperature of 0.1, or --method vicreg."
        )
    return translate("The augmentation is probably too strong for these images. Try --augment gentle.")


def cosines(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return cosines (a, b) about the mean of the second rows."""
    mean = other.mean(0)

    def unit(rows: FloatArray) -> FloatArray:
        centred = rows - mean
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / np.maximum(norms, 1e-12), np.float32)

    found: FloatArray = unit(one) @ unit(other).T
    return found
