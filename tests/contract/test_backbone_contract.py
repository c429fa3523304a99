"""What every trainable backbone must do, whichever library it is from. Only the embedded has real weights."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers

from eyebright.backbones import catalog
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.backbones.graph import features_graph
from eyebright.backbones.torch.blocks import as_map, map_shape, outputs_of
from eyebright.backbones.torch.exported import ExportedBackbone
from eyebright.backbones.torch.network import Network, set_drop_path
from eyebright.backbones.torch.split import split

# Name and size. One real network of each library, and for each mechanism the smallest network that has it:
# timm's own test networks, and small configurations of Hugging Face.
QUICK = [
    ("efficientnet_lite0", 64),
    ("resnet18", 64),
    ("torchvision:resnet18", 64),
    ("test_efficientnet", 64),
    ("test_convnext", 64),
    ("test_nfnet", 64),
    ("test_vit", 64),
    ("hf:vit", 64),
    ("hf:swin", 64),
    ("hf:resnet", 64),
    ("hf:convnext", 64),
]
# The networks that people use; their graphs take long to export.
SLOW = [
    ("resnet50", 64),
    ("efficientnet_b0", 64),
    ("efficientnet_b4", 64),
    ("densenet121", 64),
    ("vit_tiny", 96),
    ("vit_base_patch16_224", 64),
    ("swin_tiny_patch4_window7_224", 96),
    ("mobilevit_xs", 64),
    ("mobilevit_s", 64),
    ("convnext_tiny", 64),
    ("mobilenetv3_large_100", 64),
    ("torchvision:vit_b_16", 64),
    ("torchvision:swin_t", 64),
    ("torchvision:googlenet", 96),
]
SIZES = dict(QUICK + SLOW)
# Of these, what needs no export is quick.
BUILT_QUICKLY = ["vit_tiny", "mobilevit_xs", "densenet121", "torchvision:swin_t"]


def _configurations() -> dict[str, object]:
    small = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    stages = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
    return {
        "vit": transformers.ViTConfig(num_hidden_layers=3, image_size=64, **small),
        "swin": transformers.SwinConfig(
            embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 6], window_size=2, image_size=64
        ),
        "resnet": transformers.ResNetConfig(embedding_size=8, layer_type="basic", **stages),
        "convnext": transformers.ConvNextConfig(**stages),
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small classifiers of Hugging Face, as folders."""
    root = tmp_path_factory.mktemp("hf")
    torch.manual_seed(0)
    for name, config in _configurations().items():
        model = transformers.AutoModelForImageClassification.from_config(config)
        model.save_pretrained(root / name)
    return root


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where exported graphs are kept."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module")
def built(folders: Path) -> dict[str, Network]:
    return {}


def _build(name: str, folders: Path, built: dict[str, Network]) -> Network:
    if name not in built:
        torch.manual_seed(1)
        published = name == "efficientnet_lite0" or name.startswith("hf:")
        place = f"hf:{folders / name[3:]}" if name.startswith("hf:") else name
        built[name] = catalog.load(place, None if published else "none", SIZES[name])
    return built[name]


@pytest.fixture(
    params=[
        pytest.param(name, marks=[] if (name, size) in QUICK or name in BUILT_QUICKLY else pytest.mark.slow)
        for name, size in SIZES.items()
    ]
)
def network(request: pytest.FixtureRequest, folders: Path, built: dict[str, Network]) -> Network:
    return _build(request.param, folders, built)


@pytest.fixture(
    params=[
        pytest.param(name, marks=[] if (name, size) in QUICK else pytest.mark.slow)
        for name, size in SIZES.items()
    ]
)
def exported(request: pytest.FixtureRequest, folders: Path, built: dict[str, Network]) -> Network:
    return _build(request.param, folders, built)


def _size(network: Network) -> int:
    return network.card.preprocessing.size


def _pixels(network: Network, count: int = 2) -> torch.Tensor:
    size = _size(network)
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2))


def test_the_body_gives_a_row_of_features(network: Network):
    with torch.no_grad():
        features = network.body(_pixels(network))
    final = network.card.layers[-1]
    assert final.kind == "final"
    assert features.shape == (2, final.channels)
    assert torch.isfinite(features).all()
    assert not torch.equal(features[0], features[1])


def test_the_card_is_true(network: Network):
    card = network.card
    assert card.parameters == sum(p.numel() for p in network.body.parameters())
    assert _size(network) % card.stride == 0
    stages = [layer for layer in card.layers if layer.kind == "stage"]
    assert [layer.stage for layer in stages] == list(range(len(stages)))
    assert {layer.name for layer in stages} <= set(network.blocks)
    assert card.layers[-1].stage == len(stages)
    assert len(card.layers) >= 5
    assert network.pretrained == (card.source != "random weights")


def test_the_hash_follows_the_weights(network: Network):
    before = network.card
    weight = next(network.body.parameters())
    with torch.no_grad():
        weight.add_(1)
    network.refresh_card()
    changed = network.card.sha
    with torch.no_grad():
        weight.sub_(1)
    network.card = before
    assert changed != before.sha


def test_units_run_in_order(network: Network):
    order = list(outputs_of(network.body, _pixels(network, 1)))
    places = [order.index(block) for block in network.blocks]
    assert places == sorted(places)
    assert len(network.blocks) >= 4


def test_every_parameter_has_its_unit(network: Network):
    names = {name for name, _ in network.body.named_parameters()}
    assert set(network.depths) == names
    with_weights = {
        place
        for place, block in enumerate(network.blocks)
        if any(True for _ in network.body.get_submodule(block).parameters())
    }
    assert with_weights <= set(network.depths.values()) <= set(range(len(network.blocks)))
    for place, block in enumerate(network.blocks):
        assert {network.depths[n] for n in names if n.startswith(f"{block}.")} <= {place}


def test_everything_learns(network: Network):
    network.body.train()
    network.body(_pixels(network)).square().sum().backward()
    without = [name for name, p in network.body.named_parameters() if p.grad is None]
    network.body.zero_grad()
    network.body.eval()
    assert without == []


def test_nothing_is_skipped_until_told(network: Network):
    modules = [
        m for m in network.body.modules() if type(m).__name__.endswith(("DropPath", "StochasticDepth"))
    ]
    rates = [getattr(m, "drop_prob", None) or getattr(m, "p", 0.0) for m in modules]
    assert not any(rates)
    assert set_drop_path(network.body, 0.2) == bool(modules)
    if modules:
        last = modules[-1]
        assert (getattr(last, "drop_prob", None) or last.p) == pytest.approx(0.2)
    set_drop_path(network.body, 0.0)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_parts_do_what_the_whole_does(network: Network, share: float):
    block = network.blocks[round(share * (len(network.blocks) - 1))]
    lower, upper = split(network.body, network.blocks, block, _size(network))
    pixels = _pixels(network, 3)
    with torch.no_grad():
        torch.testing.assert_close(upper(lower(pixels)), network.body(pixels), rtol=1e-4, atol=1e-5)
    below, above = ({id(p) for p in part.parameters()} for part in (lower, upper))
    assert not below & above
    assert below | above == {id(p) for p in network.body.parameters()}
    places = {id(p): network.depths[name] for name, p in network.body.named_parameters()}
    cut = network.blocks.index(block)
    assert all(places[p] <= cut for p in below)


def test_the_graph_gives_the_same_maps(exported: Network, graphs: Path):
    size = _size(exported)
    backbone = ExportedBackbone(exported, graphs)
    model = backbone.model(size)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = _pixels(exported, 3)
    answers = dict(
        zip(
            [o.name for o in session.get_outputs()],
            session.run(None, {"pixels": pixels.numpy()}),
            strict=True,
        )
    )
    with torch.no_grad():
        expected = outputs_of(exported.body, pixels)
    assert list(answers) == [layer.name for layer in exported.card.layers]
    for layer in exported.card.layers[:-1]:
        shape = map_shape(exported.body, expected[layer.name])
        _same(answers[layer.name], as_map(expected[layer.name], shape).numpy())
        assert answers[layer.name].shape[1] == layer.channels
    final = expected[""]
    assert isinstance(final, torch.Tensor)
    _same(answers["final"][:, :, 0, 0], final.numpy())

    assert backbone.model(size).SerializeToString() == model.SerializeToString()


def test_the_graph_can_be_pooled(exported: Network, graphs: Path):
    size = _size(exported)
    taps = feature_layer_sets(exported.card)["all"]
    graph = features_graph(
        ExportedBackbone(exported, graphs).model(size),
        replace(exported.card.preprocessing, size=size),
        taps,
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    features = session.run(None, {"images": images})[0]
    assert features.shape == (2, width(taps))
    assert np.isfinite(features).all()


def _same(answer: np.ndarray, expected: np.ndarray) -> None:
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() <= 1e-4 * max(1e-3, np.abs(expected).max())


def test_graphs_are_kept_and_damaged_ones_made_again(
    folders: Path, built: dict[str, Network], tmp_path: Path
):
    network = _build("hf:vit", folders, built)
    backbone = ExportedBackbone(network, tmp_path)
    first = backbone.model(64).SerializeToString()
    (path,) = tmp_path.iterdir()
    written = path.stat().st_ino  # a file that is written anew is another one
    os.utime(path, (1000, 1000))
    backbone.model(64)
    assert path.stat().st_ino == written
    assert path.stat().st_mtime > 1000
    path.write_bytes(b"damaged")
    assert backbone.model(64).SerializeToString() == first
