"""How a training draws its splits, and what it says of them."""

from __future__ import annotations

from dataclasses import replace

from eyebright.auditing.duplicates.near_duplicates import alike_within, near_duplicates
from eyebright.data.manifest import FOLDS, Manifest
from eyebright.data.splits.drawing import MOST_COMPARED, Drawing
from eyebright.data.splits.facts import SplitFacts
from eyebright.data.splits.name_groups import propose_groups
from eyebright.runtime.compact.rows import values
from eyebright.runtime.context import say
from eyebright.types import Skipped
from eyebright.verbs.train.frozen.cross_validation import folds_of
from eyebright.verbs.train.options import TrainConfig

# Below, the images held out are too few to tell models apart: 60 of 300.
_FEW_IMAGES = 300


def drawing_of(config: TrainConfig) -> Drawing:
    """Return how the options of a training hold images out."""
    by = config.split_by if config.folds is None else "folds"
    return Drawing(near_duplicates, by, config.group_from)


def with_folds(manifest: Manifest, folds: int, seed: int) -> Manifest:
    """Return the manifest with how many folds there are; refuse images that cannot be cross-validated."""
    count = int(folds_of(manifest, folds, seed).max()) + 1
    facts = manifest.facts or SplitFacts(FOLDS)
    return replace(manifest, facts=replace(facts, folds=count))


def proposing_groups(manifest: Manifest) -> Manifest:
    """Return the manifest with a warning where file names seem to tell groups, which were not used."""
    drawn = manifest.facts is not None and manifest.facts.by != "data"
    if not drawn or len(manifest.samples) > MOST_COMPARED or any(values(manifest.samples, "group")):
        return manifest
    found = propose_groups(manifest.samples)
    if found is None:
        return manifest
    within, across = alike_within(manifest.samples, found.members)
    reason = (
        "File names seem to tell {count:group|groups} of images, such as {examples}. Two images of one group "
        "are alike to {within}, of two groups to {across} (1: equal). If a group shows one subject (patient, "
        "product, burst), the metrics are too optimistic: keep it in one split with --group-from '{pattern}'."
    )
    told: dict[str, object] = {
        "count": found.count,
        "examples": "; ".join(", ".join(names) for names in found.examples),
        "within": f"{within:.2f}",
        "across": f"{across:.2f}",
        "pattern": found.pattern,
    }
    return replace(manifest, warnings=(*manifest.warnings, Skipped(".", reason, told)))


def say_folds(config: TrainConfig, manifest: Manifest) -> None:
    """Say where there are fewer folds than requested, and where folds would be the honest way."""
    facts = manifest.facts
    if facts is None:
        return
    if config.folds is not None and facts.folds < config.folds:
        say(
            "{count:fold|folds} in place of {folds}: an ordinary class has no more images, or groups of "
            "images that belong together.",
            count=facts.folds,
            folds=config.folds,
        )
    few = len(manifest.samples) < _FEW_IMAGES
    if few and facts.by == "chance" and config.folds is None and config.finetune == "off":
        say(
            "{count:image is|images are} few to hold some out: the metrics will hang on which ones. With "
            "--folds 5, every image is evaluated, by a model that did not see it.",
            count=len(manifest.samples),
        )
