"""Backbones by name: which source is taken, what is listed, and what is said where there is no hub."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from languages import chinese

torch = pytest.importorskip("torch")

from onnx import numpy_helper  # noqa: E402

from eyebright.backbones import catalog, embedded  # noqa: E402
from eyebright.backbones.lite.lite import VARIANTS  # noqa: E402
from eyebright.backbones.torch.network import Network  # noqa: E402
from eyebright.backbones.zoo import hub  # noqa: E402
from eyebright.errors import ConfigError, MissingExtraError, ModelError  # noqa: E402


@pytest.mark.parametrize(
    ("name", "source", "own"),
    [
        ("efficientnet_lite0", "embedded", "efficientnet_lite0"),
        ("efficientnet_lite2", "embedded", "efficientnet_lite2"),
        ("resnet50", "timm", "resnet50"),
        ("resnet50.a1_in1k", "timm", "resnet50.a1_in1k"),
        ("vit_tiny", "timm", "vit_tiny"),
        ("torchvision:resnet50", "torchvision", "resnet50"),
        ("swin_t", "torchvision", "swin_t"),
        ("google/vit-base-patch16-224", "hf", "google/vit-base-patch16-224"),
        ("hf:microsoft/resnet-50", "hf", "microsoft/resnet-50"),
        ("timm:efficientnet_b4", "timm", "efficientnet_b4"),
    ],
)
def test_where_a_name_is_looked_for(name: str, source: str, own: str):
    found, known = catalog.find(name)
    assert (found.name, known) == (source, own)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet51", "resnet50"),
        ("torchvision:resnet19", "torchvision:resnet18"),
        ("timm:swin_t", "swin"),
        ("resnet50.no_such_tag", "resnet50"),
        ("hf:nowhere", "hf:OWNER/NAME"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str):
    with pytest.raises(ConfigError, match=near) as caught:
        catalog.find(name)
    assert f"named {name}." in str(caught.value)


NAMED = [
    "resnet18",
    "resnet50",
    "efficientnet_b0",
    "efficientnet_b4",
    "densenet121",
    "vit_tiny",
    "vit_base_patch16_224",
    "swin_tiny_patch4_window7_224",
    "mobilevit_xs",
    "mobilevit_s",
    "convnext_tiny",
    "mobilenetv3_large_100",
]


@pytest.mark.parametrize("name", NAMED)
def test_the_promised_names_are_listed(name: str):
    source, own = catalog.find(name)
    entry = source.entry(own)
    assert entry.name == name
    assert entry.parameters > 1_000_000
    assert entry.input_size >= 224
    assert entry.licence not in ("", "unknown")


def test_a_search_counts_only_what_it_shows():
    found = catalog.search("ViT", limit=3)
    assert len(found.entries) == 3
    assert found.more > 100
    assert all("vit" in entry.name for entry in found.entries)
    (entry,) = [e for e in catalog.search("resnet18").entries if e.name == "torchvision:resnet18"]
    assert entry.parameters == 11_689_512
    assert entry.accuracy == pytest.approx(0.6976, abs=1e-4)
    assert catalog.search("no such thing") == catalog.SearchResult((), 0)


def test_without_pytorch_the_embedded_is_found(monkeypatch: pytest.MonkeyPatch):
    def without() -> None:
        raise ModuleNotFoundError("No module named 'timm'", name="timm")

    monkeypatch.setattr(catalog, "_SOURCES", {"timm": without})
    assert [e.name for e in catalog.search("lite").entries] == [embedded.NAME, *VARIANTS]
    with pytest.raises(MissingExtraError, match=r"timm is not installed\. Run: pip install"):
        catalog.load("resnet18")


def test_hugging_face_without_transformers(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def refuse(name: str, *rest: object):
        if name == "transformers":
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match="transformers"):
        catalog.load("hf:owner/name")


@pytest.mark.parametrize("name", ["resnet10t", "torchvision:resnet18", "hf:owner/name"])
def test_without_a_network_the_error_names_the_ways_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub, "_known", lambda address: False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nothing listens
    with pytest.raises(hub.HubError, match="efficientnet_lite0") as caught:
        catalog.load(name)
    assert "--weights FILE" in str(caught.value)
    assert "--weights" in chinese(caught.value)


def test_a_folder_that_holds_something_else(tmp_path: Path):
    pytest.importorskip("transformers")
    with pytest.raises(ModelError, match="image classifier"):
        catalog.load(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="image classifier"):
        catalog.load(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "size"), [("crossvit_9_240", 100), ("vgg11", 16), ("torchvision:vit_b_16", 100)]
)
def test_a_size_that_cannot_be(name: str, size: int):
    with pytest.raises(ConfigError, match=f"cannot be built for {size} px"):
        catalog.load(name, "none", size)


def test_preprocessing_comes_from_the_library():
    card = catalog.load("efficientnet_b4", "none").card
    assert (card.preprocessing.size, card.preprocessing.interpolation) == (320, "bicubic")
    assert card.preprocessing.mean == (0.485, 0.456, 0.406)
    assert card.stride == 32


@pytest.fixture(scope="module")
def network() -> Network:
    return catalog.load(embedded.NAME)


class TestEmbedded:
    @pytest.mark.parametrize("size", [64, 224])
    def test_its_logits_are_those_of_the_onnx_file(self, network, photographs, size: int):
        pixels = np.stack([np.asarray(image.resize((size, size))) for image in photographs.values()])
        pixels = (pixels.astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2).copy()
        session = onnxruntime.InferenceSession(embedded.file_bytes(), providers=["CPUExecutionProvider"])
        expected = session.run(["logits"], {"pixels": pixels})[0]
        with torch.no_grad():
            features = network.body(torch.from_numpy(pixels)).numpy()
        stored = {i.name: numpy_helper.to_array(i) for i in embedded.model().graph.initializer}
        weight = stored["classifier_weight_int16"] * stored["classifier_weight_scale"]
        logits = features @ weight.T + stored["classifier_bias"]
        assert np.linalg.norm(logits - expected) < 1e-4 * np.linalg.norm(expected)

    def test_no_batch_norm_is_left_to_learn(self, network):
        assert not [m for m in network.body.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        assert network.pretrained
        assert network.card.accuracy == embedded.card().accuracy
        assert network.card.stride == 32

    def test_random_weights_have_batch_norms_to_learn_with(self):
        network = catalog.load(embedded.NAME, "none")
        assert [m for m in network.body.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        assert not network.pretrained
        assert network.card.name == embedded.NAME
        assert network.card.accuracy is None
