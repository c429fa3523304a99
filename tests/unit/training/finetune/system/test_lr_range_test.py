"""The learning-rate range test on a real little training."""

from __future__ import annotations

import copy
import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from eyebright.training.finetune.system.lr_range_test import find_rate, suggest  # noqa: E402


class Training:
    """Two clouds of points, a network with a batch norm and dropout, and momentum that is already rolling."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.labels = torch.arange(64) % 2
        self.inputs = torch.randn(64, 8) + 0.5 * self.labels[:, None]
        self.net = nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2)
        )
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
        self.spoilt_from = math.inf
        self.step(0.1)

    def step(self, rate: float) -> float:
        self.optimizer.param_groups[0]["lr"] = rate
        loss = nn.functional.cross_entropy(self.net(self.inputs), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item() if rate < self.spoilt_from else math.nan


def test_everything_is_put_back_bit_by_bit():
    training = Training()
    net, optimizer = training.net, training.optimizer
    weights, moments = copy.deepcopy(net.state_dict()), copy.deepcopy(optimizer.state_dict())
    chance = torch.get_rng_state()
    find_rate(training.step, net, optimizer, steps=30)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in net.state_dict().items())
    assert optimizer.state_dict()["param_groups"] == moments["param_groups"]
    for place, state in moments["state"].items():
        assert torch.equal(
            optimizer.state_dict()["state"][place]["momentum_buffer"], state["momentum_buffer"]
        )
    assert torch.equal(torch.get_rng_state(), chance)
    assert net.training
    assert all(p.grad is None for p in net.parameters())


def test_the_next_step_is_as_if_there_had_been_no_test():
    tested, untouched = Training(), Training()
    chance = torch.get_rng_state()
    find_rate(tested.step, tested.net, tested.optimizer, steps=20)
    losses = []
    for training in (tested, untouched):
        torch.set_rng_state(chance)
        losses.append([training.step(0.05) for _ in range(3)])
    assert losses[0] == losses[1]


def test_the_rates_rise_evenly_and_the_suggestion_learns():
    training = Training()
    seen = find_rate(training.step, training.net, training.optimizer, steps=61)
    ratios = [b / a for a, b in zip(seen.rates, seen.rates[1:], strict=False)]
    assert seen.rates[0] == pytest.approx(1e-6)
    assert ratios == pytest.approx([10**0.1] * len(ratios))
    assert 1e-3 < seen.suggestion <= 0.1
    first = training.step(seen.suggestion)
    for _ in range(20):
        last = training.step(seen.suggestion)
    assert last < first


def test_in_a_short_time_the_rates_rise_in_fewer_steps():
    for seconds, steps in ((0.0, 20), (math.inf, 61)):
        training = Training()
        seen = find_rate(training.step, training.net, training.optimizer, steps=61, seconds=seconds)
        assert len(seen.rates) <= steps
        assert seen.rates[1] / seen.rates[0] == pytest.approx(10 ** (6 / (steps - 1)))


def test_it_stops_where_the_loss_is_no_number():
    training = Training()
    training.spoilt_from = 1e-3
    seen = find_rate(training.step, training.net, training.optimizer, steps=61)
    assert max(seen.rates) < 1e-3
    assert all(math.isfinite(loss) for loss in seen.losses)
    assert all(torch.isfinite(p).all() for p in training.net.parameters())


def test_it_stops_where_the_loss_explodes():
    training = Training()
    calls = []

    def step(rate: float) -> float:
        calls.append(rate)
        return 1.0 if rate < 1e-2 else 100.0

    seen = find_rate(step, training.net, training.optimizer, steps=61)
    assert len(calls) == len(seen.rates) + 1
    assert seen.rates[-1] < 1e-2


def test_suggestions():
    rates = [1e-4, 1e-3, 1e-2, 1e-1]
    assert suggest(rates, [1.0, 0.8, 0.5, 2.0]) == pytest.approx(1e-3)
    assert suggest(rates, [0.50, 0.51, 0.505, 0.9]) == pytest.approx(1e-3)  # flat: where it turns up
    assert suggest([], []) == pytest.approx(1e-6)
