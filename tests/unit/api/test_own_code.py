"""Code of the user's own in `eb.train`: as users of fastai, timm and Lightning have it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finetuning import few
from PIL import Image, ImageOps

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from torch import Tensor, nn, optim  # noqa: E402

import eyebright as eb  # noqa: E402
from eyebright.errors import ConfigError  # noqa: E402
from eyebright.runs.run import Run  # noqa: E402

SMALL: dict[str, Any] = {"size": 64, "batch": 8, "precision": "fp32", "progress": False}


class Net(nn.Module):
    """Three convolutions, as a beginner writes them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        sides = ((3, 16), (16, 24), (24, 32))
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in sides)

    def forward(self, pixels: Tensor) -> Tensor:
        for block in self.blocks:
            pixels = block(pixels).relu()
        return pixels


class Grey(nn.Module):
    """Pixels without their colour."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def log_loss(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.log_softmax(1)).sum(1)


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.softmax(1) - targets).square().sum(1)


@dataclass
class Watched:
    """What a training with objects of all kinds did with them."""

    run: Run
    net: Net
    epochs: list[int] = field(default_factory=list)
    rates: set[float] = field(default_factory=set)


@pytest.fixture(scope="module")
def data(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few(textile, tmp_path_factory.mktemp("own"), each=8)


@pytest.fixture(scope="module")
def watched(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Ended by its callback after the second of nine epochs."""
    seen, net = Watched(Run(Path(), Path()), Net()), Net()

    def optimizer(groups: list[dict[str, Any]]) -> optim.Optimizer:
        seen.rates |= {group["lr"] for group in groups}
        return optim.RMSprop(groups)

    def on_epoch(row: Any) -> bool:
        seen.epochs.append(row.epoch)
        return bool(row.epoch == 2)

    seen.run = eb.train(
        data,
        out=tmp_path_factory.mktemp("runs") / "own",
        finetune="full",
        epochs=9,
        lr=0.002,
        backbone=net,
        transform=ImageOps.mirror,
        inference_transform=Grey(),
        loss=log_loss,
        optimizer=optimizer,
        on_epoch=on_epoch,
        **SMALL,
    )
    seen.net = net
    return seen


def test_all_kinds_of_objects_take_part(watched: Watched) -> None:
    assert watched.epochs == [0, 1, 2]
    assert max(watched.rates) == pytest.approx(0.002)
    chosen = watched.run.metrics["chosen"]
    assert chosen is not None
    assert watched.run.metrics["candidates"]["stopped_because"] == "asked"
    names = chosen["own_code"]
    assert set(names) == {"backbone", "transform", "inference_transform", "loss", "optimizer"}
    assert names["loss"].startswith(f"own:{__name__}.log_loss ")
    assert names["transform"].startswith("own:PIL.ImageOps.mirror ")
    assert all(torch.equal(a, b) for a, b in zip(watched.net.parameters(), Net().parameters(), strict=True))


def test_a_transform_for_inference_is_sealed(watched: Watched, data: Path) -> None:
    model = eb.load(watched.run.directory)
    image = Image.open(next(data.glob("val/*/*.jpg"))).convert("RGB").resize((64, 64))
    tinted = np.asarray(image).astype(np.int64) // 2 + [60, 30, 0]
    grey = np.repeat(tinted.mean(2, keepdims=True), 3, axis=2)
    found, same = (model.predict(pixels.astype(np.uint8)) for pixels in (tinted, grey))
    assert found.labels == same.labels
    assert np.allclose(found.probabilities, same.probabilities, atol=0.02)


def resumed(watched: Watched, tmp_path: Path, told: list[str], **objects: Any) -> Run:
    """Go on with a copy of the run for one more epoch."""
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(watched.run.directory, copy)
    given = {
        "backbone": Net(),
        "transform": ImageOps.mirror,
        "inference_transform": Grey(),
        "loss": log_loss,
        "optimizer": torch.optim.RMSprop,
        **objects,
    }
    run = eb.train(resume=copy, epochs=3, **given, **SMALL)
    told += json.loads((copy / "metrics.json").read_text(encoding="utf-8"))["candidates"]["notes"]
    return run


def test_a_resumed_training_tells_what_is_another(watched: Watched, tmp_path: Path) -> None:
    notes: list[str] = []
    resumed(watched, tmp_path, notes, loss=brier)
    assert any("loss was own:" in note and "brier" in note for note in notes)
    assert not any("backbone was" in note or "transform was" in note for note in notes)


def test_a_resumed_training_needs_its_objects(watched: Watched, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Missing: loss \(own:"):
        resumed(watched, tmp_path / "a", [], loss=None)
    with pytest.raises(ConfigError, match="no option can name"):
        resumed(watched, tmp_path / "b", [], backbone=None)


def test_a_module_gives_frozen_features(data: Path, tmp_path: Path) -> None:
    network = eb.OwnBackbone(module=Net(), size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), licence="MIT")
    run = eb.train(data, out=tmp_path / "run", backbone=network, progress=False)
    card = eb.load(run.directory).card.content
    assert card["backbone"] == f"own:{__name__}.Net"
    assert tuple(card["preprocessing"]["mean"]) == (0.5, 0.5, 0.5)
    assert run.metrics["parity"]["images"] == run.metrics["parity"]["same_class"]


def forever(row: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"loss": log_loss}, "Only fine-tuning has steps"),
        ({"on_epoch": forever}, "Got on_epoch with finetune='off'"),
        ({"transform": ImageOps.mirror, "finetune": "last"}, "finetune='last'"),
        ({"loss": log_loss, "finetune": "full", "label_smoothing": 0.2}, "label_smoothing"),
        ({"loss": log_loss, "finetune": "full", "processes": 2}, "torchrun"),
        ({"backbone": Net(), "weights": "none"}, "weights"),
        ({"backbone": "own:mine.Net"}, "no option can name"),
        ({"optimizer": "lion", "finetune": "full"}, "adamw"),
    ],
)
def test_what_does_not_go_together_is_refused(
    data: Path, tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        eb.train(data, out=tmp_path / "run", progress=False, **options)
    assert not (tmp_path / "run" / "model.onnx").exists()


def test_only_true_ends_a_training(data: Path, tmp_path: Path) -> None:
    rows: list[int] = []

    def callback(row: Any) -> Any:
        rows.append(row.epoch)
        return 1

    eb.train(
        data, out=tmp_path / "run", finetune="last", epochs=1, backbone=Net(), on_epoch=callback, **SMALL
    )
    assert rows == [0, 1]
