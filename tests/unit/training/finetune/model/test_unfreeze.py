"""Which parameters learn in which epoch."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from eyebright.training.finetune.model.optimizer import unfreeze, unfrozen_depth  # noqa: E402


@pytest.mark.parametrize("epochs", [1, 2, 5, 10, 50])
@pytest.mark.parametrize("deepest", [1, 3, 8])
def test_it_goes_down_from_the_head_and_arrives_half_way(epochs: int, deepest: int):
    reached = [unfrozen_depth(epoch, epochs, deepest) for epoch in range(epochs)]
    assert reached == sorted(reached)
    assert reached[0] >= 1
    assert set(reached[(epochs - 1) // 2 :]) == {deepest}


def test_a_long_training_passes_through_every_depth():
    assert [unfrozen_depth(epoch, 8, 4) for epoch in range(8)] == [1, 2, 3, 4, 4, 4, 4, 4]


def test_only_what_is_named_changes():
    net = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("stem", "block", "head", "adapter")})
    net.adapter.requires_grad_(False)
    depth_of = {"stem.weight": 2, "stem.bias": 2, "block.weight": 1, "block.bias": 1, "head.weight": 0}
    unfreeze(net, depth_of, 1)
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert learning == {"block.weight", "block.bias", "head.weight", "head.bias"}
    unfreeze(net, depth_of, 2)
    assert net.stem.weight.requires_grad
    assert not net.adapter.weight.requires_grad
