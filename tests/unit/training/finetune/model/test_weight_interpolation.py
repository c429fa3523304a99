"""Between the weights that training began with and those that it found."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from eyebright.training.finetune.model.weight_interpolation import copy_weights, interpolate


def moved(start: float, end: float) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    nn.init.constant_(net[0].weight, start)
    before = copy_weights(net)
    nn.init.constant_(net[0].weight, end)
    return net, before


@pytest.mark.parametrize("wanted", [1.0, 0.75, 0.5, 0.25])
def test_it_stays_where_the_loss_is_lowest(wanted: float) -> None:
    net, before = moved(0.0, 8.0)
    share = interpolate(net, before, lambda: abs(float(net[0].weight[0, 0].detach()) - 8 * wanted))
    assert share == wanted
    torch.testing.assert_close(net[0].weight.detach(), torch.full((2, 2), 8 * wanted))


def test_of_equal_places_the_end_is_taken() -> None:
    net, before = moved(1.0, 2.0)
    found = copy_weights(net)
    assert interpolate(net, before, lambda: 0.5) == 1.0
    assert all(torch.equal(tensor, found[name]) for name, tensor in net.state_dict().items())
