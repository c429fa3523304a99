"""A fine-tuned backbone goes back to timm under its own names, and computes the same."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from safetensors.torch import load, load_file  # noqa: E402

from eyebright.backbones import catalog  # noqa: E402
from eyebright.report.sections.usage import TIMM_SNIPPET  # noqa: E402
from eyebright.training.finetune.model.fold_batchnorm import fold_norms  # noqa: E402
from eyebright.training.finetune.model.timm_weights import timm_weights  # noqa: E402


def noise(size: int = 64):
    return torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(3))


def trained(network) -> None:
    """Move all weights a little, as a training does."""
    with torch.no_grad():
        for number, parameter in enumerate(network.body.parameters()):
            parameter += (
                0.01
                * parameter.std()
                * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
                if parameter.numel() > 1
                else 0.0
            )


def test_the_embedded_backbone_is_timms_with_its_norms_back(tmp_path, monkeypatch) -> None:
    network = catalog.load("efficientnet_lite0", None, 64)
    trained(network)
    data = timm_weights(network, "efficientnet_lite0")
    assert data is not None
    (tmp_path / "backbone.safetensors").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(TIMM_SNIPPET, names)  # the lines of the model card
    assert names["about"]["architecture"] == "tf_efficientnet_lite0"
    backbone = names["backbone"].eval()
    with torch.no_grad():
        expected, found = network.body(noise()), backbone(noise())
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    assert any(name.endswith("running_var") for name in load_file("backbone.safetensors"))


@pytest.mark.parametrize("backbone", ["timm:resnet10t", "timm:mobilenetv3_small_050", "vit_tiny"])
def test_so_are_folded_networks_of_timm(backbone: str) -> None:
    # Random weights: this is about names and arithmetic.
    network = catalog.load(backbone, "none", 64)
    fold_norms(network.body, noise())
    trained(network)
    data = timm_weights(network, backbone)
    assert data is not None
    name = {"vit_tiny": "vit_tiny_patch16_224"}.get(backbone, backbone.removeprefix("timm:"))
    options = {"img_size": 64} if "vit" in name else {}
    again = timm.create_model(name, num_classes=0, **options).eval()
    again.load_state_dict(load(data))
    with torch.no_grad():
        expected, found = network.body(noise()), again(noise())
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_a_network_of_another_library_gives_nothing() -> None:
    network = catalog.load("torchvision:mobilenet_v3_small", "none", 64)
    assert timm_weights(network, "torchvision:mobilenet_v3_small") is None
    assert timm_weights(network, "own:anything") is None


def test_another_function_than_timms_gives_nothing() -> None:
    network = catalog.load("timm:resnet10t", "none", 64)
    network.body.act1 = torch.nn.Tanh()
    assert timm_weights(network, "timm:resnet10t") is None


def test_the_file_says_how_it_is_loaded() -> None:
    from safetensors import safe_open  # noqa: F401

    network = catalog.load("vit_tiny", "none", 64)
    data = timm_weights(network, "vit_tiny")
    assert data is not None
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert json.loads(header["options"]) == {"num_classes": 0, "img_size": 64}
    assert json.loads(header["size"]) == 64
