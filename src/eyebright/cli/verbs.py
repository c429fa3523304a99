"""The verbs there are: one line each, in the order of the help."""

from __future__ import annotations

from eyebright.cli import (
    benchmark,
    cache,
    compare,
    demo,
    distill,
    doctor,
    evaluate,
    explain,
    export,
    inspect,
    models,
    predict,
    prune,
    shrink,
    train,
    tune,
)
from eyebright.cli.verb import Verb

VERBS: tuple[Verb, ...] = (
    train.VERB,
    tune.VERB,
    evaluate.VERB,
    compare.VERB,
    predict.VERB,
    explain.VERB,
    export.VERB,
    distill.VERB,
    prune.VERB,
    shrink.VERB,
    inspect.VERB,
    benchmark.VERB,
    models.VERB,
    cache.VERB,
    doctor.VERB,
    demo.VERB,
)
