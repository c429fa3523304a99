"""The head that fine-tuning begins with: as unsure of its own images as of others.

The best frozen head all but interpolates its training images: it is right and sure of each, with very large
logits. The backbone then has nothing to learn from them but to be less sure, which label smoothing demands,
and the first epochs undo the head. With more L2 the training loss is that of images it has not seen, and its
gradient is about mistakes again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyebright.training.head import HeadFit
from eyebright.training.linear import LinearHead
from eyebright.training.path import STRENGTHS
from eyebright.training.tasks import fit, image_losses
from eyebright.types import IntArray

_STRONGER = (1e-1, 1e-2)  # than any that a frozen head would be best with


def moderate_head(
    features: npt.NDArray[np.floating],
    truth: IntArray,
    classes: int,
    solved: HeadFit,
    held_out_loss: float,
    seed: int,
) -> LinearHead:
    """The head of the least L2 whose loss on ``features`` is not below ``held_out_loss``.

    Args:
        features: (N, D) of training images.
        truth: (N,) their classes, or (N, K) where they may have several labels.
        classes: K.
        solved: the frozen head, which is given back where its loss is high enough.
        held_out_loss: mean loss of images that it was not solved on.
        seed: of the rank reduction.
    """
    head = solved.head
    stronger = [l2 for l2 in (*STRENGTHS[::-1], *_STRONGER[::-1]) if l2 > solved.l2]
    everything = np.ones(len(truth), bool)
    for l2 in stronger:
        if float(image_losses(head.logits(features), truth).mean()) >= held_out_loss:
            break
        alone = np.arange(len(truth))
        head = fit(features, truth, classes, groups=alone, scored=everything, seed=seed, strengths=(l2,)).head
    return head
