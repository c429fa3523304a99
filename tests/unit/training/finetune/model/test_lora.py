"""Adapters beside the linear layers of transformers, and their way back into the weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from torch import nn  # noqa: E402

from eyebright.backbones import catalog  # noqa: E402
from eyebright.errors import ConfigError  # noqa: E402
from eyebright.training.finetune.model.lora import add_adapters, merge_adapters  # noqa: E402


def learn(body: nn.Module, pixels) -> None:
    body.train()
    optimizer = torch.optim.AdamW([p for p in body.parameters() if p.requires_grad], lr=0.01)
    for _ in range(2):  # the first step moves one half of each adapter only
        optimizer.zero_grad()
        body(pixels)[:, ::2].sum().backward()
        optimizer.step()
    body.eval()


@pytest.mark.parametrize(
    ("backbone", "size", "ends"),
    [
        ("vit_tiny", 64, {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}),
        ("timm:mobilevit_xxs", 64, {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}),
        pytest.param(
            "timm:swin_tiny_patch4_window7_224",
            224,
            {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"},
            marks=pytest.mark.slow,
        ),
        pytest.param("torchvision:vit_b_32", 224, {"mlp.0", "mlp.3"}, marks=pytest.mark.slow),
    ],
)
def test_adapters_learn_alone_and_merge(backbone: str, size: int, ends: set[str]):
    torch.manual_seed(0)
    body = catalog.load(backbone, "none", size).body.eval()
    pixels = torch.randn(1, 3, size, size)
    names = {name for name, _ in body.named_parameters()}
    with torch.no_grad():
        before = body(pixels)
    layers = add_adapters(body, 4, pixels, backbone)
    assert ends <= {".".join(layer.split(".")[-2:]) for layer in layers}
    learning = {name for name, p in body.named_parameters() if p.requires_grad}
    assert len(learning) == 2 * len(layers)
    assert all("lora_" in name for name in learning)
    with torch.no_grad():
        torch.testing.assert_close(body(pixels), before)
    learn(body, pixels)
    with torch.no_grad():
        after = body(pixels)
        assert float((after - before).abs().max()) > 1e-3 * float(before.abs().max())
        merge_adapters(body)
        found = body(pixels)
    assert {name for name, _ in body.named_parameters()} == names
    assert float((found - after).abs().max()) <= 1e-4 * float(after.abs().max())


def test_a_convolutional_network_is_refused():
    body = catalog.load("timm:resnet10t", "none", None).body
    with pytest.raises(ConfigError, match=r"resnet10t has none.*--finetune last"):
        add_adapters(body, 4, torch.zeros(1, 3, 64, 64), "resnet10t")


def test_linear_layers_behind_the_pooling_do_not_count():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    with pytest.raises(ConfigError):
        add_adapters(body, 2, torch.zeros(1, 3, 8, 8), "pooled")
