"""Quicker steps on a CPU compute the same numbers, and leave the network as it was."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from eyebright.backbones import catalog
from eyebright.training.finetune.system.cpu_speedups import cpu_speedups

CPU = torch.device("cpu")


def gradients(net: nn.Module, inputs, **autocast) -> dict[str, torch.Tensor]:
    """Of the inputs and all parameters."""
    inputs = inputs.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, **autocast):
        output = net(inputs)
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    (output * weights).sum().backward()
    found = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad(set_to_none=True)
    return {**found, "inputs": inputs.grad}


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "side"),
    [(5, 1, 2, 14), (5, 2, 2, 13), (5, 2, 2, 14), (5, 2, 0, 15), (7, 1, 3, 9), (7, 4, 3, 16), (9, 1, 4, 11)],
)
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_wide_depthwise_convolutions(kernel, stride, padding, side, bias):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(16, 16, kernel, stride, padding, groups=16, bias=bias)).double()
    inputs = torch.randn(3, 16, side, side, dtype=torch.float64)
    expected = gradients(net, inputs, enabled=False)
    with cpu_speedups(net, CPU):
        assert type(net[0]) is not nn.Conv2d
        found = gradients(net, inputs, enabled=False)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_under_bfloat16_gradients_agree_as_far_as_that_goes():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(16, 16, 5, 1, 2, groups=16), nn.ReLU6(inplace=True))
    inputs = torch.randn(3, 16, 12, 12)
    expected = gradients(net, inputs, enabled=True)
    with cpu_speedups(net, CPU):
        found = gradients(net, inputs, enabled=True)
    for name, gradient in expected.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], gradient, rtol=0.05, atol=0.02 * float(gradient.abs().max()))


def test_the_embedded_network_has_the_same_outputs_and_gradients():
    torch.manual_seed(0)
    net = catalog.load("efficientnet_lite0", None, 64).body.to(memory_format=torch.channels_last)
    pixels = torch.randn(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    before = [type(module) for module in net.modules()]
    with torch.no_grad():
        output = net(pixels)
    expected = gradients(net, pixels, enabled=False)
    with cpu_speedups(net, CPU):
        changed = sum(type(module) is not old for module, old in zip(net.modules(), before, strict=True))
        with torch.no_grad():
            torch.testing.assert_close(net(pixels), output)
        found = gradients(net, pixels, enabled=False)
    assert changed == 9 + 33  # kernels of five columns, activations
    assert [type(module) for module in net.modules()] == before
    for name, gradient in expected.items():
        # Sums in another order: compared with the largest, as those of dead channels are next to nothing.
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()))


def test_a_frozen_convolution_gets_no_gradient_and_passes_one_on():
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 5, padding=2, groups=8).requires_grad_(False))
    with cpu_speedups(net, CPU):
        found = gradients(net, torch.randn(1, 3, 8, 8), enabled=False)
    assert set(found) == {"0.weight", "0.bias", "inputs"}


def test_what_it_does_not_know_it_leaves_alone():
    net = nn.Sequential(
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 5, groups=4),
        nn.Conv2d(8, 16, 5, groups=8),
        nn.Conv2d(16, 16, 5, groups=16, dilation=2),
        nn.Conv2d(16, 16, 5, groups=16, padding="same"),
        nn.Conv2d(16, 16, 5, groups=16, padding=2, padding_mode="reflect"),
        nn.ReLU6(),
    )
    with cpu_speedups(net, CPU):
        assert [type(m) for m in net] == [nn.Conv2d] * 6 + [nn.ReLU6]


def test_on_another_device_nothing_changes():
    net = nn.Sequential(nn.ReLU6(inplace=True))
    with cpu_speedups(net, torch.device("cuda")):
        assert type(net[0]) is nn.ReLU6


def test_an_error_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.ReLU6(inplace=True))
    with pytest.raises(KeyError), cpu_speedups(net, CPU):
        raise KeyError
    assert type(net[0]) is nn.ReLU6
