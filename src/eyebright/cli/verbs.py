"""The verbs there are: one line each, in the order of the help."""

from __future__ import annotations

from eyebright.verbs.benchmark import cli as benchmark
from eyebright.verbs.cache import cli as cache
from eyebright.verbs.compare import cli as compare
from eyebright.verbs.demo import cli as demo
from eyebright.verbs.distill import cli as distill
from eyebright.verbs.doctor import cli as doctor
from eyebright.verbs.evaluate import cli as evaluate
from eyebright.verbs.explain import cli as explain
from eyebright.verbs.export import cli as export
from eyebright.verbs.inspect import cli as inspect
from eyebright.verbs.models import cli as models
from eyebright.verbs.predict import cli as predict
from eyebright.verbs.prune import cli as prune
from eyebright.verbs.shrink import cli as shrink
from eyebright.verbs.train import cli as train
from eyebright.verbs.tune import cli as tune
from eyebright.verbs.verb import Verb

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
