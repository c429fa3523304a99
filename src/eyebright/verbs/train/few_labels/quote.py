"""`train --dry-run`: what each way to a better model would cost here, and what it may bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.cluster.choose import on_cluster
from eyebright.cluster.cluster import Cluster
from eyebright.data.fixes import read_fixes
from eyebright.data.manifest import Manifest
from eyebright.data.unlabelled import distinct, scan_unlabelled
from eyebright.engines.base import installed
from eyebright.errors import EyebrightError
from eyebright.few_labels.expected import ExpectedGain, expected_gain
from eyebright.few_labels.unlabelled import MOST
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.messages import say_found
from eyebright.runtime.context import progress_task, stage
from eyebright.runtime.install import install_command
from eyebright.text.format import duration, percent, percent_range
from eyebright.text.language import translate
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.probe import FrozenTrainer
from eyebright.training.linear_probe.selection import SUBSET, subset
from eyebright.training.linear_probe.targets import truth_of
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.pretrain.probe import pretraining_cost
from eyebright.verbs.train.anomaly.images import is_one_class
from eyebright.verbs.train.few_labels.anomaly_quote import anomaly_rungs
from eyebright.verbs.train.few_labels.cluster_quote import cluster_cost
from eyebright.verbs.train.few_labels.rung import Rung
from eyebright.verbs.train.few_labels.unlabelled import check_unlabelled
from eyebright.verbs.train.options import TrainConfig, check_splits
from eyebright.verbs.train.prepare import images_of
from eyebright.verbs.train.train import frozen_backbone

# Labels in the studio, of images in groups of look-alikes.
_SECONDS_A_LABEL = 2
# Of a head among neighbours, and of all that comes after the head, on two cores: rough.
_HEADS_SECONDS, _HEADS_SECONDS_AN_IMAGE = 5, 0.01
_REST_SECONDS = 15


@dataclass(frozen=True, repr=False)
class Quote(Displayed):
    """What each way would cost and may bring; nothing was trained.

    Attributes:
        images: labelled training images.
        unlabelled: images without labels; None where none were named.
        rungs: the cheapest first.
        one_class: whether the images are good ones alone.
    """

    images: int
    unlabelled: int | None
    rungs: Sequence[Rung]
    one_class: bool = False

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the ways with cost and gain."""
        if self.one_class:
            yield translate(
                "Nothing was trained. Estimated on this machine, for {count:good training image|good "
                "training images}:",
                count=self.images,
            )
        else:
            yield translate(
                "Nothing was trained. Estimated on this machine, for {count:labelled training image|labelled "
                "training images}:",
                count=self.images,
            )
        head = [translate("What"), translate("Cost"), translate("What it may bring")]
        yield ResultTable([head, *([rung.name, rung.cost, rung.gain] for rung in self.rungs)])


@stage
def quote(config: TrainConfig) -> Quote:
    """Estimate what training and more than training would cost, from measured speed and a learning curve.

    Features of up to 400 training images are computed, and stay in the cache for the training.

    Args:
        config: the options of the training.

    Raises:
        EyebrightError: the data or an option does not allow a training.
    """
    if is_one_class(config):
        good, rungs = anomaly_rungs(config)
        return Quote(good, None, rungs, one_class=True)
    with on_cluster(config.cluster) as cluster:
        return _quoted(config, cluster)


def _quoted(config: TrainConfig, cluster: Cluster | None) -> Quote:
    check_splits(config)
    manifest = images_of(config, None if config.fixes is None else read_fixes(config.fixes))
    say_found(manifest)
    check_unlabelled(config, manifest.task)
    count = len(manifest.of("train"))
    trainer = FrozenTrainer(
        manifest,
        frozen_backbone(config),
        default_folder(),
        views=1,
        layers=config.layers,
        seed=config.seed,
    )
    extractor = trainer.first_extractor(None if config.size == "auto" else config.size)
    seconds = 1 / trainer.trials[0].images_per_second
    others = None if config.unlabelled is None else _unlabelled(config.unlabelled, config, manifest)
    expected = None if manifest.task.multilabel else _expected(manifest, extractor, config.seed)
    rungs = [
        _labels_alone(manifest, seconds, expected),
        *([] if cluster is None else [_features_on_cluster(cluster, extractor, manifest)]),
        _more_labels(count, expected),
        *([] if others is None else [_with_unlabelled(min(others, MOST), seconds)]),
        _finetuning(config),
        *([] if config.unlabelled is None else [_pretraining(config, config.unlabelled)]),
    ]
    return Quote(count, others, rungs)


def _unlabelled(place: Path, config: TrainConfig, manifest: Manifest) -> int:
    """Return how many pictures there are that have no label here."""
    found, identities = distinct(scan_unlabelled(place, config.path), manifest)
    known = set(identities.values())
    return sum(s.identity not in known for s in found.samples)


def _expected(manifest: Manifest, extractor: FeatureExtractor, seed: int) -> ExpectedGain | None:
    """Return what twice as many labels may bring, by a curve of at most 400 images."""
    samples = list(manifest.of("train"))
    kept = subset(truth_of(samples, manifest), groups_of(samples), SUBSET, seed)
    drawn = [samples[place] for place in kept]
    with progress_task(
        "Computing features at {size} px", total=len(drawn), size=extractor.preprocessing.size
    ) as task:
        lost = {s.path for s in extractor.compute(manifest.root, drawn, task)}
    drawn = [s for s in drawn if s.path not in lost]
    with progress_task("Solving heads on fewer images"):
        return expected_gain(
            extractor.read(drawn, extractor.taps),
            truth_of(drawn, manifest),
            groups_of(drawn),
            len(manifest.labels),
            len(samples),
            seed,
            len(samples),
        )


def _labels_alone(manifest: Manifest, seconds: float, expected: ExpectedGain | None) -> Rung:
    images = len(manifest.samples)
    now = translate("not known: too few labels for a learning curve")
    if expected is not None:
        now = translate("about {now} right, by cross-validation", now=percent(expected.now))
    return Rung(translate("Labels alone"), duration(_REST_SECONDS + images * seconds), now)


def _features_on_cluster(cluster: Cluster, extractor: FeatureExtractor, manifest: Manifest) -> Rung:
    return Rung(
        translate("The features of all images on the cluster (`--cluster`)"),
        cluster_cost(cluster, extractor, manifest).text(),
        translate("the same features, sooner; all later trainings find them"),
    )


def _more_labels(count: int, expected: ExpectedGain | None) -> Rung:
    cost = translate(
        "{count:label|labels}, about {time} in `eyebright studio`",
        count=count,
        time=duration(count * _SECONDS_A_LABEL),
    )
    gain = translate("not known: too few labels for a learning curve; with few labels usually most of all")
    if expected is not None:
        gain = translate(
            "{value} right ({range})",
            value=percent(expected.accuracy.value),
            range=percent_range(expected.accuracy),
        )
    return Rung(translate("Twice as many labels (`eyebright suggest` says which)"), cost, gain)


def _with_unlabelled(images: int, seconds: float) -> Rung:
    return Rung(
        translate("{count:unlabelled image|unlabelled images} (`--unlabelled`)", count=images),
        duration(_HEADS_SECONDS + images * (seconds + _HEADS_SECONDS_AN_IMAGE)),
        translate("the more, the fewer labels there are; kept only where held-out images speak for it"),
    )


def _finetuning(config: TrainConfig) -> Rung:
    time = translate("as long as `--budget` allows") if config.budget is None else duration(config.budget)
    return Rung(translate("Fine-tuning (`--finetune auto`)"), _with_torch(time), _by_trial())


def _pretraining(config: TrainConfig, place: Path) -> Rung:
    """Return self-supervised training on unlabelled images, by an epoch on a few of them."""
    return Rung(
        translate("Self-supervised training (`eyebright pretrain`)"),
        _pretraining_time(config, place),
        _by_trial(),
    )


def _pretraining_time(config: TrainConfig, place: Path) -> str:
    if not (installed("torch") and installed("timm")):
        return _with_torch(translate("as long as `--budget` allows"))
    options = {name: getattr(config, name) for name in ("path", "backbone", "weights", "device", "seed")}
    try:
        return pretraining_cost(PretrainConfig.build(data=place, **options)).sentence()
    except EyebrightError as error:  # the other ways are still worth knowing
        return error.text()


def _by_trial() -> str:
    return translate("told by a trial only; kept only where held-out images speak for it")


def _with_torch(time: str) -> str:
    if installed("torch"):
        return time
    return translate("{time}; needs PyTorch: {command}", time=time, command=install_command("torch"))
