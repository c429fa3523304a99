"""The choice of a number format, with a clock of the test's own."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from eyebright.training.finetune.system.precision import candidates, choose  # noqa: E402


class Steps:
    """Steps that take what they are said to take, on their own clock."""

    def __init__(self, seconds: dict[str, float], losses: dict[str, float]) -> None:
        self.now = 0.0
        self.order: list[str] = []
        self._seconds, self._losses = seconds, losses

    def step(self, precision: str) -> float:
        self.order.append(precision)
        self.now += self._seconds[precision]
        if math.isinf(self._losses[precision]):
            raise RuntimeError("not implemented for 'BFloat16'")
        return self._losses[precision]


@pytest.mark.parametrize(
    ("seconds", "losses", "chosen"),
    [
        ((1.0, 0.5), (2.0, 2.03), "bf16"),
        ((1.0, 0.5), (2.0, 2.05), "fp32"),
        ((1.0, 1.5), (2.0, 2.0), "fp32"),
        ((1.0, 0.5), (2.0, math.nan), "fp32"),
        ((1.0, 0.5), (2.0, math.inf), "fp32"),
        ((1.0, 0.5), (math.inf, 2.0), "bf16"),
    ],
)
def test_the_fastest_that_agrees_is_chosen(seconds, losses, chosen):
    formats = ("fp32", "bf16")
    steps = Steps(dict(zip(formats, seconds, strict=True)), dict(zip(formats, losses, strict=True)))
    found, trials = choose(steps.step, formats, clock=lambda: steps.now)
    assert found == chosen
    assert [trial.precision for trial in trials] == list(formats)
    for trial, second, loss in zip(trials, seconds, losses, strict=True):
        works = math.isfinite(loss)
        assert trial.seconds == pytest.approx(second if works else math.inf)
        assert works or not trial.agrees


def test_formats_take_turns():
    steps = Steps({"fp32": 1.0, "bf16": 1.0}, {"fp32": 1.0, "bf16": 1.0})
    choose(steps.step, ("fp32", "bf16"), clock=lambda: steps.now)
    assert steps.order == ["fp32", "bf16"] * (len(steps.order) // 2)


def test_nothing_that_works_leaves_the_first():
    steps = Steps({"fp32": 1.0, "bf16": 1.0}, {"fp32": math.inf, "bf16": math.inf})
    found, trials = choose(steps.step, ("fp32", "bf16"), clock=lambda: steps.now)
    assert found == "fp32"
    assert not any(trial.agrees for trial in trials)


def test_real_steps_in_both_formats_agree_on_a_cpu():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 4))
    inputs, labels = torch.randn(16, 32), torch.arange(16) % 4

    def step(precision: str) -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = net(inputs)
        return nn.functional.cross_entropy(logits.float(), labels).item()

    formats = candidates(torch.device("cpu"))
    _, trials = choose(step, formats)
    assert formats == ("fp32", "bf16")
    assert all(trial.agrees for trial in trials)
    assert trials[0].loss != trials[1].loss
