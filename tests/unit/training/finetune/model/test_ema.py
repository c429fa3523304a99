"""The moving average: its arithmetic against timm's, its use, and its way through a checkpoint."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from eyebright.training.finetune.model.ema import Ema  # noqa: E402


def net_of(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def move(net: nn.Module, seed: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    for tensor in [*net.parameters(), *net.buffers()]:
        if tensor.is_floating_point():
            tensor.data.add_(torch.rand(tensor.shape, generator=chance))


def test_it_is_timms_with_warmup():
    timm_ema = pytest.importorskip("timm.utils").ModelEmaV3
    net = net_of(0)
    ours, theirs = Ema(net, 0.7), timm_ema(net, decay=0.7, use_warmup=True)
    for step in range(12):
        move(net, step)
        ours.update(net)
        theirs.update(net, step=step + 1)
    expected = theirs.module.state_dict()
    assert ours.decay() == 0.7
    for name, average in ours.state_dict().items():
        if name in expected:
            torch.testing.assert_close(average, expected[name])


def test_the_first_update_is_the_network_itself():
    net = net_of(0)
    ema = Ema(net, 0.999)
    move(net, 1)
    ema.update(net)
    assert all(torch.equal(ema.state_dict()[name], p) for name, p in net.named_parameters())


def test_applied_puts_the_average_in_and_the_weights_back():
    net = net_of(0)
    ema = Ema(net, 0.9)
    for step in range(3):
        move(net, step)
        ema.update(net)
    own = copy.deepcopy(net.state_dict())
    average = {name: tensor.clone() for name, tensor in ema.state_dict().items()}
    parameters = [id(p) for p in net.parameters()]
    with pytest.raises(KeyError), ema.applied(net):  # noqa: PT012 (what holds inside is part of the test)
        assert all(torch.equal(p, average[name]) for name, p in net.named_parameters())
        assert not torch.equal(net[0].weight, own["0.weight"])
        raise KeyError
    assert all(torch.equal(tensor, own[name]) for name, tensor in net.state_dict().items())
    assert all(torch.equal(tensor, average[name]) for name, tensor in ema.state_dict().items())
    assert parameters == [id(p) for p in net.parameters()]


def test_a_resumed_average_goes_on_as_if_nothing_had_happened():
    net = net_of(0)
    ema = Ema(net, 0.99)
    for step in range(4):
        move(net, step)
        ema.update(net)
    resumed = Ema(net_of(9), 0.99)
    resumed.load_state_dict({name: tensor.clone() for name, tensor in ema.state_dict().items()})
    move(net, 5)
    for average in (ema, resumed):
        average.update(net)
    assert resumed.updates == ema.updates == 5
    for name, tensor in ema.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name])


def test_from_a_networks_own_state_it_begins_anew():
    net, other = net_of(0), net_of(1)
    for one in (net, other):
        one.register_buffer("pixel_mean", torch.ones(3), persistent=False)
    ema = Ema(other, 0.99)
    ema.load_state_dict(net.state_dict())
    assert ema.updates == 0
    assert torch.equal(ema.state_dict()["0.weight"], net[0].weight)
