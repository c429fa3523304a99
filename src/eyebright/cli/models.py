"""`eyebright models`: the backbones that can be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eyebright.cli.table import table
from eyebright.cli.verb import Verb
from eyebright.language import translate

if TYPE_CHECKING:
    from eyebright.config.models import ModelsConfig

_FIELDS = ("name", "parameters", "size_bytes", "input_size", "accuracy", "licence", "source")


def _config() -> type[ModelsConfig]:
    from eyebright.config.models import ModelsConfig

    return ModelsConfig


def _run(config: ModelsConfig) -> int:
    from eyebright.stages.models import models

    cards = [{field: getattr(card, field) for field in _FIELDS} for card in models()]
    print(json.dumps(cards, indent=2, ensure_ascii=False) if config.json_ else _table(cards, config.lang))
    return 0


def _table(cards: list[dict[str, object]], lang: str) -> str:
    head = (
        translate("Name", lang),
        translate("Parameters", lang),
        translate("Size", lang),
        translate("Input", lang),
        translate("ImageNet", lang),
        translate("Licence", lang),
        translate("Source", lang),
    )
    return table([head, *map(_row, cards)], right=(1, 2, 3, 4))


def _row(card: dict[str, object]) -> tuple[str, ...]:
    accuracy = card["accuracy"]
    return (
        str(card["name"]),
        f"{int(str(card['parameters'])) / 1e6:.1f} M",
        f"{int(str(card['size_bytes'])) / 1e6:.1f} MB",
        f"{card['input_size']} px",
        "-" if accuracy is None else f"{100 * float(str(accuracy)):.1f} %",
        str(card["licence"]),
        str(card["source"]),
    )


VERB = Verb(
    name="models",
    summary="List the backbones that can be used, with size, accuracy and licence.",
    config=_config,
    run=_run,
)
