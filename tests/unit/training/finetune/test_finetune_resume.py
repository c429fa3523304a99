"""What was begun goes on as if nothing had happened, or says what is different."""

from __future__ import annotations

import math
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from finetune_material import Photographs, cross_entropy, small_net, started, train  # noqa: E402
from unix import UNIX  # noqa: E402

from eyebright.errors import DataError, ModelError  # noqa: E402
from eyebright.training.finetune.checkpoint import BEST, read  # noqa: E402
from eyebright.training.finetune.history import read_history  # noqa: E402
from eyebright.training.finetune.recipe import Recipe  # noqa: E402

RECIPE: dict[str, Any] = {
    "epochs": 3,
    "batch": 16,
    "device": "cpu",
    "frozen_norm": False,
    "lr": 3e-3,
    "patience": 0,
    "save_seconds": 0.0,
}


@pytest.fixture(scope="module")
def few(textile: Path) -> Photographs:
    """So few that an epoch is one step."""
    data = Photographs(textile)
    data.pixels, data.labels, data.count = data.pixels[::6], data.labels[::6], len(data.labels[::6])
    data.val_pixels, data.val_labels = data.val_pixels[::6], data.val_labels[::6]
    return data


class StoppedError(Exception):
    """Stands for whatever ends a process."""


class StopsAt:
    """A loss that ends the training at its nth call, in the midst of a step."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, logits: Any, targets: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise StoppedError
        return cross_entropy(logits, targets)


def last_state(folder: Path) -> dict[str, Any]:
    """All tensors at the end: weights, their average, and the optimiser's."""
    return read(max((folder / "checkpoints").glob("step-*"))).tensors


def assert_same_end(one: Path, other: Path) -> None:
    for ends in (
        [last_state(p) for p in (one, other)],
        [read(p / "checkpoints" / BEST).tensors for p in (one, other)],
    ):
        assert ends[0].keys() == ends[1].keys()
        assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []
    told = [
        [
            (r.epoch, r.step, r.train_loss, r.val_loss, r.learning_rate)
            for r in read_history(p / "history.csv")[1:]
        ]
        for p in (one, other)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("net", "options"),
    [
        (("test_resnet", {}), {"schedule": "plateau", "micro_batch": 6}),
        (("test_vit", {"img_size": 64, "drop_rate": 0.2, "drop_path_rate": 0.2}), {"ema_decay": 0.9}),
        (("test_vit", {"img_size": 64}), {"precision": "fp16", "schedule": "onecycle"}),
    ],
    ids=["batch norm, plateau, parts", "dropout, average", "scaler"],
)
def test_a_resumed_run_ends_bit_identical(textile_data, textile, tmp_path, net, options):
    name, more = net
    recipe = Recipe(**RECIPE, **options)

    def go(out: Path, **rest: Any) -> None:
        train(textile, out, recipe, small_net(textile_data.classes, name, **more), textile_data, **rest)

    go(tmp_path / "whole")
    with pytest.raises(StoppedError):
        go(tmp_path / "parts", loss=StopsAt(8))
    with pytest.raises(StoppedError):
        go(tmp_path / "parts", loss=StopsAt(5), resume=True)
    go(tmp_path / "parts", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def interrupted(textile: Path, out: Path, data: Photographs, nth: int = 8) -> None:
    with pytest.raises(StoppedError):
        train(textile, out, Recipe(**RECIPE), data=data, loss=StopsAt(nth))


def test_a_damaged_checkpoint_is_passed_over(textile_data, textile, tmp_path):
    train(textile, tmp_path / "whole", Recipe(**RECIPE), data=textile_data)
    out = tmp_path / "parts"
    interrupted(textile, out, textile_data)
    newest = max((out / "checkpoints").glob("step-*"))
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1  # one bit of one weight
    newest.write_bytes(bytes(content))
    _, fitted = train(textile, out, Recipe(**RECIPE), data=textile_data, resume=True)
    assert str(newest) in fitted.notes[0]
    assert "the previous checkpoint is used" in fitted.notes[0]
    assert_same_end(tmp_path / "whole", out)


def test_resuming_with_other_settings_works_and_says_so(textile_data, textile, tmp_path):
    interrupted(textile, tmp_path, textile_data)
    recipe = Recipe(**{**RECIPE, "batch": 8, "epochs": 4, "ema_decay": 0.9})
    _, fitted = train(textile, tmp_path, recipe, data=textile_data, resume=True)
    assert fitted.history[-1].epoch == 4
    assert set(fitted.notes) >= {
        "batch was 16 and is 8 from here on.",
        "epochs was 3 and is 4 from here on.",
        "ema_decay was 0.0 and is 0.9 from here on.",
    }


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [("sgd", "adamw", {"step", "exp_avg", "exp_avg_sq"}), ("adamw", "sgd", {"momentum_buffer"})],
)
def test_another_optimizer_begins_anew(few, textile, tmp_path, before, after, kept):
    recipe = Recipe(**{**RECIPE, "epochs": 1, "optimizer": before})
    train(textile, tmp_path, recipe, data=few)
    recipe = replace(recipe, epochs=2, optimizer=after)
    _, fitted = train(textile, tmp_path, recipe, data=few, resume=True)
    assert f"optimizer was {before} and is {after} from here on." in fitted.notes
    names = [name.split("/") for name in last_state(tmp_path)]
    assert {key for group, key, *_ in names if group == "optimizer"} == kept


def test_a_finished_run_goes_on_only_when_told_more(textile_data, textile, tmp_path):
    recipe = Recipe(**{**RECIPE, "epochs": 1})
    net, first = train(textile, tmp_path, recipe, data=textile_data)
    same, again = train(textile, tmp_path, recipe, data=textile_data, resume=True)
    assert (again.steps, again.stopped_because) == (first.steps, "epochs")
    assert torch.equal(same.state_dict()["fc.weight"], net.state_dict()["fc.weight"])
    _, more = train(textile, tmp_path, Recipe(**{**RECIPE, "epochs": 2}), data=textile_data, resume=True)
    assert more.steps == 2 * first.steps


def test_a_resumed_run_has_waited_as_long_as_one_that_was_let_alone(few, textile, tmp_path):
    still = {"lr": 0.0, "frozen_norm": True, "schedule": "constant", "epochs": 9}
    recipe = Recipe(**{**RECIPE, **still, "patience": 3})
    _, whole = train(textile, tmp_path / "whole", recipe, data=few)
    train(textile, tmp_path / "parts", replace(recipe, patience=2), data=few)
    _, resumed = train(textile, tmp_path / "parts", recipe, data=few, resume=True)
    ends = [(fitted.stopped_because, fitted.history[-1].epoch) for fitted in (whole, resumed)]
    assert ends == [("patience", 4)] * 2


def test_a_budget_stays_until_another_is_asked_for(few, textile, tmp_path):
    recipe = Recipe(**{**RECIPE, "epochs": 1, "budget": 600.0, "budget_seconds": 570.0})
    train(textile, tmp_path, recipe, data=few)
    kept = []
    for asked, reckoned in ((600.0, 590.0), (900.0, 880.0)):
        again = replace(recipe, budget=asked, budget_seconds=reckoned)
        _, fitted = train(textile, tmp_path, again, data=few, resume=True)
        values = read(tmp_path / "checkpoints" / newest(tmp_path)).values
        kept.append((fitted.notes, values["recipe"]["budget_seconds"]))
    assert kept == [([], 570.0), (["budget was 600.0 and is 900.0 from here on."], 880.0)]


class Unanswered(Photographs):
    """Held-out images that are no numbers from the nth look on."""

    def __init__(self, folder: Path, nth: int) -> None:
        super().__init__(folder)
        self.left = nth

    def holdout(self, batch: int, device: Any, rows: slice | None = None) -> Any:
        self.left -= 1
        wrong = 0 if self.left > 0 else math.nan
        return ((pixels + wrong, labels) for pixels, labels in super().holdout(batch, device, rows))


def test_what_answers_with_no_number_is_not_gone_on_from(textile, tmp_path):
    recipe = Recipe(**{**RECIPE, "batch": 72, "epochs": 2, "save_seconds": 1e9})
    _, fitted = train(textile, tmp_path, recipe, data=Unanswered(textile, 3))
    assert math.isnan(fitted.history[-1].val_loss)
    assert fitted.best_epoch < 2
    assert newest(tmp_path) < f"step-{fitted.steps:09}"
    _, again = train(textile, tmp_path, recipe, data=Unanswered(textile, 99), resume=True)
    assert again.steps == fitted.steps
    assert math.isfinite(again.history[-1].val_loss)


def test_other_data_are_refused_with_the_difference(textile_data, textile, tmp_path):
    interrupted(textile, tmp_path, textile_data)
    other = {"images": textile_data.count + 1, "classes": "a, b"}
    with pytest.raises(DataError, match=rf"classes: – → a, b; images: {textile_data.count} → "):
        train(textile, tmp_path, Recipe(**RECIPE), data=textile_data, resume=True, fingerprint=other)


def test_another_network_is_refused(textile_data, textile, tmp_path):
    interrupted(textile, tmp_path, textile_data)
    net = small_net(textile_data.classes + 1)
    with pytest.raises(ModelError, match=r"2 tensors .* fc\.bias, fc\.weight"):
        train(textile, tmp_path, Recipe(**RECIPE), net, textile_data, resume=True)


def test_resuming_before_the_first_checkpoint_starts_anew(textile_data, textile, tmp_path):
    _, fitted = train(textile, tmp_path, Recipe(**{**RECIPE, "epochs": 1}), data=textile_data, resume=True)
    assert "No checkpoint found" in fitted.notes[0]
    assert fitted.steps == 5


def newest(out: Path) -> str:
    return max((p.name for p in (out / "checkpoints").glob("step-*")), default="")


@UNIX
@pytest.mark.xdist_group("alone")
@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_again_and_again_it_ends_bit_identical(textile, tmp_path, kills):
    recipe = {**RECIPE, "epochs": 12, "ema_decay": 0.9}
    assert started(textile, tmp_path / "whole", recipe).wait() == 0
    out = tmp_path / "killed"
    chance = random.Random(3)
    process = started(textile, out, recipe)
    for _ in range(kills):
        before = newest(out)
        while newest(out) == before and process.poll() is None:  # it has come further than the last one did
            time.sleep(0.01)
        time.sleep(chance.random() / 5)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed: give it more epochs"
        process = started(textile, out, recipe, resume=True)
    assert process.wait() == 0
    assert_same_end(tmp_path / "whole", out)
