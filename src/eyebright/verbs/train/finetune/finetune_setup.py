"""What all fine-tunings of one run share: the images, the linear probe they start from, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eyebright.backbones.card import Preprocessing
from eyebright.data.manifest import Manifest, Sample
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.system.distributed import init_group
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.verbs.train.own_code import NOTHING_OWN, OwnCode

_SEALING_SECONDS = 12.0  # export, session and report; the evaluation comes on top


@dataclass(frozen=True, kw_only=True)
class FinetuneSetup:
    """The images, linear probe and clock that all fine-tunings of one run share.

    Attributes:
        manifest: the training images; its validation split holds the holdout images.
        whole: all samples of the run, the evaluated split among them.
        probe: the linear probe that fine-tuning starts from.
        directory: of the run.
        device: as in the options.
        on_epoch: called with each row of the history; True ends the training, and what it raises.
        began: when the run began, on the monotonic clock.
        own: code of the user's own.
    """

    manifest: Manifest
    whole: Manifest
    probe: FrozenModel
    directory: Path
    device: str
    on_epoch: Callable[[EpochRow], bool | None]
    began: float
    own: OwnCode = NOTHING_OWN

    @cached_property
    def samples(self) -> list[Sample]:
        """Return the training images, without those that could not be read for the probe."""
        unreadable = {s.path for s in self.probe.skipped}
        return [s for s in self.manifest.of("train") if s.path not in unreadable]

    @cached_property
    def holdout(self) -> list[Sample]:
        """Return the holdout images, by which training is stopped and candidates are compared."""
        return list(self.manifest.of("val"))

    @property
    def preprocessing(self) -> Preprocessing:
        """Return the preprocessing that the probe selected."""
        return self.probe.extractor.preprocessing

    def seconds_left(self, budget: float, earlier: float = 0.0) -> float:
        """Return the seconds of a budget that remain for training, the same number in all processes.

        Sealing and evaluation are set aside.

        Args:
            budget: for the whole run, in seconds.
            earlier: seconds that earlier parts of a resumed run took.
        """
        evaluated = len(self.whole.of("val")) + len(self.whole.of("test"))
        evaluation = evaluated / self.probe.trials[0].images_per_second
        left = budget - earlier - (time.monotonic() - self.began) - _SEALING_SECONDS - evaluation
        return init_group(self.device).broadcast(left)
