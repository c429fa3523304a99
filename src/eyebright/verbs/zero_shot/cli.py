"""Declare `eyebright zero-shot`: recognise classes by their names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.zero_shot.options import ZeroShotConfig
    from eyebright.verbs.zero_shot.zero_shot import ZeroShot


def _show(found: ZeroShot, config: ZeroShotConfig) -> int:
    from eyebright.types import Skipped
    from eyebright.verbs.predict.rows import writer

    rows = writer(config.format, sys.stdout)
    skipped = [one for one in found.predictions if isinstance(one, Skipped)]
    for prediction in found.predictions:
        if isinstance(prediction, Skipped):
            rows.skipped(prediction)
        else:
            rows.prediction(prediction)
    rows.end()
    for one in skipped:
        reason = translate(one.reason, **one.reason_values)
        print(f"{printable(one.path)}: {reason}", file=sys.stderr)
    return 1 if skipped else 0


VERB = Verb(
    name="zero-shot",
    summary="Recognise classes by their names alone, with CLIP, OpenCLIP or SigLIP.",
    show=_show,
    notes=(
        "Needs the extra `torch`. With --out, the model is written as a sealed ONNX file that knows these "
        "classes, for predict, evaluate, serve and export. Exit status: 0 if every image was read, 1 if any "
        "was skipped."
    ),
    file=True,
)
