"""How strongly views may differ, known from the images before anything is learned, with labels or without.

Views are to stay what their image is. So each augmentation is tried with the network as it is given. Without
labels an augmented image must still be nearest to the one that it was made from; with labels its neighbours
must still name its class.

Whether images may be mirrored is a question of its own, since views are mirrored against each other. Where
things have no handedness, images and their mirror images are equally likely, and no direction of the feature
space tells the ones from the others on images that it was not found on, whatever the network. A weave, or
script, has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from eyebright.training.finetune.data.augment import COLUMNS, PRESETS, Augmentation, AugmentName, plan
from eyebright.training.finetune.data.augment_search import LADDER, AugmentTrial, choose_augmentation
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.training.finetune.system.memory import OomRetry, retry_smaller
from eyebright.training.pretrain.encoder import Encoder
from eyebright.training.pretrain.health import NEIGHBOURS, cosines, knn_accuracy, knn_consistency
from eyebright.types import FloatArray, IntArray

_HANDED = 0.75  # of the images, told from their mirror images; half by chance
# To be found among all others asks for more than to be of a class; what all views share is not learned.
_RECOGNISED = 1 / 3
_KNOWS = 0.1  # beyond chance: below, labels say nothing of the images
_BATCH = 16
_MIRROR = Augmentation(mirror=True)
#: Opens the images at a side in pixels.
OpenPixels = Callable[[int], Pixels]


@dataclass(frozen=True)
class AugmentCheck:
    """Which augmentation was chosen, and why.

    Attributes:
        name: of the preset.
        augmentation: of the preset, without mirroring where images have handedness.
        handedness: share of images that can be told from their mirror images; half where they cannot.
        trials: what is kept under each augmentation that was tried: the share of images that are recognised,
            or whose class is.
        by_labels: whether classes were recognised.
    """

    name: AugmentName
    augmentation: Augmentation
    handedness: float
    trials: list[AugmentTrial]
    by_labels: bool


def check_augmentations(
    net: Encoder, open_pixels: OpenPixels, size: int, seed: int, truth: IntArray | None
) -> AugmentCheck:
    """Return the strongest augmentation that leaves images what they are.

    Args:
        net: as it is given; takes pixels.
        open_pixels: gives some of the images.
        size: S of the views.
        seed: of the chance.
        truth: (m,) classes of these images; None where they are unknown.
    """
    images = open_pixels(size)
    count = len(images.samples)
    upright = torch.ones(count, COLUMNS) * 0.75  # of mirroring: no
    plain = _features(net, images, Augmentation(), size, upright)
    net.standardise(plain)  # scales of features differ by orders of magnitude
    plain = _standardised(net, plain)
    mirrored = _standardised(net, _features(net, images, _MIRROR, size, torch.zeros(count, COLUMNS)))
    handed = handedness(plain, mirrored)
    mirror = handed < _HANDED
    chances = torch.rand(count, COLUMNS, generator=torch.Generator().manual_seed(seed))
    chance = 0.0 if truth is None else float(np.bincount(truth).max() / count)
    by_labels = truth is not None and knn_accuracy(plain, truth) - chance > _KNOWS

    def kept(name: AugmentName) -> float:
        how = _preset(name, mirror)
        rows = _standardised(net, _features(net, open_pixels(how.stored_size(size)), how, size, chances))
        if by_labels and truth is not None:
            return _named(rows, plain, truth)
        return knn_consistency(rows, plain)

    name, trials = choose_augmentation(kept, chance) if by_labels else _strongest(kept)
    if name == "none":  # views must differ in something, and colour changes least
        name = LADDER[-2]
    return AugmentCheck(name, _preset(name, mirror), handed, trials, by_labels)


def _strongest(kept: Callable[[AugmentName], float]) -> tuple[AugmentName, list[AugmentTrial]]:
    """Return the strongest augmentation under which images are recognised among the others, and all tried."""
    trials = [AugmentTrial("none", kept("none"))]
    for name in LADDER[:-1]:
        trials.append(AugmentTrial(name, kept(name)))
        if trials[-1].accuracy >= _RECOGNISED:
            return name, trials
    return LADDER[-1], trials


def handedness(plain: FloatArray, mirrored: FloatArray) -> float:
    """Return the share of images that a direction tells from their mirror images, found on other images.

    Args:
        plain: (m, D) features.
        mirrored: (m, D) of the mirror images.
    """
    change = mirrored.astype(np.float64) - plain
    half = np.arange(len(change)) % 2 == 0
    right = 0.0
    for learned, asked in ((half, ~half), (~half, half)):
        if not learned.any() or not asked.any():
            return 0.5
        scores = change[asked] @ change[learned].mean(0)
        right += float((scores > 0).sum() + 0.5 * (scores == 0).sum())
    return right / len(change)


def _preset(name: AugmentName, mirror: bool) -> Augmentation:
    preset = PRESETS[name]
    return preset if mirror else replace(preset, mirror=False)


def _named(rows: FloatArray, plain: FloatArray, truth: IntArray) -> float:
    """Return the share of augmented images whose class most of their nearest other images have."""
    similar = cosines(rows, plain)
    np.fill_diagonal(similar, -np.inf)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = (truth[nearest][:, :, None] == np.arange(truth.max() + 1)).sum(1)
    return float((votes.argmax(1) == truth).mean())


def _standardised(net: Encoder, features: FloatArray) -> FloatArray:
    scaled: FloatArray = (features - net.mean.cpu().numpy()) / net.deviation.cpu().numpy()
    return scaled


def _features(net: Encoder, pixels: Pixels, how: Augmentation, size: int, chances: Tensor) -> FloatArray:
    """Return features (m, D), not standardised, of the images under an augmentation."""
    net.eval()
    device = net.pixel_mean.device
    drawn = plan(how, size, chances)
    retry = OomRetry(device)

    @torch.no_grad()
    def attempt(batch: int) -> FloatArray:
        found = []
        for places in np.split(np.arange(len(chances)), range(batch, len(chances), batch)):
            inputs = drawn.apply(torch.from_numpy(places), torch.from_numpy(pixels.rows(places)).to(device))
            found.append(net.read(inputs).float().cpu().numpy())
        return np.concatenate(found)

    rows, _ = retry_smaller(lambda batch: retry.do(lambda: attempt(batch)), _BATCH)
    return rows
