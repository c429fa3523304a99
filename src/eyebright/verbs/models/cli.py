"""Declare `eyebright models`: list the backbones that can be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING

from eyebright.runtime.install import install_command
from eyebright.text.language import translate
from eyebright.text.table import json_text, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.models.models import ModelInfo, ModelList
    from eyebright.verbs.models.options import ModelsConfig


def _show(found: ModelList, config: ModelsConfig) -> int:
    if config.json_:
        rows = [asdict(model) for model in found.models]
        print(json_text(rows, indent=2))
    else:
        print(_text(found, config))
    return 0


def _text(found: ModelList, config: ModelsConfig) -> str:
    lines = [
        _table(found.models, config)
        if found.models
        else translate("No backbone name contains {text}.", text=config.search)
    ]
    if found.more:
        lines.append(translate("and {count} more; --limit shows them.", count=found.more))
    if config.search is not None and find_spec("torch") is None:
        command = install_command("torch")
        lines.append(
            translate("Backbones from timm, torchvision and Hugging Face require: {command}", command=command)
        )
    return "\n".join(lines)


def _table(models: Sequence[ModelInfo], config: ModelsConfig) -> str:
    head = [
        translate("Name"),
        translate("Parameters"),
        translate("Size"),
        translate("Input"),
        translate("ImageNet"),
        *([translate("Images/s here")] if config.speed else []),
        translate("Licence"),
        translate("Source"),
    ]
    return table([head, *(_row(m, config.speed) for m in models)], right=(1, 2, 3, 4, *([5] * config.speed)))


def _row(model: ModelInfo, speed: bool) -> list[str]:
    return [
        model.name,
        _or_dash(model.parameters, lambda count: f"{count / 1e6:.1f} M"),
        _or_dash(model.size_bytes, lambda count: f"{count / 1e6:.1f} MB"),
        f"{model.input_size} px",
        _or_dash(model.accuracy, lambda share: f"{100 * share:.1f} %"),
        *([_or_dash(model.images_per_second, lambda rate: f"{rate:,.0f}")] if speed else []),
        model.licence,
        model.source,
    ]


def _or_dash(value: float | None, written: Callable[[float], str]) -> str:
    return "-" if value is None else written(value)


VERB = Verb(
    name="models",
    summary="List the available backbones with size, accuracy and licence.",
    show=_show,
)
