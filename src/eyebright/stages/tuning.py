"""One fine-tuning after another of the same network: the parts that options stand for, and what came out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.exported import ExportedBackbone
from eyebright.backbones.network import Network, set_drop_path
from eyebright.config.train import TrainConfig
from eyebright.data.decode import load_square
from eyebright.data.manifest import Manifest, Sample
from eyebright.engines.choose import make
from eyebright.errors import ConfigError
from eyebright.evaluation.calibration import calibrated, calibrated_loss, fit_temperature
from eyebright.report.content import Learning, RateSearch
from eyebright.runtime.progress import SILENT, Progress
from eyebright.stages import tell
from eyebright.stages.finetune import keeps_norms
from eyebright.stages.frozen import as_trained
from eyebright.stages.launch import is_main, main_first
from eyebright.stages.recipe import Name, batch_of, epochs_of, loss_of, rate_of, recipe_of
from eyebright.stages.run import write_options
from eyebright.stages.teaching import guesses_of
from eyebright.stages.trained import Trained
from eyebright.stages.tuned import Tuned, judged
from eyebright.stages.tuning_images import augmentation_of, open_images, try_augmentations
from eyebright.training.engine_race import some_squares
from eyebright.training.finetune.answers import (
    blank_image,
    device_of,
    held_out_logits,
    square_logits,
    step_seconds,
)
from eyebright.training.finetune.augment_choice import LADDER
from eyebright.training.finetune.beginning import beginning_head
from eyebright.training.finetune.classifier import Classifier, used_units
from eyebright.training.finetune.data import TrainData
from eyebright.training.finetune.distributed import Team, gather_team
from eyebright.training.finetune.frozen_part import frozen_graph, run_engine
from eyebright.training.finetune.frozen_rows import Prefix
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.interpolate import settle, weights_of
from eyebright.training.finetune.loop import Fitted, fit
from eyebright.training.finetune.lora import add_adapters, merge_adapters
from eyebright.training.finetune.optim import Optimizer, depths, make_optimizer
from eyebright.training.finetune.picture import contact_sheet
from eyebright.training.finetune.quick import quick_on_cpu
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.training.finetune.samples import sample_weights
from eyebright.training.finetune.step import Loss
from eyebright.training.finetune.trials import choose_precision, rate_test
from eyebright.training.finetune.unfreeze import deepest_learning, unfreeze
from eyebright.training.frozen import FrozenModel
from eyebright.training.tasks import truth_of
from eyebright.types import FloatArray, IntArray

_SEALING_SECONDS = 12.0  # export, session and report; the evaluation comes on top
_START_ROWS = 4000  # of frozen features, whose mean and deviation the head's input is scaled by
_SHOWN = 4  # images in the picture of augmentation


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
    ) -> None:
        self.config, self.network, self.start = config, network, start
        self.directory, self.progress, self.on_epoch, self._began = directory, progress, on_epoch, began
        self.manifest, self.root, self.labels = manifest, manifest.root, manifest.labels
        gone = {s.path for s in start.skipped}
        self.samples = [s for s in manifest.of("train") if s.path not in gone]
        self.judges = list(manifest.of("val"))
        self.digest = manifest.digest
        self.size = start.extractor.preprocessing.size
        self.reasons: list[str] = []
        self._units = used_units(network, start.extractor.taps)
        self._classifier = self._begin()

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
        reach = self._reach(name)
        learning = self._learning(reach)
        self._resolve_augment(team)
        with main_first(self.config.device):
            data, picture = self._data(reach)
        truth = self._truth(self.samples)
        loss = loss_of(self.config, truth, len(self.labels))
        net.to(team.device)
        with quick_on_cpu(net, team.device):
            self._resolve_precision(data, loss, team)
            search = self._resolve_rate(name, data, loss, learning, team)
            left = None if seconds is None else team.agree(seconds - (time.monotonic() - began))
            before = weights_of(net)
            fitted = fit(
                net,
                data,
                self._recipe(name, left),
                self._optimizer(name, learning),
                self.directory if self.config.tune == name else self.directory / name,
                loss=loss,
                fingerprint={"data": self.digest, "classes": len(self.labels), "size": self.size},
                sample_weights=sample_weights(self.config.sampler, truth),
                begin_epoch=lambda epoch: self._begin_epoch(name, epoch, learning, reach),
                progress=self.progress,
                lang=self.config.lang,
                resume=self.config.resume is not None,
                on_epoch=self.on_epoch,
            )
        share = settle(net, before, lambda: calibrated_loss(*held_out_logits(net, data, team.device)))
        logits, answers = held_out_logits(net, data, team.device)
        net.join()
        temperature = fit_temperature(logits, answers)
        trained = self._trained(name, fitted, share, temperature, picture, search)
        return judged(name, trained, logits, answers)

    def seconds_an_epoch(self) -> float:
        """How long an epoch in which everything learns would take, by one small step."""
        net = self._classifier
        seen = replace(self._preprocessing, size=self._input_size)
        squares = some_squares([self.root / s.path for s in self.samples], seen)
        with quick_on_cpu(net, device_of(net)):
            seconds = len(self.samples) * step_seconds(net, np.stack(squares))
        return gather_team(self.config.device).agree(seconds)

    # ---- what options stand for

    def _reach(self, name: Name) -> int:
        """How many units learn, counted from the head."""
        units = len(self._units)
        return units if name == "full" else min(self.config.unfreeze or max(1, round(units / 4)), units)

    def _learning(self, reach: int) -> dict[str, int]:
        """Lets the head and ``reach`` units learn, and nothing else; gives their parameters' depths."""
        idle = len(self.network.units) - len(self._units)
        names = [name for name, _ in self._classifier.named_parameters()]
        found = depths(names, self.network.depths)
        # Depths count from the head; what lies between it and the last unit that a feature needs is idle.
        used = {name: max(depth - idle, 0) for name, depth in found.items() if depth == 0 or depth > idle}
        if self.config.lora:
            used = {name: depth for name, depth in used.items() if depth == 0 or "lora_" in name}
        self._classifier.requires_grad_(False)
        unfreeze(self._classifier, used, reach)
        return {name: depth for name, depth in used.items() if depth <= reach}

    def _optimizer(self, name: Name, learning: dict[str, int]) -> Optimizer:
        config = self.config
        return make_optimizer(
            self._classifier,
            learning,
            config.optimizer,
            rate_of(config, name),
            config.weight_decay,
            config.layer_decay,
        )

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
        self, name: Name, data: TrainData, loss: Loss, learning: dict[str, int], team: Team
    ) -> RateSearch | None:
        """Looks for the learning rate if that was asked for."""
        if self.config.lr != "find":
            return None
        recipe = self._recipe(name, None)
        seen = rate_test(self._classifier, data, loss, self._optimizer(name, learning), team, recipe)
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

    def _begin_epoch(self, name: Name, epoch: int, learning: dict[str, int], reach: int) -> None:
        if self.config.gradual:
            deepest = deepest_learning(epoch, epochs_of(self.config, name), reach)
            unfreeze(self._classifier, learning, deepest)

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
            self._input_size if everything else None,
        )
        self.samples = list(images.pixels.samples)
        whole = images.whole()
        shown = np.linspace(0, whole.count - 1, min(_SHOWN, whole.count)).astype(np.int64)
        picture = contact_sheet(whole, shown, seed=self.config.seed)
        if everything:
            return whole, picture
        rows = images.behind(self._prefix(reach))
        rows.compute(progress=self.progress, lang=self.config.lang)
        return rows, picture

    @property
    def _input_size(self) -> int:
        """The side of what is learned from where everything learns."""
        size = augmentation_of(self.config).input_size(self.size)
        fits = self.network.fixed_size is None and self._classifier.takes(size)
        return size if fits else self.size

    def _prefix(self, reach: int) -> Prefix:
        """The units that stay as they are, run by the engine that won the race."""
        unit = self._units[len(self._units) - reach - 1]
        lower = self._classifier.cut(self.network, unit, self.size)
        graph = frozen_graph(lower)
        engine = make(self.start.trials[0].name, graph)
        card = self.network.card
        names = [f"{tap.layer.name}:{tap.kind}" for tap in lower.taps]
        return Prefix(
            run=lambda pixels: run_engine(engine, pixels),
            width=lower.width,
            card={
                "backbone": card.name,
                "backbone_sha": card.sha,
                "cut": unit,
                "taps": names,
                "engine": engine.name,
            },
            threads=True,
        )

    def seconds_left(self, budget: float) -> float:
        """Time for training within a budget: less what is gone, and what sealing and evaluation will take."""
        rate = self.start.trials[0].images_per_second
        asked = len(self.judges)
        left = budget - (time.monotonic() - self._began) - _SEALING_SECONDS - asked / rate
        return gather_team(self.config.device).agree(left)

    # ---- what comes out

    def _trained(
        self,
        name: Name,
        fitted: Fitted,
        share: float,
        temperature: float,
        picture: bytes,
        search: RateSearch | None,
    ) -> Trained:
        config = self.config
        # The next training goes on with this network: what is sealed must not move with it.
        network, net = copy.deepcopy((self.network, self._classifier))
        if config.lora:
            merge_adapters(network.body)
        network.refresh_card()
        interpolation = self._preprocessing.interpolation
        several = self.manifest.several is not None

        def reference(root: Path, samples: Sequence[Sample]) -> FloatArray:
            squares = (load_square(root / s.path, self.size, interpolation) for s in samples)
            return calibrated(square_logits(net, squares, device_of(net)), temperature, several)

        return Trained(
            backbone=ExportedBackbone(network, None),
            preprocessing=self._preprocessing,
            taps=self.start.extractor.taps,
            layers=self.start.layers,
            head=net.linear_head(),
            temperature=temperature,
            engine=f"pytorch {fitted.device}",
            skipped=self.start.skipped,
            reference=reference,
            chosen={
                "size": self.size,
                "layers": self.start.layers,
                "tune": name,
                "batch": batch_of(config),
                "micro_batch": fitted.micro_batch,
                "precision": self._precision,
                "lr": rate_of(config, name),
                "epoch": fitted.best_epoch,
                "share_of_the_way": share,
            },
            tried={
                **tell.tried(self.start),
                "notes": fitted.notes,
                "stopped_because": fitted.stopped_because,
                "waited_share": fitted.waited_share,
            },
            choices=tell.choices(self.start, config.lang),
            reasons=self.reasons,
            learning=Learning(
                history=fitted.history,
                best=fitted.best_epoch,
                stopped_because=tell.stopped(fitted.stopped_because, config.lang),
                waited=fitted.waited_share,
                notes=fitted.notes,
                search=search,
                samples=picture,
            ),
            random_weights=not network.pretrained,
            several=several,
        )

    # ---- what it is made of

    @property
    def _preprocessing(self) -> Preprocessing:
        return self.start.extractor.preprocessing

    def _truth(self, samples: Sequence[Sample]) -> IntArray:
        return truth_of(samples, self.manifest)

    def _begin(self) -> Classifier:
        extractor = self.start.extractor
        samples = self.samples[:: max(1, len(self.samples) // _START_ROWS)]
        rows = extractor.read(samples, extractor.taps).astype(np.float32)
        truth = self._truth(samples)
        # A teacher's probabilities are not known yet; the labels' loss wants logits no further apart.
        loss = loss_of(self.config.model_copy(update={"teacher": None}), truth, len(self.labels))
        head = beginning_head(self.start.fit.head, rows, truth, loss)
        if self.config.lora:
            side = self.size
            add_adapters(self.network.body, self.config.lora, blank_image(side), self.network.card.name)
        if self.config.drop_path and not set_drop_path(self.network.body, self.config.drop_path):
            raise ConfigError(
                "--drop-path needs a backbone with branches that can be skipped. {name} has none. "
                "Leave it out.",
                name=self.network.card.name,
            )
        return Classifier(
            self.network,
            extractor.taps,
            rows,
            len(self.labels),
            head,
            self.config.dropout,
            guesses_of(self.config, self.samples),
        )
