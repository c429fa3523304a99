"""The settings that `eyebright tune` tries, one after another, in a study that survives being killed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.errors import MissingExtraError
from eyebright.runtime.install import install_command
from eyebright.verbs.tune.options import TuneConfig
from eyebright.verbs.tune.page import TrialFigures, TrialState

if TYPE_CHECKING:
    import optuna

    from eyebright.training.finetune.history import EpochRow

_SIZES = (160, 224, 288)
_FLEXIBLE = "efficientnet_lite0"  # takes every size; others may be built for one
_FEWEST = 6  # complete trials that importances need
_FIRST = {"lr": 3e-4, "weight_decay": 0.05, "layer_decay": 0.8, "augment": "standard", "mixup": 0.0}


class Abandoned(Exception):  # noqa: N818 - nothing went wrong
    """A trial is left in the middle: it is not worth its time."""


class Enough(Exception):  # noqa: N818 - nothing went wrong
    """A trial has trained all its epochs; the model need not be finished."""


def open_study(path: Path, seed: int, trials: int) -> optuna.Study:
    """Open the study in the SQLite file ``path``, or make it where there is none.

    What a killed process left in the middle is queued again.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    try:
        import optuna
        from sqlalchemy.engine import URL
    except ModuleNotFoundError:
        raise MissingExtraError(
            "The settings search needs the package optuna. It is not installed. Run: {command}",
            command=install_command("tune"),
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="eyebright",
        storage=URL.create("sqlite", database=str(path.resolve())).render_as_string(),
        direction="minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
    )
    # A resumed search must not draw again what it drew before.
    startup = max(3, trials // 4)
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=startup)
    if not study.trials:
        study.enqueue_trial(_FIRST)
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def suggest(trial: optuna.Trial, config: TuneConfig) -> dict[str, object]:
    """Return the settings of one trial, as options of `eyebright train`."""
    settings: dict[str, object] = {
        "lr": trial.suggest_float("lr", 1e-5, 3e-3, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 0.3, log=True),
        "layer_decay": trial.suggest_float("layer_decay", 0.5, 1.0),
        "augment": trial.suggest_categorical(
            "augment", ["none", "light", "standard", "randaugment", "trivial"]
        ),
        "mixup": trial.suggest_float("mixup", 0.0, 0.4, step=0.1),
        "finetune": config.finetune,
        "size": config.size,
    }
    if config.finetune == "auto":
        settings["finetune"] = trial.suggest_categorical("finetune", ["last", "full"])
    if config.size == "auto" and config.backbone == _FLEXIBLE:
        settings["size"] = trial.suggest_categorical("size", _SIZES)
    return settings


class Watch:
    """Follows one trial's epochs; lowest loss and its accuracy are kept in the study.

    Args:
        trial: to report to.
        epochs: after so many it is done.
    """

    def __init__(self, trial: optuna.Trial, epochs: int) -> None:
        self.loss = math.inf
        self._trial = trial
        self._epochs = epochs

    def __call__(self, row: EpochRow) -> None:
        """Take the row of an epoch; epoch 0 is the same for all and says nothing of the settings.

        Raises:
            Abandoned: earlier trials were better by now.
            Enough: this was the last epoch.
        """
        if row.epoch == 0 or not math.isfinite(row.val_loss):
            return
        if row.val_loss < self.loss:
            self.loss = row.val_loss
            self._trial.set_user_attr("accuracy", row.val_accuracy)
        self._trial.report(row.val_loss, row.epoch)
        if row.epoch >= self._epochs:
            raise Enough
        if self._trial.should_prune():
            raise Abandoned


def run_trial(
    study: optuna.Study,
    config: TuneConfig,
    attempt: Callable[[Mapping[str, object], int, Callable[[EpochRow], None]], object],
) -> TrialFigures:
    """Get settings, train with them, and report to the study.

    Args:
        study: see :func:`open_study`.
        config: of the search.
        attempt: trains with settings; also gets the trial's number and whom to tell each epoch.
    """
    import optuna

    trial = study.ask()
    settings = suggest(trial, config)
    watch = Watch(trial, config.epochs)
    start = time.perf_counter()
    state = optuna.trial.TrialState.COMPLETE
    try:
        attempt(settings, trial.number + 1, watch)
    except Enough:
        pass
    except Abandoned:
        state = optuna.trial.TrialState.PRUNED
    except Exception as error:
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    trial.set_user_attr("seconds", time.perf_counter() - start)
    complete = state == optuna.trial.TrialState.COMPLETE and math.isfinite(watch.loss)
    study.tell(
        trial,
        watch.loss if complete else None,
        state=optuna.trial.TrialState.FAIL if not math.isfinite(watch.loss) else state,
    )
    return figures_of(study.trials[trial.number])


def figures_of(trial: optuna.trial.FrozenTrial) -> TrialFigures:
    """Return a finished trial, as the report shows it."""
    losses = [loss for loss in trial.intermediate_values.values() if math.isfinite(loss)]
    states: dict[str, TrialState] = {"COMPLETE": "complete", "PRUNED": "pruned"}
    return TrialFigures(
        number=trial.number + 1,
        settings={key: _short(value) for key, value in trial.params.items()},
        state=states.get(trial.state.name, "failed"),
        loss=min(losses, default=math.nan),
        accuracy=float(trial.user_attrs.get("accuracy", math.nan)),
        epochs=len(losses),
        seconds=float(trial.user_attrs.get("seconds", math.nan)),
    )


def importances(study: optuna.Study) -> dict[str, float]:
    """Return the share of the differences that each setting explains; empty with too few trials."""
    import optuna

    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if len({trial.value for trial in complete}) < _FEWEST:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
