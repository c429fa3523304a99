"""`train GOOD_ONLY --dry-run`: what learning from good images alone would cost, tried on a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eyebright.data.fixes import read_fixes
from eyebright.data.splits.good_names import ANOMALY, GOOD
from eyebright.runs.messages import say_found
from eyebright.runtime.context import progress_task
from eyebright.text.format import duration
from eyebright.text.language import translate
from eyebright.training.anomaly.cost import AnomalyImages, ProbedSize, probe
from eyebright.training.anomaly.trainer import SIZES
from eyebright.training.cache.store import default_folder
from eyebright.verbs.train.anomaly.images import OneClassImages, check_options, one_class_images
from eyebright.verbs.train.few_labels.rung import Rung
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import frozen_backbone

# Of the sealed file, the heat maps and the report, on two cores: rough.
_REST_SECONDS = 15


def anomaly_rungs(config: TrainConfig) -> tuple[int, list[Rung]]:
    """Return how many good images there are to learn from, and what each way would cost.

    Args:
        config: the options of the training.

    Raises:
        EyebrightError: the data or an option does not allow a training.
    """
    check_options(config)
    fixes = None if config.fixes is None else read_fixes(config.fixes)
    images = one_class_images(config, config.data or Path(), fixes)
    say_found(images.manifest)
    good, root, backbone = images.of("train", GOOD), images.manifest.root, frozen_backbone(config)
    sizes = SIZES if config.size == "auto" else (config.size,)
    probed = []
    with progress_task("Trying input sizes on a few images", total=len(sizes)) as task:
        for size in sizes:
            probed.append(probe(size, backbone, root, good, default_folder()))
            task.advance()
    return len(good), [*_by_size(probed, _counted(images)), _more_images(images)]


def _counted(images: OneClassImages) -> AnomalyImages:
    known = images.of("val", ANOMALY) if images.manifest.of("test") else []
    evaluated = len(images.manifest.samples) - len(images.manifest.of("train"))
    return AnomalyImages(len(images.of("train", GOOD)), len(known), evaluated)


def _by_size(probed: Sequence[ProbedSize], images: AnomalyImages) -> list[Rung]:
    """Return a way for each input size, and one that compares them where there are several."""
    rungs = [
        Rung(
            translate("Good images alone, {size} px (`--size {size}`)", size=one.size),
            duration(_REST_SECONDS + one.comparing_seconds(images) + one.learning_seconds(images)),
            translate(
                "scores an image in {time} ms; the larger the input, the smaller the defects that are found",
                time=f"{1000 * (one.extracting + one.looking / one.ways):.0f}",
            ),
        )
        for one in probed
    ]
    if len(probed) == 1:
        return rungs
    longest = max(one.learning_seconds(images) for one in probed)
    compared = sum(one.comparing_seconds(images) for one in probed)
    both = Rung(
        translate("The input size that planted defects prefer (`--size auto`)"),
        translate("{time} at most", time=duration(_REST_SECONDS + compared + longest)),
        translate("told by planted defects only"),
    )
    return [*rungs, both]


def _more_images(images: OneClassImages) -> Rung:
    """Return what twice as many good images would allow."""
    part = images.of("val", GOOD) if images.manifest.of("test") else images.of("train", GOOD)
    now, then = (f"{100 / (count + 1):.1f}" for count in (len(part), 2 * len(part)))
    return Rung(
        translate("Twice as many good images"),
        translate("{count:good image|good images}", count=len(images.of("train", GOOD))),
        translate("the limit can be set for {then} % false alarms in place of {now} %", then=then, now=now),
    )
