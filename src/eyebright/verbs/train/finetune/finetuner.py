"""One fine-tuning after another of the same network, with what options leave open and what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.torch.network import Network
from eyebright.data.manifest import Manifest, Sample
from eyebright.engines.selection import some_squares
from eyebright.evaluation.calibration import calibrated_loss, fit_temperature
from eyebright.runtime.progress import SILENT
from eyebright.training.finetune.data.class_balance import sample_weights
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.loop import Fitted, fit
from eyebright.training.finetune.model.classifier import used_units
from eyebright.training.finetune.model.predictions import device_of, held_out_logits, step_seconds
from eyebright.training.finetune.model.weight_interpolation import settle, weights_of
from eyebright.training.finetune.step import Loss
from eyebright.training.finetune.system.cpu_speedups import quick_on_cpu
from eyebright.training.finetune.system.distributed import Team, gather_team
from eyebright.training.finetune.system.memory import computed_twice
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import FloatArray, IntArray, Skipped
from eyebright.verbs.train.finetune.auto_options import OpenOptions
from eyebright.verbs.train.finetune.dataset import frozen_prefix, learning_size, open_images
from eyebright.verbs.train.finetune.initial_head import beginning_classifier
from eyebright.verbs.train.finetune.package import Learned, ready_to_seal
from eyebright.verbs.train.finetune.recipe import Name, loss_of
from eyebright.verbs.train.finetune.result import Tuned, judged
from eyebright.verbs.train.finetune.trainable import Unfrozen, let_learn
from eyebright.verbs.train.launch import main_first
from eyebright.verbs.train.linear_probe import as_trained
from eyebright.verbs.train.options import TrainConfig

_SEALING_SECONDS = 12.0  # export, session and report; the evaluation comes on top


class Tuner:
    """Trains one network by turns: each training goes on from the one before.

    Args:
        config: the options.
        manifest: to learn from; its validation part is what is held out for choices.
        network: that learns.
        start: the frozen head that it begins with.
        directory: of the run.
        on_epoch: is told each row of the history.
        began: when the run began, on the monotonic clock.
        whole: all samples, those that are reported included.

    Attributes:
        reasons: sentences for the report.
        options: with what was chosen so far.
    """

    def __init__(
        self,
        config: TrainConfig,
        manifest: Manifest,
        network: Network,
        start: FrozenModel,
        directory: Path,
        on_epoch: Callable[[EpochRow], None],
        began: float,
        whole: Manifest,
    ) -> None:
        self.network, self.start = network, start
        self.options = OpenOptions(config, directory)
        self.directory, self.on_epoch, self._began = directory, on_epoch, began
        self.manifest, self.root, self.labels = manifest, manifest.root, manifest.labels
        gone = {s.path for s in start.skipped}
        self.samples = [s for s in manifest.of("train") if s.path not in gone]
        self.judges = list(manifest.of("val"))
        self._own = {s.path for s in whole.of("train")}
        self._unreadable: list[Skipped] = []
        self._asked = len(whole.of("val")) + len(whole.of("test"))  # at the end, of the sealed model
        self.digest = manifest.digest
        self.size = start.extractor.preprocessing.size
        self.reasons: list[str] = []
        self._units = used_units(network, start.extractor.taps)
        self._classifier = beginning_classifier(config, manifest, self.samples, network, start)

    # ---- what there is to try

    def frozen(self) -> Tuned:
        """The head that training begins with, judged on the held-out images."""
        extractor = self.start.extractor
        with main_first(self.config.device), SILENT.task("", total=len(self.judges)) as task:
            gone = {s.path for s in extractor.compute(self.root, self.judges, task)}
        judges = [s for s in self.judges if s.path not in gone]
        trained = as_trained(self.start)
        logits, truth = trained.head.logits(extractor.read(judges, extractor.taps)), self._truth(judges)
        # As what is trained: it would seem better than the same answers at any other temperature.
        trained = replace(trained, temperature=fit_temperature(logits, truth))
        return judged("head", trained, logits, truth)

    def train(self, name: Name, seconds: float | None) -> Tuned:
        """Lets the last units or everything learn, within ``seconds`` if those are given.

        Raises:
            EyebrightError: the options, the memory or the disk do not allow it.
        """
        began = time.monotonic()
        net, team = self._classifier, gather_team(self.config.device)
        unfrozen = let_learn(self.config, name, net, self.network, self._units)
        self.options.choose_augment(self.manifest, self.judges, self._preprocessing, net, team)
        with main_first(self.config.device):
            data, picture = self._data(unfrozen.reach)
        loss = loss_of(self.config, self._truth(self.samples), len(self.labels))
        net.to(team.device)
        recomputed = net.recomputable(self._units) if self.config.save_memory else ()
        with quick_on_cpu(net, team.device), computed_twice(recomputed):
            self.options.choose_precision(net, data, loss, team)
            search = self.options.find_rate(name, unfrozen, data, loss, team, self.network)
            left = None if seconds is None else team.agree(seconds - (time.monotonic() - began))
            before = weights_of(net)
            fitted = self._fit(name, data, loss, unfrozen, left)
        self.options.keep()
        share = settle(net, before, lambda: calibrated_loss(*self._held_out(data, team)))
        logits, answers = self._held_out(data, team)
        net.join()
        learned = Learned(
            name=name,
            fitted=fitted,
            share=share,
            temperature=fit_temperature(logits, answers),
            precision=self.options.precision,
            picture=picture,
            search=search,
            unreadable=self._unreadable,
        )
        options, several = self.options.of(name), self.manifest.task.multilabel
        trained = ready_to_seal(learned, options, self.network, net, self.start, self.reasons, several)
        return judged(name, trained, logits, answers)

    def seconds_an_epoch(self) -> float:
        """How long an epoch in which everything learns would take, by one small step."""
        net = self._classifier
        seen = replace(self._preprocessing, size=self._learning_size())
        squares = some_squares([self.root / s.path for s in self.samples], seen)
        with quick_on_cpu(net, device_of(net)):
            seconds = len(self.samples) * step_seconds(net, np.stack(squares))
        return gather_team(self.config.device).agree(seconds)

    def seconds_left(self, budget: float) -> float:
        """Time for training within a budget: less what is gone, and what sealing and evaluation will take."""
        rate = self.start.trials[0].images_per_second
        left = budget - (time.monotonic() - self._began) - _SEALING_SECONDS - self._asked / rate
        return gather_team(self.config.device).agree(left)

    # ---- how it learns

    def _fit(
        self, name: Name, data: TrainData, loss: Loss, unfrozen: Unfrozen, seconds: float | None
    ) -> Fitted:
        """Trains; the classifier has the best weights then."""
        began = time.monotonic()

        def begin_epoch(epoch: int) -> None:
            self.options.keep()
            unfrozen.begin_epoch(self.config, name, epoch)

        fitted = fit(
            self._classifier,
            data,
            self.options.recipe(name, seconds, self.network),
            unfrozen.optimizer(self.options.of(name), name),
            self.directory if self.config.tune == name else self.directory / name,
            loss=loss,
            fingerprint={"data": self.digest, "classes": len(self.labels), "size": self.size},
            sample_weights=sample_weights(self.config.sampler, self._truth(self.samples)),
            begin_epoch=begin_epoch,
            resume=self.config.resume is not None,
            on_epoch=self.on_epoch,
        )
        # What earlier parts of a resumed run took of it is gone from the time for all.
        self._began -= max(0.0, fitted.seconds - (time.monotonic() - began))
        return fitted

    def _held_out(self, data: TrainData, team: Team) -> tuple[FloatArray, IntArray]:
        """Logits and truth of the held-out images, the same in all processes, so that these decide alike."""
        logits, truth = held_out_logits(self._classifier, data, team.device)
        return team.first(logits), truth

    @property
    def config(self) -> TrainConfig:
        """The options, with what was chosen so far."""
        return self.options.config

    def _data(self, reach: int) -> tuple[TrainData, bytes]:
        """The images to learn from, or rows of the frozen part; and a picture of augmented ones."""
        everything = reach >= len(self._units)
        images = open_images(
            self.config,
            self.manifest,
            self.samples,
            self.judges,
            self._preprocessing,
            self._learning_size() if everything else None,
        )
        self.samples = list(images.pixels.samples)
        self._unreadable = [s for s in images.unreadable if s.path in self._own]  # others are told in the end
        picture = images.picture()
        if everything:
            return images.whole(), picture
        unit = self._units[len(self._units) - reach - 1]
        engine_name = self.start.trials[0].name
        rows = images.behind(frozen_prefix(self._classifier, self.network, unit, self.size, engine_name))
        rows.compute()
        return rows, picture

    def _learning_size(self) -> int:
        return learning_size(self.config, self._classifier, self.network, self.size)

    # ---- what it is made of

    @property
    def _preprocessing(self) -> Preprocessing:
        return self.start.extractor.preprocessing

    def _truth(self, samples: Sequence[Sample]) -> IntArray:
        return truth_of(samples, self.manifest)
