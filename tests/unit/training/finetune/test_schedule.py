"""The learning rate against torch's own schedulers."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

torch = pytest.importorskip("torch")

from eyebright.training.finetune.schedule import Plateau, rate_factor, stalls_count  # noqa: E402


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_onecycle_is_torchs():
    steps, warmup = 101, 0.3
    sgd = optimizer()
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        sgd, max_lr=1.0, total_steps=steps, pct_start=warmup, cycle_momentum=False, final_div_factor=1e4
    )
    # torch begins its fall at the step before 30 % of the steps, so its warm-up is that much shorter.
    rise = (warmup * steps - 1) / (steps - 1)
    for step in range(steps):
        assert rate_factor("onecycle", step / (steps - 1), rise) == pytest.approx(
            sgd.param_groups[0]["lr"], abs=1e-6
        )
        sgd.step()
        if step < steps - 1:
            schedule.step()


def test_cosine_is_torchs_after_its_warmup():
    sgd = optimizer()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=40)
    for step in range(41):
        assert rate_factor("cosine", 0.2 + 0.8 * step / 40, 0.2) == pytest.approx(
            sgd.param_groups[0]["lr"], abs=1e-12
        )
        sgd.step()
        schedule.step()


@pytest.mark.parametrize("name", ["cosine", "onecycle", "constant", "plateau"])
def test_it_rises_to_the_highest_rate_and_never_begins_at_nothing(name: str):
    rising = [rate_factor(name, share / 100, 0.2) for share in range(21)]
    assert rising == sorted(rising)
    assert rising[0] == pytest.approx(0.04)
    assert rising[-1] == 1.0


@pytest.mark.parametrize("name", ["constant", "plateau"])
def test_it_stays(name: str):
    assert {rate_factor(name, share, 0.1) for share in (0.1, 0.5, 1.0, 1.2)} == {1.0}


def test_without_warmup_it_begins_at_the_top():
    assert rate_factor("cosine", 0.0) == 1.0
    assert rate_factor("cosine", 1.0) == pytest.approx(0.0)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="linear"):
        rate_factor("linear", 0.5)


def test_plateau_is_torchs_over_a_stop():
    losses = [1.0, 0.9, 0.9, 0.95, 0.89999, 0.91, 0.8, 0.8, 0.8, 0.8, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]
    sgd = optimizer()
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, factor=0.2, patience=2, min_lr=1e-3)
    plateau = Plateau()
    for loss in losses:
        expected.step(loss)
        plateau.update(loss)
        assert plateau.factor == pytest.approx(sgd.param_groups[0]["lr"])
        plateau = Plateau(**json.loads(json.dumps(asdict(plateau))))
    assert plateau.factor < 0.04


def test_a_loss_that_is_no_number_is_no_gain_of_a_plateau():
    plateau = Plateau()
    for loss in (math.nan, 1.0, 0.9):
        plateau.update(loss)
    assert (plateau.best, plateau.waited) == (0.9, 0)


@pytest.mark.parametrize("name", ["cosine", "onecycle", "constant", "plateau"])
def test_stalls_count_once_the_rate_falls(name: str):
    falls = rate_factor(name, 0.99, 0.1) < 0.1
    assert stalls_count(name, 0.3) == (not falls)
    assert stalls_count(name, 0.5)
