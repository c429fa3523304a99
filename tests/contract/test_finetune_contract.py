"""Every family of backbones can be fine-tuned, from random weights: only the embedded one's are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch

from eyebright import api
from eyebright.backbones import catalog
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.runs.run import Run
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.losses import SoftTargetLoss
from eyebright.training.finetune.model.optimizer import depths, make_optimizer
from eyebright.training.finetune.step import MicroBatch, OptimizerStep, StepBatch, set_modes
from eyebright.training.finetune.system.distributed import ProcessGroup

SIZE = 64
FAMILIES = (
    "resnet18",
    "efficientnet_b0",
    "densenet121",
    "vit_tiny",
    "swin_tiny_patch4_window7_224",
    "mobilevit_xs",
    "convnext_tiny",
    "mobilenetv3_large_100",
)
# Larger networks of the same families: that they go the whole way is tried once.
LARGER = ("resnet50", "efficientnet_b4", "vit_base_patch16_224", "mobilevit_s")
# By mechanism, in the smallest network of timm that has it: batch norm, depthwise convolution, layer norm,
# other blocks of convolutions, attention.
TINY = ("test_resnet", "test_efficientnet", "test_convnext", "test_byobnet", "test_vit")
ALL_THE_WAY = [*((n, t) for n in FAMILIES for t in ("last", "full")), *((n, "full") for n in LARGER)]
WAYS = [
    *((name, "last") for name in TINY),
    ("test_resnet", "full"),
    ("test_vit", "full"),
    *(pytest.param(*way, marks=pytest.mark.slow) for way in ALL_THE_WAY),
]
_STEPS, _LEARNED = 40, 0.05  # nats; guessing among three classes costs 1.1

families = pytest.mark.parametrize(
    "name", [*TINY, *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES)]
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take ten times as long as one alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def few(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images of each class to train on, three to validate."""
    root = tmp_path_factory.mktemp("few")
    for part, count in (("train", 6), ("val", 3)):
        for folder in sorted((textile / part).iterdir()):
            (root / part / folder.name).mkdir(parents=True)
            for file in sorted(folder.iterdir())[:count]:
                (root / part / folder.name / file.name).write_bytes(file.read_bytes())
    return root


def _proven(run: Run) -> bool:
    parity = run.metrics["parity"]
    return parity["images"] == 9 and parity["same_class"] == 9 and parity["largest_difference"] < 0.01


@pytest.mark.parametrize(("name", "finetune"), WAYS)
def test_it_trains_and_the_sealed_model_agrees(name: str, finetune: str, few: Path, tmp_path: Path) -> None:
    run = api.train(
        few,
        out=tmp_path / "run",
        backbone=name,
        weights="none",
        finetune=finetune,
        size=SIZE,
        epochs=1,
        batch=9,
        augment="none",
        precision="fp32",
    )
    assert _proven(run)
    assert run.metrics["card"]["backbone"] == catalog.load(name, "none", SIZE).card.name
    assert (run.directory / "history.csv").read_text(encoding="utf-8").count("\n") == 3


def test_a_network_of_choice_stays_frozen(few: Path, tmp_path: Path) -> None:
    run = api.train(
        few, out=tmp_path / "run", backbone="test_resnet", weights="none", finetune="off", size=64
    )
    assert _proven(run)
    assert not (run.directory / "checkpoints").exists()


@families
def test_one_batch_is_learned_by_heart(name: str, few: Path) -> None:
    torch.manual_seed(0)
    network = catalog.load(name, "none", SIZE)
    pixels, targets = _batch(few, SIZE)
    taps = feature_layer_sets(network.card)["stages"]
    blank = np.eye(6, width(taps), dtype=np.float32)
    features = Classifier(network, taps, blank, 3, None, 0.0).features(pixels).detach().numpy()
    net = Classifier(network, taps, features, 3, None, 0.0)
    found = depths([name for name, _ in net.named_parameters()], network.depths)
    optimizer = make_optimizer(net, found, "adamw", 1e-3, 0.0, 1.0)
    stepper = OptimizerStep(
        net, optimizer, SoftTargetLoss(), ProcessGroup(torch.device("cpu")), "fp32", 0, 1.0
    )
    set_modes(net, frozen_norm=False)
    losses = [
        float(
            stepper.update(
                stepper.gradients(
                    StepBatch(step, 0, np.arange(len(targets))), [MicroBatch(0, pixels, targets)]
                )
            )
        )
        for step in range(_STEPS)
    ]
    assert losses[0] > 0.5
    assert min(losses[-3:]) < _LEARNED, losses


def _batch(folder: Path, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two photographs of each class (6, 3, S, S), and their targets (6, 3)."""
    files = [file for kind in sorted((folder / "train").iterdir()) for file in sorted(kind.iterdir())[:2]]
    squares = [np.asarray(Image.open(file).convert("RGB").resize((size, size)), np.float32) for file in files]
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2), torch.eye(3).repeat_interleave(2, 0)
