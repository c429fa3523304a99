"""Weights from files: formats, wrappings, and what is said of files that do not fit."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file
from torch import nn

from eyebright.backbones import catalog
from eyebright.backbones.zoo.weights import load_file, read
from eyebright.errors import ModelError, NotFoundError


def _net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


@pytest.fixture
def source() -> dict[str, torch.Tensor]:
    return _net(1).state_dict()


WRAPPINGS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {"lr": 0.1}},
    "both": lambda state: {"state_dict": {"model": state}},
    "module.": lambda state: {f"module.{k}": v for k, v in state.items()},
    "model.": lambda state: {"state_dict": {f"model.{k}": v for k, v in state.items()}},
    "two wrappers": lambda state: {f"module.model.{k}": v for k, v in state.items()},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_wrapped_files_are_understood(source, wrapping: str, tmp_path: Path):
    path = tmp_path / "weights.pth"
    torch.save(WRAPPINGS[wrapping](source), path)
    net = _net(2)
    load_file(net, path, "net")
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, source[key])


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin"])
def test_safetensors_whatever_the_name(source, name: str, tmp_path: Path):
    save_file(source, tmp_path / name)
    net = _net(2)
    load_file(net, tmp_path / name, "net")
    assert torch.equal(net[0].weight, source["0.weight"])


def test_half_precision_is_widened(source, tmp_path: Path):
    save_file({k: v.half() if v.is_floating_point() else v for k, v in source.items()}, tmp_path / "half")
    net = _net(2)
    load_file(net, tmp_path / "half", "net")
    assert net[0].weight.dtype == torch.float32
    torch.testing.assert_close(net[0].weight, source["0.weight"], atol=1e-3, rtol=0)


def test_what_does_not_fit_is_named_and_nothing_is_loaded(source, tmp_path: Path):
    state = {**source, "0.weight": torch.zeros(4, 3, 5, 5), "extra.weight": torch.zeros(1)}
    del state["1.running_mean"]
    save_file(state, tmp_path / "weights.safetensors")
    net = _net(2)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        load_file(net, tmp_path / "weights.safetensors", "net")
    text = str(caught.value)
    assert "1 (1.running_mean)" in text
    assert "1 (extra.weight)" in text
    assert "1 (0.weight 4×3×3×3 → 4×3×5×5)" in text
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_long_lists_are_cut(tmp_path: Path):
    save_file({f"other{i}": torch.zeros(1) for i in range(30)}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match=r"30 \(other0, .{10,40}, …\)"):
        load_file(_net(2), tmp_path / "weights.safetensors", "net")


def test_a_classifier_for_other_classes_is_left_out(source, tmp_path: Path):
    save_file({**source, "fc.weight": torch.zeros(1000, 4)}, tmp_path / "weights.safetensors")
    load_file(_net(2), tmp_path / "weights.safetensors", "net", ignored=("fc.",))


class _Harmful:
    path: Path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_nothing_but_tensors_is_unpickled(tmp_path: Path):
    harmful = _Harmful()
    harmful.path = tmp_path / "made"
    for path, save in ((tmp_path / "a.pth", torch.save), (tmp_path / "b.pth", _plain_pickle)):
        save({"state_dict": harmful}, path)
        with pytest.raises(ModelError, match="more than tensors"):
            read(path)
    assert not (tmp_path / "made").exists()


def _plain_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    "content", [b"", b"not weights at all", b"PK\x03\x04 broken", b"\x10" + bytes(7) + b"{"]
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files(content: bytes, suffix: str, tmp_path: Path):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="must be tensors"):
        read(path)


def test_no_tensors(tmp_path: Path):
    torch.save({"epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="no tensors"):
        read(tmp_path / "weights.pth")


def test_no_file(tmp_path: Path):
    with pytest.raises(NotFoundError):
        read(tmp_path)


@pytest.mark.parametrize("name", ["resnet18", "torchvision:resnet18"])
def test_a_whole_network_from_a_file(name: str, tmp_path: Path):
    """With the classifier in the file, as published weights have it."""
    origin = catalog.load(name, "none")
    state = {**origin.body.state_dict(), "fc.weight": torch.zeros(7, 512), "fc.bias": torch.zeros(7)}
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    network = catalog.load(name, tmp_path / "mine.pth")
    assert network.pretrained
    assert network.card.sha == origin.card.sha
    assert (network.card.source, network.card.licence) == ("mine.pth", "unknown")
    with pytest.raises(ModelError, match=r"must fit mobilenetv3_small_100"):
        catalog.load("mobilenetv3_small_100", tmp_path / "mine.pth")


@pytest.mark.parametrize("name", ["vit_tiny", "torchvision:vit_b_16"])
def test_position_embeddings_are_taken_to_another_size(name: str, tmp_path: Path):
    state = catalog.load(name, "none", 64).body.state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    network = catalog.load(name, tmp_path / "weights.safetensors", 96)
    assert network.fixed_size == 96
    with torch.no_grad():
        assert torch.isfinite(network.body(torch.zeros(1, 3, 96, 96))).all()
