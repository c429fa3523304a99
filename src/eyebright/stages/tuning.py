"""One fine-tuning after another of the same network, with what options leave open and what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.network import Network
from eyebright.config.train import TrainConfig
from eyebright.data.manifest import Manifest, Sample
from eyebright.evaluation.calibration import calibrated_loss, fit_temperature
from eyebright.report.content import RateSearch
from eyebright.runtime.progress import SILENT, Progress
from eyebright.stages import tell
from eyebright.stages.finetune import keeps_norms
from eyebright.stages.frozen import as_trained
from eyebright.stages.launch import is_main, main_first
from eyebright.stages.learned import Learned, ready_to_seal
from eyebright.stages.recipe import Name, loss_of, recipe_of
from eyebright.stages.run import write_options
from eyebright.stages.tuned import Tuned, judged
from eyebright.stages.tuning_images import frozen_prefix, learning_size, open_images, try_augmentations
from eyebright.stages.tuning_start import beginning_classifier
from eyebright.stages.unfrozen import Unfrozen, let_learn
from eyebright.training.engine_race import some_squares
from eyebright.training.finetune.answers import device_of, held_out_logits, step_seconds
from eyebright.training.finetune.augment_choice import LADDER
from eyebright.training.finetune.classifier import used_units
from eyebright.training.finetune.data import TrainData
from eyebright.training.finetune.distributed import Team, gather_team
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.interpolate import settle, weights_of
from eyebright.training.finetune.loop import Fitted, fit
from eyebright.training.finetune.quick import quick_on_cpu
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.training.finetune.samples import sample_weights
from eyebright.training.finetune.step import Loss
from eyebright.training.finetune.trials import choose_precision, rate_test
from eyebright.training.frozen import FrozenModel
from eyebright.training.tasks import truth_of
from eyebright.types import IntArray

_SEALING_SECONDS = 12.0  # export, session and report; the evaluation comes on top


class Tuner:
    """Trains one network by turns: each training goes on from the one before.

    Args:
        config: the options.
        manifest: to learn from; its validation part is what is held out for choices.
        network: that learns.
        start: the frozen head that it begins with.
        directory: of the run.
        progress: is told what is done.
        on_epoch: is told each row of the history.
        began: when the run began, on the monotonic clock.
        whole: all samples, those that are reported included.

    Attributes:
        reasons: sentences for the report.
    """

    def __init__(
        self,
        config: TrainConfig,
        manifest: Manifest,
        network: Network,
        start: FrozenModel,
        directory: Path,
        progress: Progress,
        on_epoch: Callable[[EpochRow], None],
        began: float,
        whole: Manifest,
    ) -> None:
        self.config, self.network, self.start = config, network, start
        self.directory, self.progress, self.on_epoch, self._began = directory, progress, on_epoch, began
        self.manifest, self.root, self.labels = manifest, manifest.root, manifest.labels
        gone = {s.path for s in start.skipped}
        self.samples = [s for s in manifest.of("train") if s.path not in gone]
        self.judges = list(manifest.of("val"))
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
        trained = as_trained(self.start, self.config.lang)
        logits = trained.head.logits(extractor.read(judges, extractor.taps))
        return judged("head", trained, logits, self._truth(judges))

    def train(self, name: Name, seconds: float | None) -> Tuned:
        """Lets the last units or everything learn, within ``seconds`` if those are given.

        Raises:
            EyebrightError: the options, the memory or the disk do not allow it.
        """
        began = time.monotonic()
        net, team = self._classifier, gather_team(self.config.device)
        unfrozen = let_learn(self.config, name, net, self.network, self._units)
        self._resolve_augment(team)
        with main_first(self.config.device):
            data, picture = self._data(unfrozen.reach)
        loss = loss_of(self.config, self._truth(self.samples), len(self.labels))
        net.to(team.device)
        with quick_on_cpu(net, team.device):
            self._resolve_precision(data, loss, team)
            search = self._resolve_rate(name, data, loss, unfrozen, team)
            left = None if seconds is None else team.agree(seconds - (time.monotonic() - began))
            before = weights_of(net)
            fitted = self._fit(name, data, loss, unfrozen, left)
        share = settle(net, before, lambda: calibrated_loss(*held_out_logits(net, data, team.device)))
        logits, answers = held_out_logits(net, data, team.device)
        net.join()
        learned = Learned(
            name=name,
            fitted=fitted,
            share=share,
            temperature=fit_temperature(logits, answers),
            precision=self._precision,
            picture=picture,
            search=search,
        )
        several = self.manifest.several is not None
        trained = ready_to_seal(learned, self.config, self.network, net, self.start, self.reasons, several)
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

    # ---- how it learns, and what options leave open

    def _fit(
        self, name: Name, data: TrainData, loss: Loss, unfrozen: Unfrozen, seconds: float | None
    ) -> Fitted:
        """Trains; the classifier has the best weights then."""
        began = time.monotonic()
        fitted = fit(
            self._classifier,
            data,
            self._recipe(name, seconds),
            unfrozen.optimizer(self.config, name),
            self.directory if self.config.tune == name else self.directory / name,
            loss=loss,
            fingerprint={"data": self.digest, "classes": len(self.labels), "size": self.size},
            sample_weights=sample_weights(self.config.sampler, self._truth(self.samples)),
            begin_epoch=lambda epoch: unfrozen.begin_epoch(self.config, name, epoch),
            progress=self.progress,
            lang=self.config.lang,
            resume=self.config.resume is not None,
            on_epoch=self.on_epoch,
        )
        # What earlier parts of a resumed run took of it is gone from the time for all.
        self._began -= max(0.0, fitted.seconds - (time.monotonic() - began))
        return fitted

    def _resolve_precision(self, data: TrainData, loss: Loss, team: Team) -> None:
        """Chooses the number format if that was left open; a resumed run finds it in the options."""
        if self.config.precision == "auto":
            chosen, trials = choose_precision(self._classifier, data, loss, team, self.config.seed)
            self._resolved(precision=chosen)
            self.progress.say(tell.precision(trials, chosen, self.config.lang))

    def _resolve_augment(self, team: Team) -> None:
        """Chooses how strongly images are varied if that was left open."""
        if self.config.augment == "auto":
            chosen, trials = try_augmentations(
                self.config, self.manifest, self.judges, self._preprocessing, self._classifier
            )
            self._resolved(augment=LADDER[int(team.agree(LADDER.index(chosen)))])
            self.progress.say(tell.augmentation(trials, self.config.augment, self.config.lang))

    def _resolve_rate(
        self, name: Name, data: TrainData, loss: Loss, unfrozen: Unfrozen, team: Team
    ) -> RateSearch | None:
        """Looks for the learning rate if that was asked for."""
        if self.config.lr != "find":
            return None
        recipe = self._recipe(name, None)
        optimizer = unfrozen.optimizer(self.config, name)
        seen = rate_test(self._classifier, data, loss, optimizer, team, recipe)
        self._resolved(lr=team.agree(seen.suggestion))
        return RateSearch(seen.rates, seen.losses, seen.suggestion)

    def _resolved(self, **chosen: object) -> None:
        """Notes what was left open and is now chosen, so that a resumed run does the same."""
        self.config = self.config.model_copy(update=chosen)
        if is_main():
            write_options(self.config, self.directory)

    def _recipe(self, name: Name, seconds: float | None) -> Recipe:
        return recipe_of(self.config, name, self._precision, seconds, keeps_norms(self.config, self.network))

    @property
    def _precision(self) -> Precision:
        return "fp32" if self.config.precision == "auto" else self.config.precision

    def _data(self, reach: int) -> tuple[TrainData, bytes]:
        """The images to learn from, or rows of the frozen part; and a picture of augmented ones."""
        everything = reach >= len(self._units)
        images = open_images(
            self.config,
            self.manifest,
            self.samples,
            self.judges,
            self._preprocessing,
            self.progress,
            self._learning_size() if everything else None,
        )
        self.samples = list(images.pixels.samples)
        picture = images.picture()
        if everything:
            return images.whole(), picture
        unit = self._units[len(self._units) - reach - 1]
        engine_name = self.start.trials[0].name
        rows = images.behind(frozen_prefix(self._classifier, self.network, unit, self.size, engine_name))
        rows.compute(progress=self.progress, lang=self.config.lang)
        return rows, picture

    def _learning_size(self) -> int:
        return learning_size(self.config, self._classifier, self.network, self.size)

    # ---- what it is made of

    @property
    def _preprocessing(self) -> Preprocessing:
        return self.start.extractor.preprocessing

    def _truth(self, samples: Sequence[Sample]) -> IntArray:
        return truth_of(samples, self.manifest)
