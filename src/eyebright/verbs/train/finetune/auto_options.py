"""What the options of a fine-tuning leave open, and what was chosen for it."""

from __future__ import annotations

from pathlib import Path

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.torch.network import Network
from eyebright.data.manifest import Manifest, Sample
from eyebright.report.content import RateSearch
from eyebright.runs.run import write_options
from eyebright.runtime.context import progress
from eyebright.training.finetune.data.augment_search import LADDER
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.training.finetune.step import Loss
from eyebright.training.finetune.system.distributed import Team
from eyebright.training.finetune.system.probes import choose_precision, rate_test
from eyebright.verbs.train import messages as tell
from eyebright.verbs.train.finetune.dataset import try_augmentations
from eyebright.verbs.train.finetune.finetune import keeps_norms
from eyebright.verbs.train.finetune.recipe import Name, batch_of, recipe_of
from eyebright.verbs.train.finetune.trainable import Unfrozen
from eyebright.verbs.train.launch import is_main
from eyebright.verbs.train.options import TrainConfig


class OpenOptions:
    """Options, which a run keeps with what was chosen, so that a resumed run does the same.

    Args:
        config: the options.
        directory: of the run.

    Attributes:
        config: the options, with what was chosen so far for every training.
    """

    def __init__(self, config: TrainConfig, directory: Path) -> None:
        self.config = config
        self._directory, self._progress = directory, progress
        self._rates: dict[Name, float] = {}

    def of(self, name: Name) -> TrainConfig:
        """The options of one training, with the learning rate that was found for it."""
        found = {"lr": self._rates[name]} if name in self._rates else {}
        return self.config.model_copy(update=found)

    def recipe(self, name: Name, seconds: float | None, network: Network) -> Recipe:
        """The settings of the loop, for ``seconds`` if those are given."""
        options = self.of(name)
        return recipe_of(options, name, self.precision, seconds, keeps_norms(options, network))

    @property
    def precision(self) -> Precision:
        """The number format, float32 until another was chosen."""
        return "fp32" if self.config.precision == "auto" else self.config.precision

    def choose_augment(
        self, manifest: Manifest, judges: list[Sample], seen: Preprocessing, net: Classifier, team: Team
    ) -> None:
        """Chooses how strongly images are varied if that was left open."""
        if self.config.augment != "auto":
            return
        chosen, trials = try_augmentations(self.config, manifest, judges, seen, net)
        self._choose(augment=LADDER[int(team.agree(LADDER.index(chosen)))])
        progress().say(tell.augmentation(trials, self.config.augment))

    def choose_precision(self, net: Classifier, data: TrainData, loss: Loss, team: Team) -> None:
        """Chooses the number format if that was left open."""
        if self.config.precision != "auto":
            return
        chosen, trials = choose_precision(net, data, loss, team, self.config.seed, batch_of(self.config))
        self._choose(precision=chosen)
        progress().say(tell.precision(trials, chosen))

    def find_rate(
        self, name: Name, unfrozen: Unfrozen, data: TrainData, loss: Loss, team: Team, network: Network
    ) -> RateSearch | None:
        """Looks for the learning rate if that was asked for; of ``auto``, each training has its own."""
        if self.config.lr != "find":
            return None
        recipe, optimizer = self.recipe(name, None, network), unfrozen.optimizer(self.config, name)
        seen = rate_test(unfrozen.net, data, loss, optimizer, team, recipe)
        self._rates[name] = team.agree(seen.suggestion)
        if self.config.tune == name:
            self._choose(lr=self._rates[name])
        return RateSearch(seen.rates, seen.losses, seen.suggestion)

    def keep(self) -> None:
        """Writes the options to the run; not before a checkpoint has been found to suit them."""
        if is_main():
            write_options(self.config, self._directory)

    def _choose(self, **chosen: object) -> None:
        self.config = self.config.model_copy(update=chosen)
