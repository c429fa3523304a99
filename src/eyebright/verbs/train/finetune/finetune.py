"""Fine-tuning, for the stages: from options to a classifier that can be sealed.

Training begins where the frozen path ends: the head that was solved on frozen features, on the input size and
the layers that were chosen for it. What is stopped and compared is judged on images held out for that alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones import catalog
from eyebright.data.manifest import Manifest
from eyebright.report.content import Choice
from eyebright.runtime.context import progress, say, timed
from eyebright.text.language import translate
from eyebright.training.cache.store import EXPORTS, default_folder
from eyebright.training.linear_probe.selection import better
from eyebright.types import JsonObject
from eyebright.verbs.train import messages as tell
from eyebright.verbs.train.holdout import with_holdout
from eyebright.verbs.train.launch import is_main, main_first
from eyebright.verbs.train.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.resume import adopt
from eyebright.verbs.train.trained_model import TrainedModel

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network
    from eyebright.training.finetune.history import EpochRow
    from eyebright.training.linear_probe.probe import FrozenModel
    from eyebright.verbs.train.finetune.finetuner import Tuner
    from eyebright.verbs.train.finetune.result import Tuned

#: Before a file that `eyebright prune` wrote, where the name of a backbone stands.
PRUNED = "pruned:"
_LAST_SHARE = 0.4  # of the time for training, for the last units, where everything may follow


def exports() -> Path:
    """Where exported networks are kept."""
    return default_folder() / EXPORTS


def network_to_tune(config: TrainConfig, several: bool) -> Network:
    """The network that is to learn, once options, device and weights are found to be right.

    Args:
        config: the options.
        several: whether an image may have several labels.

    Raises:
        EyebrightError: they are not, or PyTorch is not installed; nothing was written.
    """
    catalog.require_torch()
    from eyebright.training.finetune.system.distributed import gather_team
    from eyebright.verbs.train.finetune.recipe import check

    check(config, several=several)
    gather_team(config.device)
    network = load_network(config)
    if config.teacher is not None:
        tell.student(network.card, config.teacher)
    return network


def finetune(
    config: TrainConfig,
    manifest: Manifest,
    network: Network,
    directory: Path,
    on_epoch: Callable[[EpochRow], None],
    began: float,
) -> TrainedModel:
    """Fine-tunes a network on the training part of ``manifest``.

    Args:
        config: with ``tune`` last, full or auto.
        manifest: all samples; the part that is reported is not looked at.
        network: see :func:`network_to_tune`; is changed.
        directory: of the run; gets `checkpoints/` and `history.csv`.
        on_epoch: is told each row of the history; what it raises ends the training.
        began: when the time of a budget began, on the monotonic clock.

    Raises:
        EyebrightError: the memory, the images or the disk do not allow it.
    """
    from eyebright.backbones.torch.exported import ExportedBackbone
    from eyebright.training.finetune.model.fold_batchnorm import fold_norms
    from eyebright.training.finetune.model.predictions import blank_image
    from eyebright.verbs.train.finetune.finetuner import Tuner

    if keeps_norms(config, network):
        fold_norms(network.body, blank_image(network.card.preprocessing.size))
    inner = with_holdout(manifest, config.seed)
    backbone = ExportedBackbone(network, exports())
    with main_first(config.device):
        start = frozen_model(sized(config, network), inner, backbone)
    tuner = Tuner(config, inner, network, start, directory, on_epoch, began, manifest)
    with timed("finetune"):
        if config.tune != "auto":
            seconds = None if config.budget is None else tuner.seconds_left(config.budget)
            return tuner.train(config.tune, seconds).trained
        frozen, attempts = _attempts(config, tuner)
    best = min(attempts, key=lambda tuned: tuned.losses.mean())
    if is_main():
        adopt(directory / best.name, directory)
    return _best(config, manifest, frozen, attempts, start)


def load_network(config: TrainConfig) -> Network:
    """The network to start from; random weights are said loudly, and are the seed's."""
    catalog.require_torch()
    from eyebright.training.finetune.system.seeding import seed_weights

    seed_weights(config.seed)
    if config.backbone.startswith(PRUNED):
        from eyebright.compression.pruned import load_pruned

        return load_pruned(Path(config.backbone.removeprefix(PRUNED)))
    network = catalog.load(config.backbone, config.weights, None if config.size == "auto" else config.size)
    if not network.pretrained:
        say(
            "Warning: {name} starts from random weights and is not pretrained. Expect much lower "
            "accuracy than with pretrained weights (--weights FILE).",
            name=network.card.name,
        )
    return network


def keeps_norms(config: TrainConfig, network: Network) -> bool:
    """Whether statistics of batch normalisation stay as they are; random weights have none worth keeping."""
    return config.batch_norm == "frozen" and network.pretrained


def sized(config: TrainConfig, network: Network) -> TrainConfig:
    """The options; random features cannot tell which size is best, so the network's own is taken then."""
    if config.size != "auto" or network.pretrained:
        return config
    return config.model_copy(update={"size": network.card.preprocessing.size, "layers": "stages"})


def _attempts(config: TrainConfig, tuner: Tuner) -> tuple[Tuned, list[Tuned]]:
    """The frozen head, judged as the others are, and what was tried after it, each from the one before."""
    from eyebright.verbs.train.finetune.recipe import AUTO_SECONDS

    budget = config.budget or AUTO_SECONDS
    frozen = tuner.frozen()
    last = tuner.train("last", _LAST_SHARE * tuner.seconds_left(budget))
    left = tuner.seconds_left(budget)
    if against := _against_everything(last, left, tuner):
        tuner.reasons.append(against)
        return frozen, [last]
    return frozen, [last, tuner.train("full", left)]


def _against_everything(last: Tuned, left: float, tuner: Tuner) -> str | None:
    """Why it is not worth it to let everything learn after the ``last`` units; None if it is."""
    if last.correct == len(last.losses):
        return translate(
            "Full fine-tuning skipped: with the last blocks fine-tuned, every holdout image "
            "({count}) is already predicted correctly.",
            count=last.correct,
        )
    needed = 2 * tuner.seconds_an_epoch()
    if left > needed:
        return None
    return translate(
        "Full fine-tuning skipped: two epochs would take {needed:minute|minutes}, and only "
        "{left:minute is|minutes are} left.",
        needed=f"{needed / 60:.0f}",
        left=f"{max(left, 0) / 60:.0f}",
    )


def _best(
    config: TrainConfig, manifest: Manifest, frozen: Tuned, attempts: list[Tuned], start: FrozenModel
) -> TrainedModel:
    """The attempt with the lowest held-out loss, if it is lower by more than chance; else the frozen head."""
    best = min(attempts, key=lambda tuned: tuned.losses.mean())
    wins = better(best.losses, frozen.losses)
    chosen = best if wins else frozen
    choices = [
        Choice(tell.tuned_name(tuned.name), tuned.accuracy, tuned is chosen) for tuned in (frozen, *attempts)
    ]
    gain = float((frozen.losses - best.losses).mean())
    reason = (
        translate(
            "Selected: {name}. Its holdout loss is lower by {gain}, more than one standard error.",
            name=tell.tuned_name(best.name),
            gain=f"{gain:.3f}",
        )
        if wins
        else translate(
            "The frozen backbone was kept: fine-tuning changed the holdout loss by {gain}, which is "
            "not a significant improvement.",
            gain=f"{-gain:+.3f}",
        )
    )
    progress().say(reason)
    reasons = (*best.trained.reasons, reason)
    tunings: JsonObject = {tuned.name: tuned.figures() for tuned in (frozen, *attempts)}
    trained = best.trained
    if not wins:  # what was held out for the comparison is learned from as well
        backbone = start.extractor.backbone
        size = start.extractor.preprocessing.size
        fixed = config.model_copy(update={"size": size, "layers": start.layers})
        with main_first(config.device):
            trained = as_trained(frozen_model(fixed, manifest, backbone))
    return replace(
        trained, tunings=choices, reasons=reasons, candidates={**trained.candidates, "tunings": tunings}
    )
