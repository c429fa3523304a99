"""Modules of the user's own as backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from eyebright.backbones.card import Preprocessing  # noqa: E402
from eyebright.backbones.torch.network import Network  # noqa: E402
from eyebright.backbones.torch.own import own_network, with_transform  # noqa: E402
from eyebright.errors import ConfigError  # noqa: E402

SEEN = Preprocessing(64, "bilinear", None, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


class Plain(nn.Module):
    """Two convolutions; a subclass does something else with the same weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.layer2 = nn.Conv2d(8, 8, 3, stride=2, padding=1)

    def between(self, maps: Tensor) -> Tensor:
        return maps.relu()

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.layer2(self.between(self.layer1(pixels)))
        return found


class Smooth(Plain):
    """The same weights, another function."""

    def between(self, maps: Tensor) -> Tensor:
        return maps.sigmoid()


class Grey(nn.Module):
    """Pixels without their colour."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(1, keepdim=True).expand(-1, 3, -1, -1)


class Noisy(nn.Module):
    """Draws at random."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels + torch.rand_like(pixels)


def network_of(module: object) -> Network:
    return own_network(module, "own:net", SEEN, fixed=False, licence="MIT", pretrained=True)


@pytest.fixture(scope="module")
def plain() -> Network:
    return network_of(Plain())


def test_a_map_becomes_features_and_the_module_stays_as_it_is(plain: Network) -> None:
    module = Plain().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = network_of(module)
    pixels = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(found.body(pixels), module(pixels).mean((2, 3)))
    assert module.training
    assert all(torch.equal(before[n], t) for n, t in module.state_dict().items())
    assert [layer.channels for layer in found.card.layers] == [8, 8, 8]
    assert found.card.stride == 4


def test_the_card_tells_functions_of_the_same_weights_apart(plain: Network) -> None:
    assert network_of(Plain()).card.sha == plain.card.sha
    other = network_of(Smooth())
    assert other.card.sha != plain.card.sha
    other.body, other.code = plain.body, other.code
    other.refresh_card()
    assert other.card.sha != plain.card.sha


def test_a_transform_is_part_of_the_body(plain: Network) -> None:
    whole = with_transform(plain, Grey())
    pixels = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (SEEN.mean, SEEN.std))
    grey = pixels.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    expected = plain.body((grey - mean) / std)
    torch.testing.assert_close(whole.body((pixels - mean) / std), expected, rtol=1e-4, atol=1e-5)
    assert whole.card.name == "own:net+Grey"


@pytest.mark.parametrize(
    ("transform", "problem"),
    [
        (lambda pixels: pixels, "torch.nn.Module"),
        (nn.Conv2d(3, 3, 1), "no parameters"),
        (Noisy(), "draws at random"),
        (nn.AvgPool2d(2), "keep the shape"),
        (nn.Flatten(0), "keep the shape"),
        (nn.Unflatten(1, (5, 5)), "failed"),
    ],
)
def test_what_the_sealed_file_cannot_hold_is_refused(plain: Network, transform: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        with_transform(plain, transform)


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("resnet18", "with weights"),
        (nn.ReLU(), "with weights"),
        (nn.Linear(7, 3), "failed at 64 px"),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(2)), "Leave out the classifier"),
    ],
)
def test_a_module_that_gives_no_features_is_refused(module: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        network_of(module)
