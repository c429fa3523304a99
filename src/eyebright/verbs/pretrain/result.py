"""What `eyebright pretrain` gives back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones.stored import CARD, GRAPH, WEIGHTS
from eyebright.report.display import Displayed, ResultTable
from eyebright.text.format import percent
from eyebright.text.language import translate

if TYPE_CHECKING:
    from eyebright.training.pretrain.history import PretrainRow

PAGE, HISTORY = "report.html", "history.csv"


@dataclass(frozen=True, repr=False)
class PretrainedBackbone(Displayed):
    """A pretrained backbone on disk; `train` takes it as its backbone.

    Attributes:
        directory: holds `backbone.onnx`, `backbone.safetensors`, `card.json`, `history.csv`, `report.html`.
        history: a row an epoch, the first of the backbone as it was; empty in processes that only helped.
        epoch: whose weights were kept.
    """

    directory: Path
    history: Sequence[PretrainRow]
    epoch: int

    def __fspath__(self) -> str:
        """Return the path of the directory."""
        return str(self.directory)

    @property
    def onnx(self) -> Path:
        """Return the graph, which `train --backbone` takes."""
        return self.directory / GRAPH

    @property
    def weights(self) -> Path:
        """Return the weights as safetensors, which timm loads."""
        return self.directory / WEIGHTS

    @property
    def card(self) -> Path:
        """Return the card."""
        return self.directory / CARD

    @property
    def report(self) -> Path:
        """Return the page with the curves."""
        return self.directory / PAGE

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the signs of health before and after, and where the files are."""
        if self.history:
            before = self.history[0]
            after = next(row for row in self.history if row.epoch == self.epoch)
            yield ResultTable(
                [
                    ["", translate("before"), translate("epoch {epoch}", epoch=after.epoch)],
                    *signs(before, after),
                ],
                right=(1, 2),
            )
        yield str(self.onnx)
        yield translate(
            "Use it: eyebright train DATA --backbone {path}\nWhether it helps, only labelled images can "
            "tell: eyebright train DATA --pretrain FOLDER keeps the better of the two.",
            path=self.directory,
        )


def signs(before: PretrainRow, after: PretrainRow) -> list[list[str]]:
    """Return rows of names and values of the signs of health."""
    rows = [
        (translate("Effective rank of the features"), "effective_rank", False),
        (translate("Neighbours name the folder"), "knn_accuracy", True),
        (translate("Views recognised"), "knn_consistency", True),
    ]
    return [
        [name, *(_value(getattr(row, field), share) for row in (before, after))]
        for name, field, share in rows
        if math.isfinite(getattr(before, field))
    ]


def _value(value: float, share: bool) -> str:
    return percent(value) if share else f"{value:.1f}"
