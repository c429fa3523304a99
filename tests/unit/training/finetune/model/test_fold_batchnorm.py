"""Folding leaves what a network computes as it was, and finds what can be folded."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import relu  # noqa: E402

from eyebright.backbones import catalog  # noqa: E402
from eyebright.training.finetune.model.fold_batchnorm import fold_norms  # noqa: E402


def interpolate(body: nn.Module, pixels) -> None:
    """Statistics and scales that are not the ones of a fresh batch norm."""
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            module.momentum = 0.5
    body.train()
    with torch.no_grad():
        body(pixels)
    body.eval()


def norms(body: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in body.modules())


@pytest.mark.parametrize(
    ("backbone", "left"),
    [
        ("timm:resnet10t", 0),
        ("timm:mobilenetv3_small_050", 0),
        ("timm:tf_efficientnet_lite0", 0),
        pytest.param("torchvision:shufflenet_v2_x0_5", 0, marks=pytest.mark.slow),
        # Norms in front of the convolutions: one behind the stem, one behind each bottleneck, and so on.
        pytest.param("timm:densenet121", 62, marks=pytest.mark.slow),
    ],
)
def test_outputs_stay_the_same(backbone: str, left: int):
    torch.manual_seed(0)
    body = catalog.load(backbone, "none", 64).body
    pixels = torch.randn(4, 3, 64, 64)
    interpolate(body, pixels)
    with torch.no_grad():
        expected = body(pixels)
        before = norms(body)
        folded = fold_norms(body, pixels)
        found = body(pixels)
    assert folded == before - norms(body) > 0
    assert norms(body) == left
    assert float((found - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def test_the_folded_network_learns():
    torch.manual_seed(0)
    body = catalog.load("timm:resnet10t", "none", 64).body
    pixels = torch.randn(4, 3, 64, 64)
    interpolate(body, pixels)
    fold_norms(body, pixels)
    body.train()
    body(pixels).square().mean().backward()
    assert all(p.requires_grad and p.grad is not None for p in body.parameters())
    assert any(name.endswith("conv1.0.bias") for name, _ in body.named_parameters())


class Shared(nn.Module):
    """A convolution whose output is also used past its batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bn1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.second, self.bn2 = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.bn3, self.bn4 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, pixels):
        maps = relu(self.bn1(self.first(pixels)))
        raw = self.second(maps)
        maps = relu(self.bn2(raw)) + raw
        maps = self.bn4(self.twice(relu(self.bn3(self.twice(maps)))))
        return maps.mean((2, 3))


def test_only_what_nothing_else_depends_on_is_folded():
    torch.manual_seed(0)
    body = Shared()
    pixels = torch.randn(4, 3, 16, 16)
    interpolate(body, pixels)
    expected, before = body(pixels), copy.deepcopy(body.state_dict())
    assert fold_norms(body, pixels) == 1
    assert isinstance(body.bn1, nn.Identity)
    assert [type(m) for m in (body.bn2, body.bn3, body.bn4)] == [nn.BatchNorm2d] * 3
    torch.testing.assert_close(body(pixels), expected)
    assert torch.equal(body.second.weight, before["second.weight"])


def test_a_blank_example_hides_nothing():
    torch.manual_seed(0)
    body = Shared()
    for module in body.modules():  # without biases a blank image stays blank, whatever is folded
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 2.0)
    body.eval()
    assert fold_norms(body, torch.zeros(2, 3, 16, 16)) == 1


def test_a_network_without_batch_norms_stays_as_it_is():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten())
    before = copy.deepcopy(body.state_dict())
    assert fold_norms(body, torch.randn(1, 3, 8, 8)) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in body.state_dict().items())
