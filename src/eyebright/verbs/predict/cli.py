"""Declare `eyebright predict`: print the predictions for images, row by row as they are computed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.types import Prediction, Skipped
    from eyebright.verbs.predict.options import PredictConfig


def _show(predictions: Iterator[Prediction | Skipped], config: PredictConfig) -> int:
    from eyebright.runtime.context import progress
    from eyebright.types import Skipped
    from eyebright.verbs.predict.rows import writer

    rows = writer(config.format, sys.stdout)
    skipped = 0
    for prediction in predictions:
        if isinstance(prediction, Skipped):
            skipped += 1
            rows.skipped(prediction)
            progress().say(_reason(prediction))
        else:
            rows.prediction(prediction)
        sys.stdout.flush()
    rows.end()
    return 1 if skipped else 0


def _reason(skipped: Skipped) -> str:
    return f"{printable(skipped.path)}: {translate(skipped.reason, **skipped.reason_values)}"


VERB = Verb(
    name="predict",
    summary="Run a model on images.",
    show=_show,
    rows=True,
    notes=(
        "Rows are printed as they are computed, so memory use does not grow with the number of "
        "files. Files that cannot be read are reported on standard error. Exit status: 0 if every "
        "image was read, 1 if any was skipped."
    ),
    file=True,
)
