"""The torch twin of the sealed model: its head, its way back to raw features, and its cut.

Weights are the embedded ones where they are named, else random: what is tested then is mechanics.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from eyebright.backbones import catalog
from eyebright.backbones.feature_layers import FeatureLayer, feature_layer_sets, width
from eyebright.backbones.torch.network import Network
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.system.memory import activation_checkpointing
from eyebright.training.linear_probe.linear import LinearHead

CLASSES = 3
NETWORKS = [("efficientnet_lite0", None, 64), ("timm:resnet10t", "none", 64), ("vit_tiny", "none", 64)]


def head_of(features: int) -> LinearHead:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(features, CLASSES)).astype(np.float32)
    return LinearHead(weights, rng.normal(size=CLASSES).astype(np.float32))


def built(name: str, weights: str | None, size: int | None) -> tuple[Network, tuple[FeatureLayer, ...], int]:
    network = catalog.load(name, weights, size)
    side = size or network.fixed_size
    assert side is not None
    return network, feature_layer_sets(network.card)["stages"], side


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda p: p[0])
def case(request: pytest.FixtureRequest):
    network, taps, side = built(*request.param)
    torch.manual_seed(0)
    pixels = torch.rand(4, 3, side, side) * 255
    plain = Classifier(network, taps, np.eye(4, width(taps), dtype=np.float32), CLASSES, None, 0.0).eval()
    with torch.no_grad():
        features = plain.features(pixels).numpy()
    model = Classifier(network, taps, features, CLASSES, head_of(width(taps)), 0.0).eval()
    return network, model, pixels, features, side


def test_it_begins_with_the_answers_of_the_solved_head(case) -> None:
    _, model, pixels, features, _ = case
    with torch.no_grad():
        logits = model(pixels).numpy()
    expected = head_of(features.shape[1]).logits(features)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-3 * np.abs(expected).max())


def test_activations_computed_twice_change_no_gradient(case) -> None:
    network, model, pixels, _, _ = case

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        model(pixels).square().sum().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    plain = gradients()
    parts = model.checkpointable(network.blocks)
    kept: list[torch.Size] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.shape)
        return tensor

    counts = []
    for modules in ((), parts):
        with (
            activation_checkpointing(modules),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            kept.clear()
            model(pixels)
            counts.append(sum(map(torch.Size.numel, kept)))
    assert counts[1] < 0.6 * counts[0]
    with activation_checkpointing(parts):
        twice = gradients()
    for one, other in zip(plain, twice, strict=True):
        torch.testing.assert_close(one, other)
    model.zero_grad()


def test_the_head_comes_back_on_raw_features(case) -> None:
    _, model, pixels, features, _ = case
    with torch.no_grad():
        logits = model(pixels).numpy()
    back = model.linear_head().logits(features)
    np.testing.assert_allclose(back, logits, rtol=1e-4, atol=1e-3 * np.abs(logits).max())


def test_cut_anywhere_the_answers_are_the_same(case) -> None:
    network, model, pixels, _, side = case
    with torch.no_grad():
        whole = model(pixels)
        for block in network.blocks[:-1]:
            stem = model.frozen_stem(network, block, side)
            rows = stem.rows(pixels)
            assert rows.shape == (4, stem.width)
            with model.reading(stem):
                found = model(rows)
            torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-3 * float(whole.abs().max()))
            assert torch.equal(model(pixels), whole)


def test_above_the_cut_alone_learns(case) -> None:
    network, model, pixels, _, side = case
    place = len(network.blocks) // 2
    stem = model.frozen_stem(network, network.blocks[place], side)
    with torch.no_grad():
        rows = stem.rows(pixels)
    with model.reading(stem):
        model(rows).square().sum().backward()
    learned = {name for name, p in network.body.named_parameters() if p.grad is not None and p.grad.any()}
    model.zero_grad(set_to_none=True)
    assert learned
    assert all(network.depths[name] > place for name in learned)


def test_without_a_head_it_begins_undecided(case) -> None:
    network, model, pixels, features, _ = case
    blank = Classifier(network, model.pooled.taps, features, CLASSES, None, 0.0).eval()
    with torch.no_grad():
        assert not blank(pixels).any()


def test_features_are_those_of_the_exported_graph(case, tmp_path) -> None:
    import onnxruntime

    from eyebright.backbones.torch.exported import ExportedBackbone
    from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing

    network, model, pixels, _, side = case
    images = pixels.round().to(torch.uint8)
    graph = graph_bytes(
        ExportedBackbone(network, tmp_path), training_preprocessing(network.card, side), model.pooled.taps
    )
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (exported,) = session.run(None, {"images": images.permute(0, 2, 3, 1).numpy()})
    with torch.no_grad():
        ours = model.features(images.float()).numpy()
    np.testing.assert_allclose(exported, ours, rtol=1e-3, atol=1e-3 * np.abs(ours).max())


def test_another_size_passes_through_rightly(case) -> None:
    network, model, _, _, side = case
    if network.fixed_size is None:
        assert model.takes(side)
        assert model.takes(side + 32)
