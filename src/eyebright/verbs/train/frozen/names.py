"""Training from the names of the classes: what a text tower makes of them is where the head starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eyebright.backbones import catalog
from eyebright.backbones.licences import require_use
from eyebright.backbones.prompts import read_prompts
from eyebright.errors import ConfigError
from eyebright.options.conflicts import named
from eyebright.training.cache.store import exports_folder
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.verbs.train.options import TrainConfig, require_single_label

if TYPE_CHECKING:
    from eyebright.backbones.backbone import Backbone
    from eyebright.data.manifest import Manifest


def check_names(config: TrainConfig, manifest: Manifest) -> None:
    """Refuse `--prompts` where it can do nothing, and prompts for classes that there are not.

    Raises:
        ConfigError: naming what is in the way.
        NotFoundError: there is no such file.
    """
    if config.prompts is None:
        return
    require_single_label(manifest.task, "--prompts")
    given = {
        f"--finetune {config.finetune}": config.finetune != "off",
        "--folds": config.folds is not None,
        "--teacher": config.teacher is not None,
        "--pretrain": config.pretrain is not None,
    }
    if refused := named(given):
        raise ConfigError(
            "--prompts needs a frozen backbone and one head. It does not go together with {options}. Remove "
            "one of them.",
            options=refused,
        )
    read_prompts(config.prompts).check(manifest.labels)


def from_names(config: TrainConfig, labels: Sequence[str]) -> tuple[Backbone, LinearHead]:
    """Return the image tower, and the head on its features that the classes' names make.

    Args:
        config: with `prompts` and a backbone that has a text tower.
        labels: the K classes.

    Raises:
        EyebrightError: the backbone has none, cannot be had, or its licence forbids the use.
    """
    catalog.require_torch()
    from eyebright.backbones.torch.exported import ExportedBackbone

    if config.prompts is None:
        raise TypeError("the options have no prompts")
    towers = catalog.load_towers(config.backbone, config.weights)
    require_use(config.backbone, towers.network.card.licence, config.licence)
    weights, bias = towers.classifier(labels, read_prompts(config.prompts), exports_folder())
    return ExportedBackbone(towers.network, exports_folder()), LinearHead(weights, bias)
