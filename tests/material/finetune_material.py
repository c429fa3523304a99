"""Real photographs at 64 px and small nets with random weights, for the tests of the loop; also a program.

As a program it trains once, so that a test can kill it, limit its memory, or start it twice:
``python finetune_material.py OPTIONS.json``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from eyebright.training.finetune.data.protocol import batch_slices
from eyebright.training.finetune.loop import Fitted, fit
from eyebright.training.finetune.recipe import Recipe
from eyebright.training.finetune.trainer_state import TrainingRecord

SIDE = 64


def images(folder: Path) -> tuple[Tensor, Tensor]:
    """Pixels (N, 3, 64, 64) float32 about zero, and class numbers (N,)."""
    pixels, labels = [], []
    for label, kind in enumerate(sorted(p for p in folder.iterdir() if p.is_dir())):
        for file in sorted(kind.glob("*.jpg")):
            with Image.open(file) as image:
                pixels.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE)), np.float32))
            labels.append(label)
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 64 - 2, torch.tensor(labels)


@dataclass
class Flipped:
    """A batch of which some images are mirrored and all are brighter or darker."""

    pixels: Tensor
    labels: Tensor
    mirrored: Tensor
    brighter: Tensor
    classes: int

    @property
    def size(self) -> int:
        return len(self.labels)

    def part(self, rows: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        pixels = self.pixels[rows]
        pixels = torch.where(self.mirrored[rows].view(-1, 1, 1, 1), pixels.flip(-1), pixels)
        inputs = pixels + self.brighter[rows].view(-1, 1, 1, 1)
        targets = nn.functional.one_hot(self.labels[rows], self.classes).float()
        return inputs.to(device), targets.to(device)


class Photographs:
    """The training data of the tests, from a folder with train/ and val/."""

    def __init__(self, folder: Path) -> None:
        self.pixels, self.labels = images(folder / "train")
        self.val_pixels, self.val_labels = images(folder / "val")
        self.count, self.classes = len(self.labels), int(self.labels.max()) + 1
        self.holdout_count, self.ahead = len(self.val_labels), True

    def draw(self, places: Any, epoch: int, generator: torch.Generator) -> Flipped:
        index = torch.from_numpy(places)
        mirrored = torch.rand(len(index), generator=generator) < 0.5
        brighter = torch.randn(len(index), generator=generator) / 4
        return Flipped(self.pixels[index], self.labels[index], mirrored, brighter, self.classes)

    def holdout(
        self, batch: int, device: torch.device, rows: slice | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for span in batch_slices(self.holdout_count, batch, rows):
            yield self.val_pixels[span].to(device), self.val_labels[span].to(device)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """(b, K) and (b, K) → (b,)."""
    return -(targets * logits.log_softmax(1)).sum(1)


def small_net(classes: int, name: str = "test_resnet", enlarge: int = 1, **options: Any) -> nn.Module:
    """A tiny timm net with random weights that are always the same; it may see its images enlarged."""
    import timm

    torch.manual_seed(7)
    net: nn.Module = timm.create_model(name, num_classes=classes, **options)
    return net if enlarge == 1 else nn.Sequential(nn.Upsample(scale_factor=enlarge), net)


class Gluttonous(nn.Module):
    """A net that runs out of memory at more images than ``most``, or at its ``nth`` call in training."""

    def __init__(self, classes: int, most: int = 99, nth: int = -1) -> None:
        super().__init__()
        self.net = small_net(classes)
        self.most, self.nth, self.calls, self.refused = most, nth, 0, 0

    def forward(self, inputs: Tensor) -> Any:
        self.calls += self.training
        if len(inputs) > self.most or self.calls == self.nth:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
        return self.net(inputs)


def train(
    folder: Path, out: Path, recipe: Recipe, net: nn.Module | None = None, data: Any = None, **more: Any
) -> tuple[nn.Module, Fitted]:
    """One whole training; ``more`` goes to the loop and its record."""
    data = data or Photographs(folder)
    net = net or small_net(data.classes)
    options: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    optimizer = (
        torch.optim.SGD(net.parameters(), momentum=0.9, **options)
        if recipe.optimizer == "sgd"
        else torch.optim.AdamW(net.parameters(), **options)
    )
    kept = {name: more.pop(name) for name in ("fingerprint", "resume", "on_epoch") if name in more}
    record = TrainingRecord(directory=out, **{"fingerprint": {"images": data.count}, **kept})
    return net, fit(net, data, recipe, optimizer, more.pop("loss", cross_entropy), record, **more)


def started(
    folder: Path, out: Path, recipe: dict[str, Any], environment: dict[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """One whole training in a process of its own, with one thread."""
    out.mkdir(exist_ok=True)
    file = out / f"options-{(environment or {}).get('RANK', '0')}.json"
    file.write_text(json.dumps({"folder": str(folder), "out": str(out), "recipe": recipe, **options}))
    own = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.Popen([sys.executable, __file__, str(file)], env=own)


def main() -> None:
    options = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(1)
    folder, out = Path(options["folder"]), Path(options["out"])
    data = Photographs(folder)
    net = small_net(data.classes, **options.get("net", {}))
    if "room_mb" in options:  # so much more memory than what is in use now, and no more
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + options["room_mb"] * 2**20,) * 2)
    recipe = Recipe(**options["recipe"])
    _, fitted = train(folder, out, recipe, net, data, resume=options.get("resume", False))
    result = {
        "losses": [[row.train_loss, row.val_loss] for row in fitted.history[1:]],
        "micro_batch": fitted.micro_batch,
        "processes": fitted.processes,
        "notes": fitted.notes,
    }
    (out / f"result-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
