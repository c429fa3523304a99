"""How `--finetune auto` shares out its time: by what was measured, before anything is trained."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from eyebright.engines.selection import trial_images
from eyebright.text.language import translate
from eyebright.training.finetune.model.predictions import step_seconds
from eyebright.training.finetune.system.cpu_speedups import cpu_speedups
from eyebright.training.finetune.system.distributed import init_group
from eyebright.training.finetune.trainer_state import LAST_EVALUATIONS
from eyebright.verbs.train.finetune.dataset import learning_size
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.fit import FinetuneResult
from eyebright.verbs.train.finetune.initial_model import FinetuneModel
from eyebright.verbs.train.options import TrainConfig

_LAST_SHARE = 0.4  # of the time, for the last blocks, where everything may follow
_EPOCHS = 2  # the fewest of everything that are begun
_FORWARD = 1 / 3  # of a step's time, which goes through the network and back


def against_last(left: float, setup: FinetuneSetup) -> str | None:
    """Return why the time is too short to fine-tune even the last blocks; None if it is not.

    Args:
        left: seconds that remain.
        setup: what all fine-tunings of the run share.
    """
    images = len(setup.samples) + len(setup.holdout)
    # A view of each image and an epoch over these, each about as long as a pass through the network.
    needed = 2 * images / setup.probe.trials[0].images_per_second
    needed = init_group(setup.device).broadcast(needed)
    if left > needed:
        return None
    return translate(
        "Fine-tuning skipped: it would take {needed:second|seconds} at least, and only "
        "{left:second is|seconds are} left of the budget. Allow more time, or use a smaller --size.",
        needed=f"{needed:.0f}",
        left=f"{max(left, 0):.0f}",
    )


def seconds_for_last(left: float, full: float) -> float:
    """Return the seconds that the last blocks get: all of them where too few would remain for everything.

    Args:
        left: seconds that remain.
        full: seconds that fine-tuning everything takes at least.
    """
    share = _LAST_SHARE * left
    return share if left - share > full else left


def seconds_for_full(config: TrainConfig, model: FinetuneModel, setup: FinetuneSetup) -> float:
    """Return the seconds that fine-tuning everything takes at least, by one small step.

    Args:
        config: the options, augmentation included.
        model: whose steps are timed; stays as it is.
        setup: what all fine-tunings of the run share.
    """
    group = init_group(config.device)
    seen = replace(setup.preprocessing, size=learning_size(config, model, setup.preprocessing.size))
    images = trial_images([setup.manifest.root / s.path for s in setup.samples], seen)
    net = copy.deepcopy(model.classifier).to(group.device)
    with cpu_speedups(net, group.device):
        seconds = step_seconds(net, np.stack(images))
    evaluations = (_EPOCHS + LAST_EVALUATIONS) * len(setup.holdout) * _FORWARD
    return group.broadcast(seconds * (_EPOCHS * len(setup.samples) + evaluations))


def against_full(last: FinetuneResult, left: float, needed: float) -> str | None:
    """Return why it is not worth it to fine-tune everything after the ``last`` blocks; None if it is.

    Args:
        last: what fine-tuning the last blocks came to.
        left: seconds that remain.
        needed: see :func:`seconds_for_full`.
    """
    score = last.score
    if score.correct == len(score.losses):
        return translate(
            "Full fine-tuning skipped: with the last blocks fine-tuned, every holdout image "
            "({count}) is already predicted correctly.",
            count=score.correct,
        )
    if last.fitted.gain_likely is False:
        return translate(
            "Full fine-tuning skipped: a gain is unlikely. {left:minute is|minutes are} left of the budget. "
            "A larger --size, or --views 4 with frozen features, may bring more.",
            left=f"{max(left, 0) / 60:.0f}",
        )
    if left > needed:
        return None
    return translate(
        "Full fine-tuning skipped: two epochs would take {needed:minute|minutes}, and only "
        "{left:minute is|minutes are} left.",
        needed=f"{needed / 60:.0f}",
        left=f"{max(left, 0) / 60:.0f}",
    )
