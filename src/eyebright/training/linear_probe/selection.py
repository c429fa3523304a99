"""Selection of input size, layers and views, by cross-validation inside the training split only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from eyebright.task.task import task_of
from eyebright.training.linear_probe.head import HeadFit
from eyebright.types import FloatArray, IntArray

#: Input sizes in pixels, compared in turn; a step up must earn its cost.
SIZE_LADDER = (96, 160, 224, 288, 448)
#: How many views of each image are compared: the image, its mirror image as well, and crops as well.
VIEW_COUNTS = (1, 2, 4)
_PHOTO_SIZE = 224
_ENLARGE = 4
#: Images on which settings are compared, and the fewer of them that settle what is clear.
SUBSET, FIRST = 400, 128
#: Up to so many training images, all settings are compared on all of them.
THOROUGH = 500
# A step up doubles the time of training and of every prediction: it must gain more than one standard error,
# and the next one is tried only after a step that took a fifth off the loss. Few images cannot show so much
# and take seconds, so the lowest loss is taken there.
_STANDARD_ERRORS, _OF_FEW = 1.0, 0.0
_PROMISING = 0.8
#: What the first images show by so many standard errors is not asked of more.
CLEAR = 2.0


@dataclass(frozen=True)
class ProbeCandidate:
    """A candidate, evaluated by cross-validation inside the training split.

    Attributes:
        name: of the input size or feature layer set, or the number of views.
        correct, count: images predicted correctly, and their number.
        log_loss: their mean, in nats.
        selected: whether it was selected.
        excess, error: by how much its log loss is above the selected candidate's on the same images, in the
            mean, with the standard error of that; None for the selected one.
    """

    name: str
    correct: int
    count: int
    log_loss: float
    selected: bool
    excess: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Setting:
    """How images become features: input size S in pixels, feature layer set, and number of views."""

    size: int
    layers: str
    views: int = 1


@dataclass(frozen=True)
class Selection:
    """The selected setting, and the candidates compared.

    Attributes:
        setting: the selected one.
        sizes, feature_layer_sets, views: the candidates; none where there was nothing to choose.
    """

    setting: Setting
    sizes: list[ProbeCandidate] = field(default_factory=list)
    feature_layer_sets: list[ProbeCandidate] = field(default_factory=list)
    views: list[ProbeCandidate] = field(default_factory=list)


def ladder(short_sides: Sequence[int] | IntArray) -> tuple[int, ...]:
    """Return the sizes worth trying for images with these short sides in pixels, the first to try first.

    Photographs start at the size that the backbone was trained at, tiny images at the smallest; nothing is
    enlarged more than four times.
    """
    side = float(np.median(short_sides))
    start = _PHOTO_SIZE if side >= _PHOTO_SIZE / 2 else SIZE_LADDER[0]
    sizes = tuple(size for size in SIZE_LADDER if size >= start and size <= _ENLARGE * side)
    return sizes or (SIZE_LADDER[0],)


def subset(truth: IntArray, groups: IntArray, count: int, seed: int) -> IntArray:
    """Return about ``count`` of N samples, drawn a class at a time in proportion, whole groups together.

    A smaller count with the same seed gives a part of the larger one's.
    """
    if len(truth) <= count:
        return np.arange(len(truth))
    order = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    rank = np.empty(len(truth), np.int64)
    for label in np.unique(truth):
        rows = np.flatnonzero(truth == label)
        rank[rows[np.argsort(order[rows], kind="stable")]] = np.arange(len(rows))
    share = count / len(truth)
    sizes = np.bincount(truth)
    keep: IntArray = np.flatnonzero(rank < np.maximum(4, np.ceil(share * sizes))[truth])
    return keep


def losses(fit: HeadFit, truth: IntArray) -> FloatArray:
    """Return the held-out log loss (N,) of each image, in nats."""
    return task_of(truth).losses(fit.held_out, truth)


def better(candidate: FloatArray, best: FloatArray, errors: float = _STANDARD_ERRORS) -> bool:
    """Return whether the candidate's losses (N,) are lower, by more than so many standard errors."""
    gain, error = _mean_and_error(best - candidate)
    return gain > errors * error and gain > 0


def promising(after: float, before: float) -> bool:
    """Return whether a step in size took so much off the log loss that the next one is worth trying."""
    return after <= _PROMISING * before


#: Trains a head: with a setting, on features of a feature layer set that holds the setting's, on the first
#: images alone or on all.
FitSetting: TypeAlias = Callable[[Setting, str, bool], HeadFit]


class SettingComparison:
    """Compares settings on images of the training split, the cheapest first.

    The first images settle what they show clearly: a step up in size that is taken, and layers that are given
    up. Only what they leave open is asked of all images, so a size that loses clearly costs little.

    Args:
        fit: trains a head, with held-out logits of its images, the same for all settings.
        truth: (N,) of all images, or (N, K).
        first: the places of the first ones; all of them where nothing is to be settled early.
        sets: names of the feature layer sets, each within the next.
        thorough: whether everything is tried, however little what came before it gained, and the lowest loss
            is taken, however uncertain it is.
    """

    def __init__(
        self, fit: FitSetting, truth: IntArray, first: IntArray, sets: Sequence[str], *, thorough: bool
    ) -> None:
        self._fit = fit
        self._truth = {False: truth[first], True: truth}
        self._rounds = (False, True) if len(first) < len(truth) else (True,)
        self._sets = tuple(sets)
        self._left = self._sets
        self._thorough = thorough
        self._errors = _OF_FEW if thorough else _STANDARD_ERRORS
        self._fits: dict[tuple[Setting, bool], HeadFit] = {}

    def select(self, sizes: Sequence[int], views: Sequence[int] = (1,)) -> Selection:
        """Return the best of these settings.

        Args:
            sizes: in pixels, from the smallest.
            views: numbers of views, compared at the size and the layers that were selected.
        """
        best = self._climb(sizes, views[0])
        tried = list(self._fits)
        by_size = {str(size): [s for s, _ in tried if s.size == size] for size in sizes}
        size_rows = self._rows(by_size, best)
        layer_rows = self._rows(*self._by_layers(best))
        by_views = {str(count): [replace(best, views=count)] for count in views}
        for (setting,) in by_views.values():
            if better(self._losses(setting, True), self._losses(best, True), self._errors):
                best = setting
        return Selection(best, size_rows, layer_rows, self._rows(by_views, best))

    def _climb(self, sizes: Sequence[int], views: int) -> Setting:
        """Try sizes from the smallest up, until a step gains little or nothing."""
        size = sizes[0]
        for larger in sizes[1:]:
            for whole in self._rounds:
                before = self._losses(self._best(size, views, whole), whole)
                after = self._losses(self._best(larger, views, whole), whole)
                steep = promising(float(after.mean()), float(before.mean()))
                if (steep and better(after, before, CLEAR)) or better(before, after):
                    break
            size = larger if better(after, before, self._errors) else size
            if not (steep or self._thorough):
                break
        return self._best(size, views, True)

    def _best(self, size: int, views: int, whole: bool) -> Setting:
        """Return the setting with the best layers at a size; layers that are clearly worse are given up."""
        *_, widest = self._left
        settings = [Setting(size, layers, views) for layers in self._left]
        for setting in reversed(settings):  # the widest first, whose features hold the others'
            if (setting, whole) not in self._fits:
                self._fits[setting, whole] = self._fit(setting, widest, whole)
        best = min(settings, key=lambda setting: self._losses(setting, whole).mean())
        if not self._thorough:
            lost = [s for s in settings if better(self._losses(best, whole), self._losses(s, whole), CLEAR)]
            self._left = tuple(layers for layers in self._left if layers not in {s.layers for s in lost})
        return best

    def _losses(self, setting: Setting, whole: bool) -> FloatArray:
        if (setting, whole) not in self._fits:
            self._fits[setting, whole] = self._fit(setting, setting.layers, whole)
        return losses(self._fits[setting, whole], self._truth[whole])

    def _by_layers(self, best: Setting) -> tuple[dict[str, list[Setting]], Setting]:
        """Return the layers at the size at which most were compared, and the selected ones there.

        Of several such sizes it is the selected one, or else the largest.
        """
        compared = {s: {t.layers for t, _ in self._fits if t.size == s.size} for s, _ in self._fits}
        size = max(compared, key=lambda s: (len(compared[s]), s.size == best.size, s.size)).size
        groups = {name: [replace(best, size=size, layers=name)] for name in self._sets}
        known = {s for s, _ in self._fits}
        return {name: g for name, g in groups.items() if g[0] in known}, replace(best, size=size)

    def _rows(self, groups: Mapping[str, Sequence[Setting]], selected: Setting) -> list[ProbeCandidate]:
        """Return a row for the best of each group, all on the same images; none of a single group."""
        groups = {name: group for name, group in groups.items() if group}
        if len(groups) < 2:
            return []
        whole = all(any((s, True) in self._fits for s in group) for group in groups.values())
        own = self._losses(selected, whole)
        rows = []
        for name, group in groups.items():
            known = [s for s in group if (s, whole) in self._fits]
            setting = min(known, key=lambda s: (s != selected, float(self._losses(s, whole).mean())))
            beside = None if setting == selected else own
            rows.append(candidate(name, self._fits[setting, whole], self._truth[whole], beside))
        return rows


def candidate(name: str, fit: HeadFit, truth: IntArray, selected: FloatArray | None) -> ProbeCandidate:
    """Return a row beside the losses (N,) of the selected candidate; None for that itself."""
    lost = losses(fit, truth)
    correct = int(task_of(truth).correct(fit.held_out, truth).sum())
    row = ProbeCandidate(name, correct, len(truth), float(lost.mean()), selected is None)
    if selected is None:
        return row
    excess, error = _mean_and_error(lost - selected)
    return replace(row, excess=excess, error=error)


def _mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Return the mean of (N,) and its standard error."""
    return float(values.mean()), float(values.std() / np.sqrt(len(values)))
