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
    from eyebright.runtime.progress import SILENT
    from eyebright.runtime.terminal import TerminalProgress
    from eyebright.types import Skipped
    from eyebright.verbs.predict.predict import predict
    from eyebright.verbs.predict.rows import writer

    terminal = TerminalProgress(config.lang)
    rows = writer(config.format, sys.stdout, config.lang)
    skipped = 0
    # No bar where the rows themselves run down the terminal.
    for answer in predict(config, SILENT if sys.stdout.isatty() else terminal):
        if isinstance(answer, Skipped):
            skipped += 1
            rows.skipped(answer)
            terminal.say(_reason(answer, config.lang))
        else:
            rows.prediction(answer)
        sys.stdout.flush()
    rows.end()
    return 1 if skipped else 0


def _reason(skipped: Skipped, lang: str) -> str:
    return f"{printable(skipped.path)}: {translate(skipped.reason, lang, **skipped.reason_values)}"


VERB = Verb(
    name="predict",
    summary="Recognise images with a model.",
    config=_config,
    run=_run,
    notes="Rows come as they are computed, so a million files need no more memory than one. "
    "Files that cannot be read are named on standard error. "
    "Exit status: 0 when every image was read, 1 when any was skipped.",
    file=True,
)
