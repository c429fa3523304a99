"""What a training proposes to try next rests on the sizes that it compared."""

from __future__ import annotations

from eyebright.training.linear_probe.selection import ProbeCandidate
from eyebright.verbs.train.messages import next_steps


def row(
    size: int, log_loss: float, excess: float | None = None, error: float | None = None
) -> ProbeCandidate:
    return ProbeCandidate(str(size), 90, 100, log_loss, excess is None, excess, error)


def test_a_larger_size_is_proposed_where_each_step_gained() -> None:
    (sentence,) = next_steps([row(224, 0.5, 0.3, 0.01), row(288, 0.35, 0.15, 0.01), row(448, 0.2)])
    assert "--size 640" in sentence


def test_a_gain_too_small_to_be_sure_of_is_told() -> None:
    (sentence,) = next_steps([row(224, 0.5), row(288, 0.48, -0.02, 0.03)])
    assert "0.020 ± 0.030" in sentence
    assert "--size 288" in sentence


def test_nothing_is_proposed_without_evidence() -> None:
    assert next_steps([]) == ()
    assert next_steps([row(224, 0.5), row(288, 0.55, 0.05, 0.03)]) == ()
    assert next_steps([row(224, 0.5, 0.05, 0.02), row(288, 0.45), row(448, 0.449, -0.001, 0.03)]) == ()
    assert next_steps([row(288, 0.21, 0.01, 0.01), row(448, 0.2)]) == ()
