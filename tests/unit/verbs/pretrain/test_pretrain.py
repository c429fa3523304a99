"""`pretrain` writes a backbone that timm loads, and that `train` takes without PyTorch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from safetensors.torch import load_file  # noqa: E402

from eyebright.backbones import catalog  # noqa: E402
from eyebright.backbones.stored import load_stored  # noqa: E402
from eyebright.errors import ConfigError, DataError, ModelError, NotFoundError  # noqa: E402
from eyebright.runtime.onnx_session import open_session  # noqa: E402
from eyebright.training.pretrain.augment_check import handedness  # noqa: E402
from eyebright.verbs.pretrain.options import PretrainConfig  # noqa: E402
from eyebright.verbs.pretrain.pretrain import pretrain  # noqa: E402
from eyebright.verbs.pretrain.probe import probe  # noqa: E402
from eyebright.verbs.pretrain.result import PretrainedBackbone  # noqa: E402
from eyebright.verbs.train.options import TrainConfig  # noqa: E402
from eyebright.verbs.train.train import train  # noqa: E402

SMALL = {"size": 96, "unfreeze": 1, "views": 2, "epochs": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def adapted(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> PretrainedBackbone:
    """The embedded backbone, pretrained for an epoch on the training photographs; tests only read it."""
    out = tmp_path_factory.mktemp("backbones") / "textile"
    return pretrain(PretrainConfig(data=textile / "train", out=out, lr=1e-3, **SMALL))


def test_it_writes_the_backbone_with_its_card_and_history(adapted):
    files = {path.name for path in adapted.directory.iterdir()}
    assert files >= {"backbone.onnx", "backbone.safetensors", "card.json", "history.csv", "report.html"}
    card = json.loads(adapted.card.read_text())
    assert card["licence"] == "Apache-2.0"
    assert card["preprocessing"]["mean"] == [0.5, 0.5, 0.5]
    assert card["pretraining"]["images"] == 72
    assert card["pretraining"]["epoch"] == 1
    assert card["library"] == {"name": "timm", "architecture": "tf_efficientnet_lite0"}
    assert str(adapted.onnx) in str(adapted)
    page = adapted.report.read_text()
    assert "Effective rank of the features" in page
    assert "How views may differ" in page


def test_a_dry_run_tries_a_few_images_and_writes_nothing(textile, tmp_path):
    found = probe(PretrainConfig(data=textile / "train", out=tmp_path / "out", dry_run=True, **SMALL))
    assert (found.images, found.views, found.epochs) == (72, 2, 1)
    assert found.viewing > 0
    assert found.learning > 0
    assert "Nothing was trained" in str(found)
    assert "1 epoch of" in str(found)
    assert not (tmp_path / "out").exists()


def test_timm_loads_the_weights_and_gets_the_features_of_the_graph(adapted):
    net = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    net.load_state_dict(load_file(adapted.weights), strict=True)
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 3, 128, 128)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(pixels)).numpy()
    graph = load_stored(adapted.directory).model(128)
    found = open_session(graph).run(["final"], {"pixels": pixels})[0].mean((2, 3))
    assert np.allclose(found, expected, atol=2e-3 * float(np.abs(expected).max()))


def test_only_the_blocks_that_learn_changed(adapted):
    before = catalog.load("efficientnet_lite0").body.state_dict()
    after = load_file(adapted.weights)
    assert torch.equal(after["conv_stem.weight"], before["conv_stem.weight"])
    assert torch.equal(after["blocks.3.0.conv_pw.weight"], before["blocks.3.0.conv_pw.weight"])
    assert not torch.equal(after["conv_head.weight"], before["conv_head.weight"])


def test_train_takes_the_directory_or_the_graph_without_pytorch(adapted, textile, tmp_path):
    code = """
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "timm", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing)
from eyebright.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", code, "train", str(textile), "--backbone", str(adapted.onnx)]
    command += ["--size", "96", "--layers", "all", "--out", str(tmp_path / "run")]
    subprocess.run(command, check=True, capture_output=True)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["licence"] == "Apache-2.0"
    assert "adapted" in json.dumps(metrics["card"])


def test_fine_tuning_goes_on_from_the_weights(adapted):
    network = catalog.load(str(adapted.directory))
    assert network.card.name == "efficientnet_lite0 adapted"
    weights = load_file(adapted.weights)
    assert torch.equal(network.body.state_dict()["conv_head.weight"], weights["conv_head.weight"])
    with pytest.raises(ConfigError, match="its own weights"):
        catalog.load(str(adapted.directory), "none")


def test_the_pretrained_is_kept_only_where_that_is_shown(textile, tmp_path):
    config = {"data": textile, "out": tmp_path, "size": 96, "layers": "texture", "device": "cpu"}
    run = train(TrainConfig(pretrain=textile, pretrain_budget="1s", **config))
    found = run.metrics["pretraining"]
    assert set(found["gain"]) == {"value", "low", "high"}
    assert found["images"] == 72
    assert found["kept"] == (found["log_loss"]["high"] < 0 and found["gain"]["value"] >= 0)
    assert ("adapted" in str(run.metrics["card"])) == found["kept"]
    assert "Apache-2.0" in run.metrics["licence"]
    card = json.loads((tmp_path / "pretrained" / "card.json").read_text())
    assert card["preprocessing"]["size"] == 96  # as the head's
    assert card["pretraining"]["images"] == 72  # those of val/ are evaluated, and not learned from


def test_pretraining_does_not_go_with_fine_tuning(textile, tmp_path):
    with pytest.raises(ConfigError, match="--finetune last, --views"):
        train(TrainConfig(data=textile, out=tmp_path, pretrain=textile, finetune="last", views=2))


def test_what_was_changed_is_refused(adapted, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(adapted.directory, copy)
    content = bytearray((copy / "backbone.onnx").read_bytes())
    content[-9] ^= 1
    (copy / "backbone.onnx").write_bytes(bytes(content))
    with pytest.raises(ModelError, match="its hash is not that of the card"):
        load_stored(copy)
    (copy / "card.json").write_text("{}")
    with pytest.raises(ModelError, match="card of a backbone must be one"):
        load_stored(copy)
    (copy / "card.json").unlink()
    with pytest.raises(ConfigError, match=r"needs its card\.json"):
        catalog.load(str(copy / "backbone.onnx"))
    with pytest.raises(NotFoundError, match="must exist"):
        catalog.load(str(tmp_path / "none" / "backbone.onnx"))


def test_too_few_images_and_a_finished_backbone_are_refused(adapted, textile, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for number, path in enumerate(sorted((textile / "val").rglob("*.jpg"))[:7]):
        shutil.copyfile(path, few / f"{number}.jpg")
        shutil.copyfile(path, few / f"copy-{number}.jpg")
    (few / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"at least 8 different images\. .* has 7"):
        pretrain(PretrainConfig(data=few, out=tmp_path / "out", **SMALL))
    with pytest.raises(ConfigError, match="without a finished backbone"):
        pretrain(PretrainConfig(data=textile, out=adapted.directory, **SMALL))
    with pytest.raises(NotFoundError, match=r"must contain config\.toml"):
        pretrain(PretrainConfig(resume=few))


def test_handedness_is_chance_for_symmetric_images_and_seen_in_a_weave():
    chance = np.random.default_rng(0)
    plain, mirrored = chance.standard_normal((2, 200, 16))
    assert 0.35 < handedness(plain, mirrored) < 0.65
    assert handedness(plain, plain + [1.0] * 16) == 1
