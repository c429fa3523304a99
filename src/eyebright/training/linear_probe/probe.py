"""Linear probing: engine, input size, layers and L2 strength are selected inside the training split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.feature_layers import FeatureLayer, columns, feature_layer_sets, width
from eyebright.data.manifest import Manifest, Sample
from eyebright.engines.base import Engine
from eyebright.engines.choose import Trial, select
from eyebright.engines.selection import say_engine, trial_images
from eyebright.errors import ConfigError
from eyebright.runtime.compact.rows import Mapped, kept, picked, values
from eyebright.runtime.context import progress, progress_task, say, timed
from eyebright.runtime.machine import release_memory
from eyebright.text.language import translate
from eyebright.training.cache.selection_cache import cached_selection
from eyebright.training.linear_probe.features import FeatureExtractor, graph_bytes, training_preprocessing
from eyebright.training.linear_probe.folds import groups_of, row_weights
from eyebright.training.linear_probe.head import HeadFit, most_strengths
from eyebright.training.linear_probe.learning_curve import PARTS, CurvePoint, learning_curve
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.lower_precision import LARGEST_MOVE, MANY, largest_move
from eyebright.training.linear_probe.selection import (
    FIRST,
    SUBSET,
    THOROUGH,
    VIEW_COUNTS,
    ProbeCandidate,
    Selection,
    Setting,
    SettingComparison,
    ladder,
    subset,
)
from eyebright.training.linear_probe.streaming_lda import fit_large
from eyebright.training.linear_probe.targets import fit as fit_task
from eyebright.training.linear_probe.targets import truth_of
from eyebright.training.linear_probe.training_images import require_training_images, say_single_images
from eyebright.types import BoolArray, IntArray, Skipped

#: Feature tables of up to this many bytes, as float32, are solved in memory.
IN_MEMORY_BYTES = 400_000_000


@dataclass(frozen=True)
class FrozenModel:
    """A trained head with all that was selected on the way.

    Attributes:
        extractor: of the chosen input size and feature layer set.
        layers: the chosen feature layer set's name.
        fit: the head, with its held-out logits (N, K).
        truth: (N,) classes of the held-out logits' images, or (N, K) if multi-label.
        trials: the engines that were compared, the one that is used first; none where it was given.
        sizes: the input sizes that were compared; none where the size was given.
        feature_layer_sets: the feature layer sets that were compared; none where the set was given.
        view_counts: the numbers of views that were compared, likewise.
        views: how many views of each image the head learned from.
        skipped: images that could not be read.
        curve: the accuracy of heads of fewer images, if requested.
        samples: the images of the held-out logits.
    """

    extractor: FeatureExtractor
    layers: str
    fit: HeadFit
    truth: IntArray
    trials: Sequence[Trial]
    sizes: Sequence[ProbeCandidate]
    feature_layer_sets: Sequence[ProbeCandidate]
    view_counts: Sequence[ProbeCandidate]
    views: int
    skipped: Sequence[Skipped]
    curve: Sequence[CurvePoint] = ()
    samples: Sequence[Sample] = ()


@dataclass(frozen=True)
class EarlierSelection:
    """What an earlier training on nearly the same images selected, and is not selected again.

    Attributes:
        engine: its name; None to select one.
        layers: the feature layer set's name.
        taps: its feature layers.
    """

    engine: str | None
    layers: str
    taps: tuple[FeatureLayer, ...]


#: Is called with the features of all training images, before the head is solved.
OnFeatures: TypeAlias = Callable[[FeatureExtractor, Sequence[Sample]], None]


class _FewerImagesError(Exception):
    """Images that were read at one size cannot be read any more at the next."""


class FrozenTrainer:
    """Linear probing on the training split of a manifest.

    Args:
        manifest: its other splits are never looked at.
        backbone: whose features the head is trained on.
        cache: the feature cache's folder.
        views: of each image that the head is trained on; None to choose their number with the size, where
            there are few images.
        seed: of the folds and the subset.
        layers: the feature layer set's name, or "auto".
        earlier: what is taken from an earlier training, which then counts instead of ``layers``.
        prior: a head on the backbone's last layer, to which the head is drawn.
        mixed: whether features of many images may be of mixed precision, where nothing but the head is to
            learn from them.
    """

    def __init__(
        self,
        manifest: Manifest,
        backbone: Backbone,
        cache: Path,
        *,
        views: int | None,
        layers: str,
        seed: int,
        earlier: EarlierSelection | None = None,
        prior: LinearHead | None = None,
        mixed: bool = False,
    ) -> None:
        self.manifest = manifest
        self.backbone = backbone
        self.cache = cache
        self.views = views or 1
        self._choose_views = views is None
        self._view_counts: tuple[int, ...] = (self.views,)
        self._compared: dict[Setting, FeatureExtractor] = {}
        self._raced: tuple[tuple[int, tuple[FeatureLayer, ...]], Engine] | None = None
        self.seed = seed
        self.samples = manifest.of("train")
        self._mixed = mixed and len(self.samples) >= MANY
        self.skipped: list[Skipped] = []
        self.trials: list[Trial] = []
        self.earlier = earlier
        self.prior = prior
        self.sets = self._usable_sets(layers) if earlier is None else {earlier.layers: earlier.taps}

    def train(self, size: int | None, on_features: OnFeatures | None = None) -> FrozenModel:
        """Train a head.

        Args:
            size: S in pixels, or None to choose it.
            on_features: is called before the head is solved.

        Raises:
            DataError: too few images can be read.
        """
        if size is None and self._choose_views and self._few():
            most = IN_MEMORY_BYTES // (4 * width(self.sets[[*self.sets][-1]]) * len(self.samples))
            self._view_counts = tuple(count for count in VIEW_COUNTS if count <= max(1, most))
        require_training_images(self.manifest, self.samples, ())
        say_single_images(self.manifest, self.samples)
        sizes = self._sizes(size)
        *_, widest = self.sets
        if self.earlier is None or self.earlier.engine is None:
            with timed("engine"):
                self.trials = self._race(sizes[0], self.sets[widest])
        with timed("selection"):
            choice = self._choose(sizes)
            extractor, layers = self._chosen(choice.setting), choice.setting.layers
        if not extractor.exact and self.trials:
            with timed("engine"):  # what agreed at the first size and on all layers need not here
                self.trials = self._race(choice.setting.size, extractor.taps)
                extractor = self._chosen(choice.setting)
        say(
            "Selected on the training split: {size} px, feature layers: {layers}."
            if self.earlier is None
            else "Kept from the run: {size} px, feature layers: {layers}.",
            size=extractor.preprocessing.size,
            layers=layers,
        )
        fit, truth = self._head(extractor, on_features)
        if not extractor.exact and self._moves(extractor, fit.head):
            extractor = extractor.in_float32()
            self.trials = [t for t in self.trials if t.name.endswith("float32")]
            fit, truth = self._head(extractor, on_features)
        return FrozenModel(
            extractor,
            layers,
            fit,
            truth,
            self.trials,
            choice.sizes,
            choice.feature_layer_sets,
            choice.views,
            self.views,
            self.skipped,
            samples=self.samples,
        )

    def _head(self, extractor: FeatureExtractor, on_features: OnFeatures | None) -> tuple[HeadFit, IntArray]:
        """Compute the features of all training images; return the head with the truth of its images."""
        with timed("features"):
            text = translate("Computing features at {size} px", size=extractor.preprocessing.size)
            self.samples = self._compute(extractor, self.samples, text)
        if on_features is not None:
            on_features(extractor, self.samples)
        with timed("head"):
            return self._solve(extractor)

    def _moves(self, extractor: FeatureExtractor, head: LinearHead) -> bool:
        """Return whether the head answers otherwise to float32 features, and say so."""
        with timed("engine"):
            task, root = self.manifest.task, self.manifest.root
            move = largest_move(extractor, head, task, root, self.samples, self.seed)
        if move < LARGEST_MOVE:
            return False
        say(
            "{name} is not used: asked about float32 features, the head moves a probability by {move}. They "
            "are computed again.",
            name=extractor.engine,
            move=f"{move:.3f}",
        )
        return True

    def first_extractor(self, size: int | None) -> FeatureExtractor:
        """Return the extractor of the first input size and the widest feature layers, by the fastest engine.

        Args:
            size: S in pixels, or None for the first that a training tries.
        """
        first, *_ = self._sizes(size)
        *_, widest = self.sets
        with timed("engine"):
            self.trials = self._race(first, self.sets[widest])
        return self._extractor(first, widest)

    def _sizes(self, size: int | None) -> tuple[int, ...]:
        """Return the sizes to compare: the one that was given or that the backbone has, else a ladder."""
        size = size or self.backbone.card.fixed_size
        if size:
            return (size,)
        sides = map(min, values(self.samples, "width", "height"))
        return ladder(np.fromiter(sides, np.int64, len(self.samples)))

    def curve(self, model: FrozenModel) -> tuple[CurvePoint, ...]:
        """Return the accuracy of heads of fewer images; nothing where the features do not fit in memory."""
        truth, kind = model.truth, self.manifest.task
        if not self._fits(model.extractor.taps):
            return ()

        def right(places: IntArray) -> BoolArray:
            fit = self._fit(model.extractor, picked(self.samples, places))
            return kind.correct(fit.held_out, truth[places])

        whole, strata = kind.correct(model.fit.held_out, truth), kind.strata(truth)
        text = translate("Solving heads on fewer images")
        with timed("curve"), progress().task(text, total=sum(PARTS)) as task:
            return learning_curve(strata, groups_of(self.samples), whole, right, self.seed, task.advance)

    def _choose(self, sizes: Sequence[int]) -> Selection:
        """Return size, layers and number of views, compared now or on the same images before."""
        *_, widest = self.sets
        views = self._view_counts
        if len(sizes) == 1 and len(self.sets) == 1 and len(views) == 1:
            return Selection(Setting(sizes[0], widest, views[0]))

        def compare() -> Selection:
            while True:
                with suppress(_FewerImagesError):  # files went since: those that are left are compared anew
                    return self._compare(sizes)

        features = [space.folder.name for space in self._extractor(sizes[0], widest).spaces]
        facts = (
            self.manifest.labels,
            self.manifest.label_set,
            sizes,
            list(self.sets),
            views,
            features,
            self.seed,
            (FIRST, SUBSET, THOROUGH),
            *([] if self.prior is None else [self.prior.weights.tobytes(), self.prior.bias.tobytes()]),
        )
        return cached_selection(self.cache, self.samples, facts, compare)

    def _compare(self, sizes: Sequence[int]) -> Selection:
        """Compare settings on part of the training images, or on all of them where they are few."""
        thorough = self._few()
        strata, groups = self.manifest.task.strata(self._truth(self.samples)), groups_of(self.samples)
        drawn = subset(strata, groups, len(strata) if thorough else SUBSET, self.seed)
        early = drawn if thorough else subset(strata, groups, FIRST, self.seed)
        samples, first = picked(self.samples, drawn), np.flatnonzero(np.isin(drawn, early))

        def fit(setting: Setting, within: str, whole: bool) -> HeadFit:
            tried = samples if whole else picked(samples, first)
            extractor = self._sharing(replace(setting, layers=within), tried)
            if len(self._try(extractor, tried)) < len(tried):
                raise _FewerImagesError
            return self._fit(extractor, tried, self.sets[setting.layers])

        comparison = SettingComparison(fit, self._truth(samples), first, list(self.sets), thorough=thorough)
        return comparison.select(sizes, self._view_counts)

    def _sharing(self, setting: Setting, samples: Sequence[Sample]) -> FeatureExtractor:
        """Return the extractor of a setting, with what those of wider layers have computed of ``samples``."""
        if setting not in self._compared:
            self._compared[setting] = self._extractor(setting.size, setting.layers, setting.views)
        extractor = self._compared[setting]
        for other, wider in self._compared.items():
            if replace(other, layers=setting.layers) == setting and set(extractor.taps) < set(wider.taps):
                extractor.adopt(wider, samples)
        return extractor

    def _chosen(self, setting: Setting) -> FeatureExtractor:
        """Return the extractor of the selected setting; the others are let go."""
        self.views = setting.views
        extractor = self._sharing(setting, self.samples)
        self._compared, self._raced = {}, None
        return extractor

    def _usable_sets(self, layers: str) -> dict[str, tuple[FeatureLayer, ...]]:
        """Return the feature layer sets to compare, each containing those before it, within memory.

        Measured, "all" beats "stages" wherever there are images enough, but may look worse on a subset.
        """
        sets = feature_layer_sets(self.backbone.card)
        if self.prior is not None:
            return self._sets_with_last_layer(sets, layers)
        if layers == "all" and not self._fits(sets["all"]):
            raise ConfigError(
                "With --layers all, images × views must be at most {most}. Got {count}. Remove "
                "--layers, or use --layers stages.",
                most=IN_MEMORY_BYTES // (4 * width(sets["all"])),
                count=len(self.samples) * self.views,
            )
        if layers != "auto":
            names = [layers]
        elif not self._fits(sets["stages"]):
            # The closed form that needs no table in memory is one of classes.
            names = ["texture" if self.manifest.task.multilabel else "stages"]
        else:
            wide = sets["all"] != sets["stages"] and self._fits(sets["all"])
            # Where a subset is not smaller than the training split, it does not mislead: of 2 to 10 images a
            # class "stages" was better by 1 to 8 points.
            between = ["stages"] if self._few() or not wide else []
            names = ["texture", *between, *(["all"] if wide else [])]
        return {name: sets[name] for name in names}

    def _sets_with_last_layer(
        self, sets: Mapping[str, tuple[FeatureLayer, ...]], layers: str
    ) -> dict[str, tuple[FeatureLayer, ...]]:
        """Return the sets that hold the layer which the prior is a head on."""
        last = tuple(tap for tap in sets["stages"] if tap.layer.kind == "final")
        known = {"final": last, "stages": sets["stages"]}
        found = {name: taps for name, taps in known.items() if layers in ("auto", name) and self._fits(taps)}
        if not found:
            raise ConfigError(
                "With --prompts, --layers must be auto or stages, and images × views at most {most}. Got "
                "--layers {layers} and {count}. Remove one of them.",
                most=IN_MEMORY_BYTES // (4 * width(last)),
                layers=layers,
                count=len(self.samples) * self.views,
            )
        return found

    def _prior(self, taps: Sequence[FeatureLayer]) -> LinearHead | None:
        """Return the prior as a head on the features of ``taps``, with zeros for all but the last layer's."""
        if self.prior is None:
            return None
        last = [tap for tap in taps if tap.layer.kind == "final"]
        weights = np.zeros((width(taps), len(self.prior.bias)), np.float32)
        weights[columns(last, taps)] = self.prior.weights
        return LinearHead(weights, self.prior.bias)

    def _fits(self, taps: Sequence[FeatureLayer]) -> bool:
        return len(self.samples) * self.views * width(taps) * 4 <= IN_MEMORY_BYTES

    def _few(self) -> bool:
        return len(self.samples) <= THOROUGH

    def _extractor(self, size: int, layers: str, views: int = 1) -> FeatureExtractor:
        preprocessing = training_preprocessing(self.backbone.card, size)
        kept = None if self.earlier is None else self.earlier.engine
        engine = kept or self.trials[0].name
        taps = self.sets[layers]
        started = self._started(size, taps)
        return FeatureExtractor(self.cache, self.backbone, preprocessing, taps, engine, views, started)

    def _started(self, size: int, taps: Sequence[FeatureLayer]) -> Engine | None:
        """Return an engine on the same graph that was started before, if there is one."""
        if self._raced is not None and self._raced[0] == (size, tuple(taps)):
            return self._raced[1]
        same = (e for e in self._compared.values() if (e.preprocessing.size, e.taps) == (size, taps))
        return next((extractor.running for extractor in same), None)

    def _race(self, size: int, taps: Sequence[FeatureLayer]) -> list[Trial]:
        preprocessing = training_preprocessing(self.backbone.card, size)
        root = self.manifest.root
        paths = Mapped(self.samples, lambda sample: root / sample.path)
        graph = graph_bytes(self.backbone, preprocessing, taps)
        selected = select(self.cache, graph, trial_images(paths, preprocessing), mixed=self._mixed)
        self._raced = None if selected.engine is None else ((size, tuple(taps)), selected.engine)
        say_engine(selected.trials)
        return selected.trials

    def _compute(self, extractor: FeatureExtractor, samples: Sequence[Sample], text: str) -> Sequence[Sample]:
        """Fill the cache; return the samples that could be read, and note the others."""
        if not extractor.missing(samples):
            return samples
        with progress().task(text, total=len(samples)) as task:
            skipped = extractor.compute(self.manifest.root, samples, task)
        self.skipped += skipped
        gone = {s.path for s in skipped}
        self.samples = kept(self.samples, (path not in gone for path in values(self.samples, "path")))
        require_training_images(self.manifest, self.samples, self.skipped)
        return kept(samples, (path not in gone for path in values(samples, "path")))

    def _try(self, extractor: FeatureExtractor, samples: Sequence[Sample]) -> Sequence[Sample]:
        text = translate("Trying input size {size} px", size=extractor.preprocessing.size)
        return self._compute(extractor, samples, text)

    def _solve(self, extractor: FeatureExtractor) -> tuple[HeadFit, IntArray]:
        """Train the head on all training images; return it with the truth of its held-out logits."""
        truth = self._truth(self.samples)
        if not self._fits(extractor.taps) and not self.manifest.task.multilabel:
            extractor.release()
            release_memory()
            text = translate("Accumulating statistics")
            with progress().task(text, total=len(self.samples)) as task:
                return fit_large(extractor, self.samples, truth, groups_of(self.samples), task)
        with progress_task("Solving the head", total=most_strengths(self.prior)) as task:
            return self._fit(extractor, self.samples, on_strength=task.advance), truth

    def _fit(
        self,
        extractor: FeatureExtractor,
        samples: Sequence[Sample],
        taps: Sequence[FeatureLayer] | None = None,
        on_strength: Callable[[], None] | None = None,
    ) -> HeadFit:
        taps, weights = taps or extractor.taps, row_weights(samples)
        views = len(extractor.spaces)
        of_views = [extractor.read(samples, taps, number) for number in range(views)]
        rows = of_views[0] if views == 1 else np.concatenate(of_views)  # which would copy all of them
        return fit_task(
            rows,
            np.concatenate([self._truth(samples)] * views),
            len(self.manifest.labels),
            groups=np.tile(groups_of(samples), views),
            scored=np.arange(len(rows)) < len(samples),
            weights=None if weights is None else np.tile(weights, views),
            seed=self.seed,
            on_strength=on_strength,
            prior=self._prior(taps),
        )

    def _truth(self, samples: Sequence[Sample]) -> IntArray:
        return truth_of(samples, self.manifest)
