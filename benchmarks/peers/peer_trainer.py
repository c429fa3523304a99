"""Hugging Face's Trainer, as its image classification guide has it.

    python peer_trainer.py DATA PART --minutes N

The guide's augmentation (RandomResizedCrop, and mirroring as its example script has), AdamW, warm-up of a
tenth, linear decay. Its rate of 5e-5 is for a vision transformer; this convolutional network gets 5e-4, as
timm's peer does. Needs transformers and accelerate (5.24 and 1.15 were run).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from peer import BATCH, SIZE, Watch, epochs_within, pretrained, task
from torchvision import datasets
from torchvision.transforms import v2
from transformers import EvalPrediction, Trainer, TrainerCallback, TrainingArguments

_RATE, _WARM_UP = 5e-4, 0.1


class Classifier(torch.nn.Module):
    """The network as the Trainer calls it: images and labels in, loss and logits out."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.net(pixel_values)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


class Timed(TrainerCallback):
    """Counts training and tells the accuracy of every epoch."""

    def __init__(self) -> None:
        self.watch = Watch()

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        self.watch.start()

    def on_epoch_end(self, *_: object, **__: object) -> None:
        self.watch.stop()

    def on_evaluate(self, *_: object, **facts: Any) -> None:
        self.watch.tell(facts["metrics"]["eval_accuracy"])


def batch(pairs: Sequence[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
    return {
        "pixel_values": torch.stack([image for image, _ in pairs]),
        "labels": torch.tensor([label for _, label in pairs]),
    }


def accuracy(found: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float(np.mean(np.argmax(found.predictions, axis=1) == found.label_ids))}


def main() -> None:
    wanted = task()
    epochs = epochs_within(wanted)
    end = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)]
    varied = v2.Compose([v2.RandomResizedCrop(SIZE), v2.RandomHorizontalFlip(), *end])
    plain = v2.Compose([v2.Resize(SIZE), v2.CenterCrop(SIZE), *end])
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=BATCH,
            learning_rate=_RATE,
            warmup_steps=_WARM_UP,
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_num_workers=wanted.workers,
            seed=wanted.seed,
            use_cpu=True,
        )
        Trainer(
            Classifier(pretrained(len(wanted.classes))),
            arguments,
            data_collator=batch,
            train_dataset=datasets.ImageFolder(wanted.data / "train", varied),
            eval_dataset=datasets.ImageFolder(wanted.data / wanted.part, plain),
            compute_metrics=accuracy,
            callbacks=[Timed()],
        ).train()


if __name__ == "__main__":
    main()
