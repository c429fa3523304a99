"""The loop on real photographs, with tiny nets that have random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from finetune_material import Gluttonous, Photographs, cross_entropy, small_net, train  # noqa: E402

from eyebright.errors import TrainingError  # noqa: E402
from eyebright.training.finetune.checkpoint import BEST, read  # noqa: E402
from eyebright.training.finetune.gain_check import GainCheck  # noqa: E402
from eyebright.training.finetune.history import read_history  # noqa: E402
from eyebright.training.finetune.model.weight_interpolation import copy_weights, losses_between  # noqa: E402
from eyebright.training.finetune.recipe import Recipe  # noqa: E402

RECIPE: dict[str, Any] = {"epochs": 2, "batch": 16, "device": "cpu", "frozen_norm": False, "lr": 3e-3}


def weights_equal(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_one_batch_is_learned_by_heart(textile_data, textile, tmp_path):
    few = Photographs(textile)
    few.pixels, few.labels, few.count = few.pixels[::6], few.labels[::6], len(few.labels[::6])
    recipe = Recipe(**{**RECIPE, "epochs": 40, "schedule": "constant", "patience": 0})
    _, fitted = train(textile, tmp_path, recipe, data=few)
    assert fitted.history[-1].train_loss < 0.1 < fitted.history[1].train_loss


def test_the_run_leaves_history_and_best_weights(textile_data, textile, tmp_path):
    seen = []
    net, fitted = train(
        textile, tmp_path, Recipe(**RECIPE), data=textile_data, on_epoch=lambda row: seen.append(row.epoch)
    )
    rows = read_history(tmp_path / "history.csv")
    assert seen == [row.epoch for row in rows] == [0, 1, 2]
    assert rows[-1].step == fitted.steps == 2 * 5  # 72 images in steps of at most 16
    assert rows[1].train_loss == pytest.approx(fitted.history[1].train_loss, rel=1e-5)
    assert rows[-1].learning_rate < 1e-4  # annealed
    assert 0 <= fitted.waited_share <= 1
    best = read(tmp_path / "checkpoints" / BEST)
    losses = [row.val_loss for row in fitted.history]
    assert best.values["epoch"] == fitted.best_epoch == losses.index(min(losses))
    assert weights_equal(best.tensors, net.state_dict())
    assert len(list((tmp_path / "checkpoints").glob("step-*"))) <= 2


def test_parts_add_up_to_the_whole_batch(textile_data, textile, tmp_path):
    results = []
    for number, micro_batch in enumerate((None, 5)):
        net = small_net(textile_data.classes, "test_vit", img_size=64)
        recipe = Recipe(**RECIPE, micro_batch=micro_batch)
        results.append(train(textile, tmp_path / str(number), recipe, net, textile_data)[1])
    whole, parts = ([row.train_loss for row in fitted.history[1:]] for fitted in results)
    assert parts == pytest.approx(whole, abs=1e-5)
    assert results[0].micro_batch == 16


@pytest.mark.parametrize("glutton", [{"most": 4}, {"most": 8, "nth": 3}], ids=["at once", "half way"])
def test_out_of_memory_repeats_the_step_in_smaller_parts(textile_data, textile, tmp_path, glutton):
    """Too much at once, or so at first and then too much at the second part of the first step."""
    greedy = Gluttonous(textile_data.classes, **glutton)
    small = Gluttonous(textile_data.classes)
    first, found = train(textile, tmp_path / "greedy", Recipe(**RECIPE), greedy, textile_data)
    recipe = Recipe(**RECIPE, micro_batch=found.micro_batch)
    second, told = train(textile, tmp_path / "told", recipe, small, textile_data)
    assert found.micro_batch < 8
    assert [row.train_loss for row in found.history[1:]] == [row.train_loss for row in told.history[1:]]
    assert weights_equal(first.state_dict(), second.state_dict())
    assert any("Out of memory at micro-batch" in note for note in found.notes)


def test_an_image_that_does_not_fit_alone_is_an_error(textile_data, textile, tmp_path):
    class NoRoom(Gluttonous):
        def forward(self, inputs: Any) -> Any:
            if self.training:
                raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
            return self.net(inputs)

    with pytest.raises(TrainingError, match="even with a single image"):
        train(textile, tmp_path, Recipe(**RECIPE), NoRoom(textile_data.classes), textile_data)


def test_errors_other_than_memory_come_through(textile_data, textile, tmp_path):
    def wrong(logits: Any, targets: Any) -> Any:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        train(textile, tmp_path, Recipe(**RECIPE), data=textile_data, loss=wrong)


class NaNFrom:
    """A loss that is NaN from its nth call on."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, logits: Any, targets: Any) -> Any:
        self.left -= 1
        return cross_entropy(logits, targets) * (1 if self.left > 0 else float("nan"))


def test_nan_before_the_first_epoch_is_an_error(textile_data, textile, tmp_path):
    with pytest.raises(TrainingError, match=r"at step 3 \(learning rate .* tenth"):
        train(textile, tmp_path, Recipe(**RECIPE), data=textile_data, loss=NaNFrom(3))


def test_nan_later_keeps_the_best_epoch(textile_data, textile, tmp_path):
    net, fitted = train(textile, tmp_path, Recipe(**RECIPE), data=textile_data, loss=NaNFrom(8))
    assert fitted.stopped_because == "nan"
    assert fitted.steps <= 8
    assert "step 8" in fitted.notes[-1]
    assert all(tensor.isfinite().all() for tensor in net.state_dict().values())


def test_training_stops_when_nothing_is_gained(textile_data, textile, tmp_path):
    recipe = Recipe(**{**RECIPE, "lr": 0.0, "epochs": 9, "patience": 2, "frozen_norm": True})
    _, fitted = train(textile, tmp_path, recipe, data=textile_data)
    assert (fitted.stopped_because, fitted.best_epoch) == ("patience", 0)
    assert fitted.history[-1].epoch == 6  # of nine: the fifth and the sixth count, the rate falls by then


def test_the_budget_is_met_with_a_model_and_a_low_rate(textile_data, textile, tmp_path, monkeypatch):
    """On a clock that goes on by a tenth of a second whenever it is looked at."""
    times = iter(range(10**6))
    monkeypatch.setattr("eyebright.training.finetune.budget.time.monotonic", lambda: next(times) / 10)
    recipe = Recipe(**{**RECIPE, "epochs": 1000, "budget_seconds": 9.0, "patience": 0})
    _, fitted = train(textile, tmp_path, recipe, data=textile_data)
    assert fitted.stopped_because == "budget"
    assert 8.0 <= fitted.seconds <= 9.9
    assert fitted.history[-1].learning_rate < 0.05 * recipe.lr
    assert 0 < fitted.history[-1].epoch < 1000
    assert fitted.history[-1].step == fitted.steps


def test_a_budget_for_less_than_an_epoch_still_gives_a_model(textile_data, textile, tmp_path, monkeypatch):
    times = iter(range(10**6))
    monkeypatch.setattr("eyebright.training.finetune.budget.time.monotonic", lambda: next(times) / 10)
    recipe = Recipe(**{**RECIPE, "batch": 4, "budget_seconds": 2.0})
    _, fitted = train(textile, tmp_path, recipe, data=textile_data)
    assert 0 < fitted.steps < textile_data.count // 4
    assert [row.epoch for row in fitted.history] == [0, 1]  # the part of the first epoch is evaluated
    assert "of the first epoch" in fitted.notes[-1]


def test_what_is_frozen_stays_and_what_thaws_learns(textile_data, textile, tmp_path):
    net = small_net(textile_data.classes)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def thaw(epoch: int, epochs: int) -> None:
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(name.startswith("fc") or (epoch > 0 and name.startswith("layer4")))

    train(textile, tmp_path, Recipe(**{**RECIPE, "patience": 0}), net, textile_data, begin_epoch=thaw)
    last = read(max((tmp_path / "checkpoints").glob("step-*"))).tensors
    moved = {name for name in before if not torch.equal(before[name], last[f"net/{name}"])}
    assert {name.split(".")[0] for name in moved} == {"fc", "layer4"}  # and no statistics of what is frozen


def test_epochs_that_a_budget_cuts_off_are_not_counted_on(textile_data, textile, tmp_path, monkeypatch):
    told = []
    recipe = Recipe(**{**RECIPE, "epochs": 3, "patience": 0, "lr": 0.0})
    for budget, share in ((None, 0.0), (100.0, 0.5)):  # half of the time is gone from the first step on
        monkeypatch.setattr("eyebright.training.finetune.budget.Budget.share", lambda self, now=share: now)
        timed = replace(recipe, budget_seconds=budget)
        begin = lambda epoch, epochs: told.append((epoch, epochs))  # noqa: E731
        train(textile, tmp_path / str(budget), timed, data=textile_data, begin_epoch=begin)
    assert told == [(0, 3), (1, 3), (2, 3), (0, 3), (1, 2), (2, 3)]


def test_balanced_sampling_takes_what_is_wanted(textile_data, textile, tmp_path):
    import numpy as np

    class Counting(Photographs):
        drawn: list[int] = []  # noqa: RUF012

        def draw(self, places: Any, epoch: int, generator: Any) -> Any:
            self.drawn.extend(places.tolist())
            return super().draw(places, epoch, generator)

    data = Counting(textile)
    wanted = np.zeros(data.count, np.float32)
    wanted[:3] = 1
    train(textile, tmp_path, Recipe(**{**RECIPE, "epochs": 1}), data=data, sample_weights=wanted)
    assert set(data.drawn) == {0, 1, 2}


@pytest.mark.parametrize(("lr", "why"), [(0.0, "no gain"), (1e-2, "epochs")])
def test_a_training_that_is_not_likely_to_gain_gives_its_time_back(
    lr, why, textile_data, textile, tmp_path, monkeypatch
):
    times = iter(range(10**6))
    monkeypatch.setattr("eyebright.training.finetune.budget.time.monotonic", lambda: next(times) / 10)
    net = small_net(textile_data.classes)
    check = GainCheck(copy_weights(net), seconds=0.1 if lr == 0 else 1e9)
    recipe = Recipe(**{**RECIPE, "lr": lr, "epochs": 6, "frozen_norm": lr == 0})
    trained, fitted = train(textile, tmp_path, recipe, net, textile_data, gain=check)
    assert fitted.stopped_because == why
    assert fitted.gain_likely == (lr > 0)
    assert len(fitted.history) == (4 if lr == 0 else 7)
    assert any("A gain is likely" in note for note in fitted.notes) == (lr > 0)
    best = read(tmp_path / "checkpoints" / BEST)
    assert weights_equal(best.tensors, trained.state_dict())


def test_weights_are_the_networks_own_again_after_looking_between(textile_data):
    net, other = small_net(textile_data.classes), copy_weights(small_net(textile_data.classes, "test_resnet"))
    other = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in other.items()}
    own = copy_weights(net)
    seen = []

    def loss() -> float:
        seen.append(copy_weights(net))
        return float(len(seen))

    losses = losses_between(net, other, loss, (0.5, 1.0))
    assert losses == {0.5: 1.0, 1.0: 2.0}
    assert weights_equal(seen[1], own)
    assert not weights_equal(seen[0], own)
    assert weights_equal(net.state_dict(), own)
