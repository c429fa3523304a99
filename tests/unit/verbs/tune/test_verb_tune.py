"""The search for settings: what is tried, pruned, remembered after a kill, and trained in the end.

The trainings are stood in for by a function with the real one's signature whose loss is known, so that what
the search does with it can be told exactly; the study, its file, the pruner and the page are the real ones.
"""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eyebright.errors import ConfigError, DataError, EyebrightError, MissingExtraError, NotFoundError
from eyebright.runs.run import Run
from eyebright.training.finetune.history import EpochRow
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.tune.options import TuneConfig
from eyebright.verbs.tune.study import open_study
from eyebright.verbs.tune.tune import tune

pytest.importorskip("optuna")


@pytest.fixture(autouse=True, scope="module")
def photos(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The images, `photos` in the working directory: ten each of two classes."""
    place = tmp_path_factory.mktemp("work")
    for label in ("3", "8"):
        (place / "photos" / label).mkdir(parents=True)
        for file in sorted((digits / label).iterdir())[:10]:
            shutil.copyfile(file, place / "photos" / label / file.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        yield place / "photos"


def loss_of(config: TrainConfig) -> float:
    """Best at a learning rate of 1e-3, and where everything learns."""
    return 0.2 + abs(math.log10(float(config.lr)) + 3) + 0.1 * (config.finetune == "last")


class Trainings:
    """Remembers each training; ``faulty`` may raise in place of the one of that number."""

    def __init__(self, faulty: Callable[[int], None] = lambda _: None) -> None:
        self.configs: list[TrainConfig] = []
        self.epochs: list[int] = []
        self.faulty = faulty

    def __call__(self, config: TrainConfig, *, on_epoch: Any = None) -> Run:
        self.configs.append(config)
        self.epochs.append(0)
        self.faulty(len(self.configs))
        assert config.out is not None
        config.out.mkdir(parents=True, exist_ok=True)
        for epoch in range((config.epochs or 0) + 1):
            self.epochs[-1] = epoch
            if on_epoch:
                loss = loss_of(config) + 1 / (epoch + 1)
                on_epoch(EpochRow(epoch, epoch, loss, loss, 1 - loss / 10, 1e-3, 30.0, 1.0, 1.0, 0.0))
        return Run(config.out, config.out / "model.onnx")


def searched(out: Path, trainings: Trainings, **options: Any) -> Run:
    config = TuneConfig.build(data=Path("photos"), out=out, **{"trials": 6, "epochs": 3, **options})
    return tune(config, train=trainings)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainings]:
    out = tmp_path_factory.mktemp("search") / "run"
    trainings = Trainings()
    # With this seed some trials are pruned, and enough are complete to tell what mattered.
    searched(out, trainings, trials=12, seed=2)
    return out, trainings


def test_the_last_training_has_the_best_settings_and_is_finished(found: tuple[Path, Trainings]) -> None:
    out, trainings = found
    *trials, last = trainings.configs
    assert len(trials) == 12
    assert last.out == out
    assert last.epochs == 3
    complete = [int(row["trial"]) - 1 for row in rows(out) if row["state"] == "complete"]
    best = min((trials[i] for i in complete), key=loss_of)
    assert (last.lr, last.finetune, last.mixup, last.augment, last.size) == (
        best.lr,
        best.finetune,
        best.mixup,
        best.augment,
        best.size,
    )


def test_the_first_trial_is_the_usual_recipe(found: tuple[Path, Trainings]) -> None:
    first = found[1].configs[0]
    assert (first.lr, first.augment, first.mixup) == (3e-4, "standard", 0.0)


def test_hopeless_trials_are_stopped_early(found: tuple[Path, Trainings]) -> None:
    out, trainings = found
    states = [row["state"] for row in rows(out)]
    assert "pruned" in states
    for state, epochs in zip(states, trainings.epochs, strict=False):
        assert (epochs == 3) == (state == "complete")


def test_trials_leave_no_directories(found: tuple[Path, Trainings]) -> None:
    assert not (found[0] / "trials").exists()


def test_the_page_shows_the_best_and_what_mattered(found: tuple[Path, Trainings]) -> None:
    page = (found[0] / "search.html").read_text(encoding="utf-8")
    assert 'id="importance"' in page
    assert "stopped early" in page
    assert page.count('class="mark"') == 1
    assert "nan" not in page


def test_a_killed_search_goes_on_and_repeats_only_the_broken_trial(tmp_path: Path) -> None:
    def killed(number: int) -> None:
        if number == 4:
            raise KeyboardInterrupt

    first = Trainings(killed)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, first)
    # As SIGKILL leaves it: the fourth trial is still running for the study.
    second = Trainings()
    tune(TuneConfig.build(resume=tmp_path), train=second)
    assert second.configs[0].lr == first.configs[3].lr
    assert len(second.configs) == 3 + 1
    assert {config.data for config in second.configs} == {Path("photos").absolute()}
    assert [row["state"] for row in rows(tmp_path)].count("failed") == 1


def test_more_trials_can_be_asked_for_later(tmp_path: Path) -> None:
    searched(tmp_path, Trainings(), trials=2)
    more = Trainings()
    tune(TuneConfig.build(resume=tmp_path, trials=5), train=more)
    assert len(more.configs) == 3 + 1
    assert len({config.lr for config in more.configs}) >= 3


def test_a_search_is_not_mixed_with_another(photos: Path, tmp_path: Path) -> None:
    searched(tmp_path, Trainings(), trials=2)
    with pytest.raises(ConfigError, match=f"--resume {tmp_path}"):
        searched(tmp_path, Trainings(), trials=2)
    next((photos / "3").iterdir()).unlink()
    with pytest.raises(DataError, match="with the images it started with"):
        tune(TuneConfig.build(resume=tmp_path, trials=5), train=Trainings())


def test_one_failure_is_told_and_passed_over_but_failing_at_once_is_raised(tmp_path: Path) -> None:
    def broken(at: int) -> Callable[[int], None]:
        def fail(number: int) -> None:
            if number == at:
                raise DataError("Data or a run to resume must be given.")

        return fail

    searched(tmp_path / "a", Trainings(broken(3)), trials=4)
    assert [row["state"] for row in rows(tmp_path / "a")].count("failed") == 1
    with pytest.raises(DataError):
        searched(tmp_path / "b", Trainings(broken(1)))


def test_an_interrupted_last_training_is_resumed(tmp_path: Path) -> None:
    def killed(number: int) -> None:
        if number == 3:
            (tmp_path / "checkpoints").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, Trainings(killed), trials=2)
    seen: list[TrainConfig] = []

    def last(config: TrainConfig, *, on_epoch: Any = None) -> Run:
        seen.append(config)
        return Run(tmp_path, tmp_path / "model.onnx")

    tune(TuneConfig.build(resume=tmp_path), train=last)
    assert [config.resume for config in seen] == [tmp_path]


def test_part_and_size_are_searched_only_where_they_are_open(tmp_path: Path) -> None:
    trainings = Trainings()
    searched(tmp_path, trainings, finetune="last", size=96)
    assert {(config.finetune, config.size) for config in trainings.configs} == {("last", 96)}
    other = Trainings()
    searched(tmp_path / "vit", other, backbone="vit_tiny", trials=2)
    assert {config.size for config in other.configs} == {"auto"}


def test_a_spent_budget_ends_the_search_with_a_model(tmp_path: Path) -> None:
    trainings = Trainings()
    searched(tmp_path, trainings, budget="0.000001s")
    assert len(trainings.configs) == 1 + 1


def test_a_loss_that_is_never_a_number_is_no_result(tmp_path: Path) -> None:
    def no_number(config: TrainConfig, *, on_epoch: Any = None) -> Run:
        on_epoch(EpochRow(1, 1, *([math.nan] * 8)))
        return Run(tmp_path, tmp_path / "model.onnx")

    with pytest.raises(EyebrightError, match="At least one trial"):
        tune(TuneConfig.build(data=Path("photos"), out=tmp_path, trials=2), train=no_number)


def test_there_must_be_a_search_to_resume(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"search\.sqlite"):
        tune(TuneConfig.build(resume=tmp_path), train=Trainings())


def test_without_optuna_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"\[tune\]"):
        open_study(tmp_path / "s.sqlite", 0, 3)


def test_a_folder_with_odd_letters_holds_a_study(tmp_path: Path) -> None:
    folder = tmp_path / "图 像 ?#%20 @"
    folder.mkdir()
    open_study(folder / "s.sqlite", 0, 3)
    assert [path.name for path in folder.iterdir()] == ["s.sqlite"]
