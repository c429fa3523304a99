"""`tune`: searches the settings of fine-tuning, then trains with the best."""

from __future__ import annotations

import csv
import io
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from eyebright.data.source import scan
from eyebright.data.table.chosen import ROLES, named_columns
from eyebright.errors import ConfigError, DataError, EyebrightError, NotFoundError
from eyebright.runs.metrics import METRICS
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.run import Run, new_directory, write_options
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import progress, progress_task, say, stage
from eyebright.text.language import translate
from eyebright.verbs.train import train as train_stage
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.tune.options import TuneConfig
from eyebright.verbs.tune.page import TrialFigures, best_trial, write_search
from eyebright.verbs.tune.study import figures_of, importances, open_study, run_trial

if TYPE_CHECKING:
    import optuna

    from eyebright.training.finetune.history import EpochRow

_OPTIONS, _STUDY, _PAGE, _TABLE = "search.toml", "search.sqlite", "search.html", "trials.csv"
_IMAGES = "images"  # the study's attribute that tells which they are
_HANDED_ON = (
    "data",
    "val",
    "test",
    *ROLES,
    "seed",
    "backbone",
    "weights",
    "epochs",
    "batch",
    "device",
    "precision",
    "lang",
)


class TrainFunction(Protocol):
    """The stage function `train`, with somebody to tell each epoch."""

    def __call__(
        self,
        config: TrainConfig,
        /,
        *,
        on_epoch: Callable[[EpochRow], None] | None = ...,
    ) -> Run:
        """Train; what ``on_epoch`` raises ends it and comes through."""


@stage
def tune(config: TuneConfig, train: TrainFunction | None = None) -> Run:
    """Search settings on holdout images of the training split, then train a model with the best.

    Args:
        config: what to search on and how long.
        train: the stage function; that of `eyebright train` where None.

    Returns:
        The run directory of the last training; `search.html`, `trials.csv` and `search.sqlite` lie in it.

    Raises:
        MissingExtraError: Optuna or PyTorch is not installed.
        EyebrightError: the data, an option or the disk does not allow it.
    """
    train = train or train_stage.train
    config, directory = _opened(config)
    study = open_study(directory / _STUDY, config.seed, config.trials)
    _refuse_other_images(study, config)
    _search(study, config, directory, train)
    trials = [figures_of(trial) for trial in study.trials if trial.state.is_finished()]
    if not any(trial.state == "complete" for trial in trials):
        raise EyebrightError(
            "At least one trial must complete. Got {count:trial|trials}, none of them complete. Run "
            "again with --resume {path}.",
            count=len(trials),
            path=directory,
        )
    _write_table(directory / _TABLE, trials)
    write_search(directory / _PAGE, directory.name, trials, importances(study))
    best = best_trial(trials)
    say("Training the final model with the settings of trial {number}.", number=best.number)
    return train(_last_training(study, config, directory))


def _opened(config: TuneConfig) -> tuple[TuneConfig, Path]:
    """Return the options and the directory, of a new search or of one to resume."""
    if config.resume is None:
        name = (config.data or Path()).resolve().name
        directory = new_directory(config.out, "runs", name, overwrite=config.overwrite)
        if config.overwrite:
            remove_earlier(directory)
            (directory / _STUDY).unlink(missing_ok=True)
        elif (directory / _STUDY).exists():
            raise ConfigError(
                "A new search needs a directory without an earlier search. {path} already contains "
                "{file}. Continue that search with --resume {path}, choose another directory with "
                "--out, or replace it with --overwrite.",
                path=directory,
                file=_STUDY,
            )
        write_options(config, directory, _OPTIONS)
        return config, directory
    if not (config.resume / _STUDY).is_file():
        raise NotFoundError(
            "The search to resume must exist. {path} contains no {file}. Use the directory that "
            "`eyebright tune` wrote.",
            path=config.resume,
            file=_STUDY,
        )
    given = {name: getattr(config, name) for name in config.model_fields_set}
    return TuneConfig.build(config.resume / _OPTIONS, **given), config.resume


def _refuse_other_images(study: optuna.Study, config: TuneConfig) -> None:
    """Refuse other images or splits: trials on them cannot be compared."""
    columns = named_columns(config)
    found = scan(config.data or Path(), val=config.val, test=config.test, seed=config.seed, columns=columns)
    if study.user_attrs.get(_IMAGES, found.digest) != found.digest:
        raise DataError(
            "A search must be resumed with the images it started with, in the same splits. The "
            "images of {path} have changed. Restore them, or start a new search.",
            path=config.data,
        )
    study.set_user_attr(_IMAGES, found.digest)


def _search(study: optuna.Study, config: TuneConfig, directory: Path, train: TrainFunction) -> None:
    """Run the trials that are missing, until the budget is spent."""
    start = time.monotonic()
    done = sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials)
    with progress_task("Trials", total=config.trials) as task:
        task.advance(done)
        failed = 0
        while done < config.trials:
            if config.budget is not None and done and time.monotonic() - start > config.budget:
                say("The time budget was used up after {count:trial|trials}.", count=done)
                return
            try:
                figures = run_trial(study, config, _attempt(config, directory, train))
            except EyebrightError as error:
                failed += 1
                # One setting may be too much for this machine; if nothing works, it is not the settings.
                if failed > done:
                    raise
                progress().say(error.text())
                continue
            done += 1
            task.advance()
            _say(figures, config)


def _attempt(
    config: TuneConfig, directory: Path, train: TrainFunction
) -> Callable[[Mapping[str, object], int, Callable[[EpochRow], None]], None]:
    def attempt(settings: Mapping[str, object], number: int, on_epoch: Callable[[EpochRow], None]) -> None:
        out = directory / "trials" / f"{number:03}"
        try:
            train(_train_config(config, settings, out), on_epoch=on_epoch)
        finally:
            shutil.rmtree(out, ignore_errors=True)
            with suppress(OSError):  # others are left in it
                out.parent.rmdir()

    return attempt


def _last_training(study: optuna.Study, config: TuneConfig, directory: Path) -> TrainConfig:
    """Return the training with the best settings, or what is left of it where it was interrupted."""
    best = study.best_trial.number
    interrupted = (directory / "checkpoints").is_dir() and not (directory / METRICS).is_file()
    if interrupted and study.user_attrs.get("last_training") == best:
        return TrainConfig.build(resume=directory, lang=config.lang)
    study.set_user_attr("last_training", best)
    # Of the earlier run in the directory, the training is replaced, not the search.
    (directory / METRICS).unlink(missing_ok=True)
    return _train_config(config, study.best_params, directory)


def _train_config(config: TuneConfig, settings: Mapping[str, object], out: Path) -> TrainConfig:
    options = {name: getattr(config, name) for name in _HANDED_ON}
    fixed = {"size": config.size, "finetune": config.finetune}
    return TrainConfig.build(**{**options, **fixed, **settings, "out": out, "overwrite": True})


def _say(figures: TrialFigures, config: TuneConfig) -> None:
    settings = ", ".join(f"{name} {value}" for name, value in figures.settings.items())
    values = {"number": figures.number, "loss": f"{figures.loss:.4f}", "settings": settings}
    text = (
        translate("Trial {number}: loss {loss} with {settings}", **values)
        if figures.state == "complete"
        else translate("Trial {number}: stopped early at loss {loss} with {settings}", **values)
    )
    progress().say(text)


def _write_table(path: Path, trials: Sequence[TrialFigures]) -> None:
    """Write one row a trial as CSV."""
    settings = list(dict.fromkeys(key for trial in trials for key in trial.settings))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "loss", "accuracy", "epochs", "seconds", *settings])
    for t in trials:
        figures = (f"{t.loss:.6f}", f"{t.accuracy:.6f}", t.epochs, f"{t.seconds:.1f}")
        writer.writerow([t.number, t.state, *figures, *(t.settings.get(key, "") for key in settings)])
    write_text(path, text.getvalue())
