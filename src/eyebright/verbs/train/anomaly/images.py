"""The images of a training on good ones alone: which are good, which are not, and who is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.data.checks import conflicts, copies, leaks
from eyebright.data.fixes import Fixes
from eyebright.data.folder import scan_one_class, training_classes
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan_as_given
from eyebright.data.sources.recognise import find_listing
from eyebright.data.splits.drawing import draw
from eyebright.data.splits.good_names import ANOMALY, GOOD, is_good_name
from eyebright.data.table.chosen import named_columns
from eyebright.errors import ConfigError, DataError
from eyebright.evaluation.decisions.targets import parse_target
from eyebright.options.conflicts import named
from eyebright.runtime.context import say
from eyebright.text.format import listed
from eyebright.training.anomaly.trainer import require_enough
from eyebright.types import Split
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.splits import drawing_of

_SHARE_VAL, _SHARE_TEST = 0.2, 0.2


@dataclass(frozen=True)
class OneClassImages:
    """Images of one class, with whatever anomalies are known.

    Attributes:
        manifest: whose labels are `good` and `anomaly`; no anomaly is in the training split.
        kinds: of anomalies, by path, as the data names them.
    """

    manifest: Manifest
    kinds: Mapping[str, str]

    def of(self, split: Split, label: str) -> list[Sample]:
        """Return the samples of one split with this label."""
        return [sample for sample in self.manifest.of(split) if sample.label == label]


def is_one_class(config: TrainConfig) -> bool:
    """Return whether to learn from good images alone: it is asked for, or the data has nothing else.

    It is asked for by the task, or by a target of anomalies where the training images are of one kind.

    Raises:
        NotFoundError: the data does not exist.
        DataError: it is nothing that can be read.
        ConfigError: a target cannot be read.
    """
    if config.task != "auto" or config.data is None or config.teacher is not None:
        return config.task == "anomaly"
    place, source = find_listing(config.data)
    if source is not None:
        return False
    try:
        classes = training_classes(place, config.val, config.test)
    except DataError:  # it is told where the images are read
        return False
    if len(classes) > 1:
        return False
    label = classes[0] if classes else place.resolve().name  # images in no class folder
    if not is_good_name(label):
        return any(parse_target(target).label == ANOMALY for target in config.target)
    say(
        "All training images are of one class, {label}, so this is anomaly detection: the model learns what "
        "good images look like. To say so yourself, use --task anomaly.",
        label=label,
    )
    return True


def check_options(config: TrainConfig) -> None:
    """Refuse options that do not go together with learning from good images alone.

    Raises:
        ConfigError: naming them, or no data was given.
    """
    given = {
        f"--finetune {config.finetune}": config.finetune != "off",
        "--teacher": config.teacher is not None,
        "--resume": config.resume is not None,
        "--folds": config.folds is not None,
        "--cost": config.cost is not None,
        "--curve": config.curve,
        "--text": bool(config.text),
        "--weight": config.weight is not None,
        "--unlabelled": config.unlabelled is not None,
        "--pretrain": config.pretrain is not None,
        "--prompts": config.prompts is not None,
        "--views": config.augmented,
        f"--layers {config.layers}": config.layers != "auto",
    }
    if refused := named(given):
        raise ConfigError(
            "Anomaly detection learns from good images alone, with a frozen backbone. It does not go "
            "together with {options}. Remove it, or train on labelled classes with --task classify.",
            options=refused,
        )


def one_class_images(config: TrainConfig, data: Path, fixes: Fixes | None) -> OneClassImages:
    """Return the images, their labels reduced to `good` and `anomaly`, with good ones held out.

    Args:
        config: the options.
        data: class folders, perhaps in train/ and test/; images without any; or whatever else lists images.
        fixes: applied before anything is held out.

    Raises:
        NotFoundError: a folder does not exist.
        DataError: it is open which images are good, or there are too few.
    """
    manifest, shares = _scanned(config, data)
    manifest = manifest if fixes is None else fixes.applied(manifest)
    if manifest.label_set is not None:
        raise DataError(
            "Anomaly detection needs images that are good or not. In {path}, an image may have several "
            "labels. Give a folder of good images.",
            path=data,
        )
    good = _good_label(manifest, data)
    kinds = {s.path: s.label for s in manifest.samples if not _is_good(s, good)}
    samples = [replace(s, label=ANOMALY if s.path in kinds else GOOD) for s in manifest.samples]
    manifest = replace(manifest, samples=tuple(samples))
    warnings = (*manifest.warnings, *conflicts(samples), *copies(samples))
    manifest = replace(manifest, warnings=warnings).without(leaks(samples))
    if any(s.path in kinds for s in manifest.of("train")) and not manifest.of("test"):
        shares.setdefault("test", _SHARE_TEST)
    manifest = draw(manifest, shares, config.seed, drawing_of(config))
    manifest = replace(manifest, samples=tuple(_without_training(manifest)))
    images = OneClassImages(manifest, {s.path: kinds[s.path] for s in manifest.samples if s.path in kinds})
    require_enough(len(manifest.of("train")))
    if not images.of("test" if manifest.of("test") else "val", GOOD):
        raise DataError(
            "Good images must be held out, on which false alarms are measured. {path} leaves none. Add good "
            "images, or choose other shares with --val and --test.",
            path=data,
        )
    return images


def _scanned(config: TrainConfig, data: Path) -> tuple[Manifest, dict[Split, float]]:
    """Return all images where the data puts them, and the shares of the training split to hold out."""
    columns = named_columns(config)
    place, source = find_listing(data)
    if source is None and not columns:
        return scan_one_class(place, val=config.val, test=config.test)
    manifest, given = scan_as_given(data, None, columns)
    if isinstance(config.val, Path) or isinstance(config.test, Path):
        raise DataError(
            "With a table, the splits come from its split column, or from shares. Got a folder with --val or "
            "--test. Give shares such as 0.2.",
        )
    shares: dict[Split, float] = {}
    if not (given and manifest.of("val")):
        shares["val"] = config.val if config.val is not None else _SHARE_VAL
    if config.test is not None and not (given and manifest.of("test")):
        shares["test"] = config.test
    return manifest, shares


def _good_label(manifest: Manifest, data: Path) -> str:
    """Return the label of the good training images.

    Raises:
        DataError: it is open which that is.
    """
    labels = sorted({sample.label for sample in manifest.of("train")})
    good = labels if len(labels) == 1 else [label for label in labels if not label or is_good_name(label)]
    if len(good) == 1:
        return good[0]
    raise DataError(
        "It must be clear which training images are good. {path} has the classes {classes}, and {count} of "
        "these names say so. Name the folder of good images `good`, and all others after defects.",
        path=data,
        classes=listed(labels) or "-",
        count=len(good),
    )


def _is_good(sample: Sample, good: str) -> bool:
    return sample.label == good or is_good_name(sample.label)


def _without_training(manifest: Manifest) -> Sequence[Sample]:
    """Return the samples, with anomalies of the training split moved to the evaluated one."""
    evaluated: Split = "test" if manifest.of("test") else "val"
    return [
        replace(s, split=evaluated) if s.split == "train" and s.label == ANOMALY else s
        for s in manifest.samples
    ]
