"""What timm's train.py does to fine-tune, with timm's own parts.

    python peer_timm.py DATA PART --minutes N

The script is not in timm's package, so this is a loop around its `create_dataset`, `create_loader`,
`create_optimizer_v2` and `create_scheduler_v2`, with the script's defaults (crops of 8 to 100 %, mirroring,
colour jitter 0.4, label smoothing 0.1, cosine), but AdamW at 5e-4 and a warm-up of a tenth of the steps: the
script's own rate of 0.1 is for training from random weights.
"""

from __future__ import annotations

import torch
from peer import BATCH, SIZE, Task, Watch, epochs_within, pretrained, task
from timm.data import create_dataset, create_loader
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import accuracy, random_seed

_RATE, _WEIGHT_DECAY, _SMOOTHING, _WARM_UP = 5e-4, 0.05, 0.1, 0.1
_MEAN = _STD = (0.5, 0.5, 0.5)


def loader(
    wanted: Task, part: str, *, training: bool
) -> torch.utils.data.DataLoader[tuple[torch.Tensor, ...]]:
    """Return timm's loader of a part."""
    dataset = create_dataset("", root=str(wanted.data), split=part, is_training=training)
    made: torch.utils.data.DataLoader[tuple[torch.Tensor, ...]] = create_loader(
        dataset,
        input_size=(3, SIZE, SIZE),
        batch_size=BATCH,
        is_training=training,
        use_prefetcher=False,
        color_jitter=0.4,
        interpolation="random" if training else "bicubic",
        mean=_MEAN,
        std=_STD,
        num_workers=wanted.workers,
        crop_pct=0.875,
        device=torch.device("cpu"),
    )
    return made


def share_right(
    net: torch.nn.Module, held_out: torch.utils.data.DataLoader[tuple[torch.Tensor, ...]]
) -> float:
    """Return the accuracy as a fraction."""
    net.eval()
    right, count = 0.0, 0
    with torch.inference_mode():
        for images, truth in held_out:
            (first,) = accuracy(net(images), truth, topk=(1,))
            right, count = right + float(first) * len(truth) / 100, count + len(truth)
    return right / count


def main() -> None:
    wanted = task()
    random_seed(wanted.seed)
    epochs = epochs_within(wanted)
    learned, held_out = loader(wanted, "train", training=True), loader(wanted, wanted.part, training=False)
    net = pretrained(len(wanted.classes))
    optimizer = create_optimizer_v2(net, opt="adamw", lr=_RATE, weight_decay=_WEIGHT_DECAY)
    steps = epochs * len(learned)
    scheduler, _ = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=epochs,
        warmup_epochs=max(1, round(_WARM_UP * epochs)) if epochs > 1 else 0,
        warmup_lr=1e-5,
        step_on_epochs=False,
        updates_per_epoch=len(learned),
    )
    loss, watch, step = LabelSmoothingCrossEntropy(_SMOOTHING), Watch(), 0
    for _ in range(epochs):
        watch.start()
        net.train()
        for images, truth in learned:
            optimizer.zero_grad()
            loss(net(images), truth).backward()
            optimizer.step()
            step += 1
            scheduler.step_update(num_updates=min(step, steps - 1))
        watch.stop()
        watch.tell(share_right(net, held_out))


if __name__ == "__main__":
    main()
