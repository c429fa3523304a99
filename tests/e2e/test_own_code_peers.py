"""Own networks in and the trained network out, by the real packages of those who come from other libraries.

fastai and Lightning are in no extra: the test runs where they are installed (docs/next.md says how).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from finetuning import few  # noqa: E402
from torch import Tensor, nn, optim  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402
from torchvision.datasets import ImageFolder  # noqa: E402

import eyebright as eb  # noqa: E402
from eyebright.runs.run import Run  # noqa: E402

SMALL: dict[str, Any] = {"size": 64, "batch": 8, "precision": "fp32", "progress": False}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def data(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few(textile, tmp_path_factory.mktemp("peers"), each=8)


def tensors(run: Run, folder: Path) -> TensorDataset:
    """Photographs as the trained network takes them, and their classes."""
    photos = ImageFolder(str(folder))
    inputs = run.module().inputs([path for path, _ in photos.samples])
    return TensorDataset(inputs, torch.tensor(photos.targets))


def log_loss(network: nn.Module, photos: TensorDataset) -> float:
    inputs, truth = photos.tensors
    with torch.no_grad():
        return float(nn.functional.cross_entropy(network.eval()(inputs), truth))


# ---- fastai


def test_a_fastai_learner_trains_the_network_further(textile_run: Run, textile: Path) -> None:
    vision = pytest.importorskip("fastai.vision.all")
    network = textile_run.module()
    dls = vision.ImageDataLoaders.from_folder(
        textile,
        train="train",
        valid="val",
        item_tfms=vision.Resize(network.preprocessing.size, vision.ResizeMethod.Squish),
        batch_tfms=vision.IntToFloatTensor(div=1),
        bs=16,
        num_workers=0,
    )
    assert tuple(dls.vocab) == network.labels
    learner = vision.Learner(dls, network, loss_func=vision.CrossEntropyLossFlat(), metrics=vision.accuracy)
    with learner.no_bar(), learner.no_logging():
        accuracy = learner.validate()[1]
        assert accuracy == pytest.approx(textile_run.metrics["accuracy"]["value"], abs=0.07)
        before = learner.validate(dl=dls.train.new(shuffle=False, drop_last=False))[0]
        learner.fit(2, 1e-4)
        assert learner.validate(dl=dls.train.new(shuffle=False, drop_last=False))[0] < before


def test_the_body_of_a_fastai_learner_is_a_backbone(data: Path, tmp_path: Path) -> None:
    vision = pytest.importorskip("fastai.vision.all")
    dls = vision.ImageDataLoaders.from_folder(
        data, train="train", valid="val", item_tfms=vision.Resize(64), bs=8, num_workers=0
    )
    learner = vision.vision_learner(dls, vision.resnet18, pretrained=False)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(1)
    body = learner.model[0]
    run = eb.train(data, out=tmp_path / "run", backbone=body, size=64, progress=False)
    assert run.metrics["parity"]["same_class"] == run.metrics["parity"]["images"] == 12
    photo = next((data / "val").rglob("*.jpg"))
    found = eb.embed([photo], backbone=eb.OwnBackbone(module=body, size=64), progress=False).features
    with torch.no_grad():
        pixels = run.module().inputs([photo]) / 255
        mean, std = (torch.tensor(stat).view(1, 3, 1, 1) for stat in vision.imagenet_stats)
        expected = body.eval()((pixels - mean) / std).mean((2, 3))
    assert np.allclose(found, expected, atol=0.02 * float(expected.abs().max()))


# ---- Lightning


def lightning_module(lightning: Any, network: nn.Module) -> Any:
    class Module(lightning.LightningModule):  # type: ignore[misc]
        """As the documentation of Lightning writes one."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Tensor) -> Tensor:
            return self.network(pixels)

        def training_step(self, batch: list[Tensor], _number: int) -> Tensor:
            pixels, truth = batch
            loss = nn.functional.cross_entropy(self(pixels), truth)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> optim.Optimizer:
            return optim.SGD(self.parameters(), lr=1e-4)

    return Module()


def trainer(lightning: Any, epochs: int) -> Any:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", enable_model_summary=False, log_every_n_steps=1, **quiet
    )


def test_a_lightning_trainer_trains_the_network_further(textile_run: Run, textile: Path) -> None:
    lightning = pytest.importorskip("lightning")
    photos = tensors(textile_run, textile / "train")
    module = lightning_module(lightning, textile_run.module())
    before = log_loss(module, photos)
    module.train()
    trainer(lightning, 2).fit(module, DataLoader(photos, batch_size=16, shuffle=True))
    assert log_loss(module, photos) < before


def test_a_trained_lightning_module_is_a_backbone(data: Path, textile_run: Run, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")
    module = lightning_module(lightning, timm.create_model("resnet10t", num_classes=0))
    photos = TensorDataset(torch.rand(16, 3, 64, 64), torch.arange(16))
    fitted = trainer(lightning, 1)
    fitted.fit(module, DataLoader(photos, batch_size=8))
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    rows: list[int] = []
    run = eb.train(
        data,
        out=tmp_path / "run",
        backbone=module,
        finetune="full",
        epochs=1,
        on_epoch=lambda row: rows.append(row.epoch),
        **SMALL,
    )
    assert rows == [0, 1]
    assert run.metrics["parity"]["same_class"] == run.metrics["parity"]["images"]
    assert all(torch.equal(weights[name], tensor) for name, tensor in module.state_dict().items())
    assert module.trainer is fitted


# ---- timm


def test_what_timm_makes_goes_in(data: Path, tmp_path: Path) -> None:
    data_of, loss_of, optim_of = (pytest.importorskip(f"timm.{part}") for part in ("data", "loss", "optim"))
    augment = data_of.create_transform(64, is_training=True, auto_augment="rand-m9", normalize=False)
    run = eb.train(
        data,
        out=tmp_path / "run",
        backbone=timm.create_model("mobilenetv3_small_050", num_classes=0),
        finetune="full",
        epochs=1,
        transform=augment,
        loss=loss_of.SoftTargetCrossEntropy(),
        optimizer=lambda groups: optim_of.create_optimizer_v2(groups, opt="lamb", lr=1e-3),
        **SMALL,
    )
    chosen = run.metrics["chosen"]
    assert chosen is not None
    assert "SoftTargetCrossEntropy" in chosen["own_code"]["loss"]
    assert run.metrics["parity"]["same_class"] == run.metrics["parity"]["images"]


def test_timm_trains_the_network_further(textile_run: Run, textile: Path) -> None:
    optim_of, utils = (pytest.importorskip(f"timm.{part}") for part in ("optim", "utils"))
    photos = tensors(textile_run, textile / "train")
    network = textile_run.module()
    inputs, truth = photos.tensors
    before = log_loss(network, photos)
    average = utils.ModelEmaV3(network, decay=0.5)
    optimizer = optim_of.create_optimizer_v2(network, opt="adamw", lr=1e-5)
    for _ in range(3):
        nn.functional.cross_entropy(network(inputs), truth).backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update(network)
    assert log_loss(average.module, photos) < before
    with torch.no_grad():
        (share,) = utils.accuracy(average.module(inputs), truth)
    assert float(share) >= 90
