"""`--backbone auto`: the backbone is chosen among those at hand, by cross-validation and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.embedded import NAME
from eyebright.backbones.lite.lite import installed, lite_backbone
from eyebright.backbones.stored import CARD, load_stored
from eyebright.data.manifest import Manifest
from eyebright.errors import ConfigError
from eyebright.evaluation.intervals import share_of
from eyebright.options.conflicts import named
from eyebright.report.content import Choice
from eyebright.runtime.context import say, timed
from eyebright.text.language import translate
from eyebright.training.cache.store import default_folder, exports_folder
from eyebright.training.linear_probe.backbone_selection import BackboneChoice, choose_backbone
from eyebright.types import JsonObject
from eyebright.verbs.train.finetune.finetune import load_network
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import TrainedModel

#: What `--backbone` takes for a choice among those at hand.
AUTO = "auto"
_WEIGHTS = (".safetensors", ".pth", ".pt")


def check_backbone_choice(config: TrainConfig) -> None:
    """Refuse what does not go together with `--backbone auto`.

    Raises:
        ConfigError: naming it.
    """
    if config.backbone != AUTO:
        if isinstance(config.weights, Path) and config.weights.is_dir():
            raise ConfigError(
                "Weights must be a file. {path} is a folder. Give one of its files, or add --backbone auto, "
                "which chooses among them.",
                path=config.weights,
            )
        return
    given = {
        f"--finetune {config.finetune}": config.finetune != "off",
        "--folds": config.folds is not None,
        "--pretrain": config.pretrain is not None,
        "--prompts": config.prompts is not None,
        "--dry-run": config.dry_run,
        f"--weights {config.weights}": config.weights is not None and not _is_folder(config.weights),
    }
    if refused := named(given):
        raise ConfigError(
            "--backbone auto compares frozen backbones on the training images; --weights may name a folder "
            "of more. It does not go together with {options}. Remove one of them.",
            options=refused,
        )


def chosen_backbone(config: TrainConfig, manifest: Manifest) -> BackboneChoice:
    """Choose among the embedded backbone, its installed siblings and those in the folder `--weights`.

    Raises:
        EyebrightError: too few images can be read, or a file in the folder is no backbone or one of a name
            that another has.
    """
    backbones = list(_at_hand(config))
    names = [backbone.card.name for backbone in backbones]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(
            "Backbones to compare must have different names. {names} is there twice. Rename its file in "
            "{path}, or move it away.",
            names=", ".join(sorted(twice)),
            path=config.weights,
        )
    with timed("backbone"):
        choice = choose_backbone(
            manifest,
            backbones,
            default_folder(),
            size=None if config.size == "auto" else config.size,
            layers=config.layers,
            seed=config.seed,
            seconds=config.budget,
        )
    say(
        "Selected the backbone {name} on {count} training images: {seen}.",
        name=choice.backbone.card.name,
        count=choice.compared[0].count,
        seen=", ".join(
            f"{row.name} {100 * row.correct / row.count:.1f} % ({rate:.0f}/s)"
            for row, rate in zip(choice.compared, choice.rates, strict=True)
        ),
    )
    return choice


def with_choice(model: TrainedModel, choice: BackboneChoice) -> TrainedModel:
    """Return the model with what its backbone was compared with, for `metrics.json` and the report."""
    accuracies = [share_of(row.correct, row.count) for row in choice.compared]
    rows: list[JsonObject] = [
        asdict(row) | {"accuracy": asdict(accuracy), "images_per_second": rate}
        for row, accuracy, rate in zip(choice.compared, accuracies, choice.rates, strict=True)
    ]
    shown = [
        Choice(translate("Backbone: {name}", name=row.name), accuracy, row.selected, row.excess, row.error)
        for row, accuracy in zip(choice.compared, accuracies, strict=True)
    ]
    return replace(
        model,
        chosen={**model.chosen, "backbone": choice.backbone.card.name},
        candidates={**model.candidates, "backbones": rows},
        probe_candidates=[*shown, *model.probe_candidates],
    )


def _at_hand(config: TrainConfig) -> Iterator[Backbone]:
    for name in (NAME, *installed()):
        yield lite_backbone(name)
    if not isinstance(config.weights, Path):
        return
    for path in sorted(config.weights.iterdir()):
        if (path / CARD).is_file():
            yield load_stored(path)
        elif path.suffix in _WEIGHTS:
            network = load_network(config.model_copy(update={"backbone": path.stem, "weights": path}))
            from eyebright.backbones.torch.exported import ExportedBackbone

            yield ExportedBackbone(network, exports_folder())


def _is_folder(weights: Path | str) -> bool:
    return isinstance(weights, Path) and weights.is_dir()
