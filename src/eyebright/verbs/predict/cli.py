"""`eyebright predict`: what a model says of images, row by row as the answers come."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.types import Skipped
    from eyebright.verbs.predict.options import PredictConfig


def _config() -> type[PredictConfig]:
    from eyebright.verbs.predict.options import PredictConfig

    return PredictConfig


def _run(config: PredictConfig) -> int:
    from eyebright.runtime.context import progress, showing
    from eyebright.runtime.progress import SILENT
    from eyebright.types import Skipped
    from eyebright.verbs.predict.predict import predict
    from eyebright.verbs.predict.rows import writer

    rows = writer(config.format, sys.stdout)
    skipped = 0
    with showing(SILENT if sys.stdout.isatty() else progress()):
        answers = predict(config)  # no bar where the rows themselves run down the terminal
    for answer in answers:
        if isinstance(answer, Skipped):
            skipped += 1
            rows.skipped(answer)
            progress().say(_reason(answer))
        else:
            rows.prediction(answer)
        sys.stdout.flush()
    rows.end()
    return 1 if skipped else 0


def _reason(skipped: Skipped) -> str:
    return f"{printable(skipped.path)}: {translate(skipped.reason, **skipped.reason_values)}"


VERB = Verb(
    name="predict",
    summary="Run a model on images.",
    config=_config,
    run=_run,
    notes=(
        "Rows are printed as they are computed, so memory use does not grow with the number of "
        "files. Files that cannot be read are reported on standard error. Exit status: 0 if every "
        "image was read, 1 if any was skipped."
    ),
    file=True,
)
