"""Groups of parameters: depth, learning rate, weight decay, and late starters."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from eyebright.backbones import catalog
from eyebright.training.finetune.model.optimizer import depths, make_optimizer


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"stem": nn.Conv2d(3, 4, 3), "block": nn.Linear(4, 4)})
        self.body["block"].register_parameter("pos_embed", nn.Parameter(torch.ones(1, 2, 4)))
        self.head = nn.Linear(4, 2)


PLACES = {"stem.weight": 0, "stem.bias": 0, "block.weight": 1, "block.bias": 1, "block.pos_embed": 1}


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small()


def names(net: nn.Module) -> list[str]:
    return [name for name, _ in net.named_parameters()]


def settings(net: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, dict]:
    own = {id(parameter): name for name, parameter in net.named_parameters()}
    return {own[id(p)]: group for group in optimizer.param_groups for p in group["params"]}


def test_depth_counts_from_the_head(small: Small):
    found = depths(names(small), PLACES)
    assert found["head.weight"] == found["head.bias"] == 0
    assert found["body.block.weight"] == 1
    assert found["body.stem.weight"] == 2


def test_what_came_later_stands_where_its_owner_stands():
    later = ["body.stem.extra", "body.block.lora_A.default.weight", "body.cls_token"]
    assert depths(later, PLACES) == {later[0]: 2, later[1]: 1, later[2]: 2}


@pytest.mark.parametrize("backbone", ["vit_tiny", "timm:resnet10t"])
def test_depths_of_a_real_network_fall_from_stem_to_head(backbone: str):
    network = catalog.load(backbone, "none", None)
    body = {f"body.{name}" for name, _ in network.body.named_parameters()}
    found = depths([*body, "head.weight"], network.depths)
    assert set(found) == body | {"head.weight"}
    assert {found[name] for name in body} == set(range(1, len(network.blocks) + 1))
    last = [name for name in body if name.startswith(f"body.{network.blocks[-1]}.")]
    assert {found[name] for name in last} == {1}


def test_rates_fall_with_depth_and_norms_are_not_pulled(small: Small):
    optimizer = make_optimizer(small, depths(names(small), PLACES), "adamw", 1e-3, 0.05, 0.5)
    found = settings(small, optimizer)
    assert set(found) == set(names(small))
    for name, scale in (("head.weight", 1.0), ("body.block.weight", 0.5), ("body.stem.weight", 0.25)):
        assert found[name]["lr_scale"] == pytest.approx(scale)
        assert found[name]["lr"] == pytest.approx(1e-3 * scale)
        assert found[name]["weight_decay"] == 0.05
    for name in ("head.bias", "body.stem.bias", "body.block.pos_embed"):
        assert found[name]["weight_decay"] == 0.0


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_every_optimizer_learns_and_leaves_alone_what_has_no_gradient(small: Small, name: str):
    optimizer = make_optimizer(small, depths(names(small), PLACES), name, 0.05)
    frozen = small.body["stem"].weight.clone()
    inputs, labels = torch.randn(8, 4), torch.arange(8) % 2
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(small.head(small.body["block"](inputs)), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]
    assert torch.equal(small.body["stem"].weight, frozen)
    assert small.body["stem"].weight not in optimizer.state


def test_sgd_is_nesterovs(small: Small):
    group = make_optimizer(small, {"head.weight": 0}, "sgd", 0.1).param_groups[0]
    assert group["nesterov"]
    assert group["momentum"] == 0.9
    assert len(group["params"]) == 1


def test_an_unknown_name_is_refused(small: Small):
    with pytest.raises(ValueError, match="lion"):
        make_optimizer(small, {"head.weight": 0}, "lion", 0.1)
