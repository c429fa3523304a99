"""How a backbone is pretrained: plain values that are saved with every checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from eyebright.training.finetune.recipe import Precision
from eyebright.training.pretrain.losses import Method
from eyebright.types import JsonObject

_PROJECTED = {"simclr": 128, "vicreg": 256, "barlow": 256}


@dataclass(frozen=True)
class PretrainRecipe:
    """The settings of pretraining.

    Attributes:
        method: whose loss is minimised.
        epochs: passes through the images, at most.
        batch: images a step, over all processes and micro-batches.
        views: of each image in a step.
        temperature: of SimCLR's loss.
        lr: the highest learning rate of the backbone's last block; the projector's is ten times that.
        weight_decay, layer_decay, warmup, clip_norm: as in fine-tuning.
        device: as in fine-tuning.
        precision: number format of the backbone's forward pass.
        seed: of the order of images, of augmentation and of the projector.
        budget: wall-clock time for all that the caller does, in seconds.
        budget_seconds: what the loop has of it; a resumed run keeps its own while ``budget`` is the same.
        save_seconds: time between two checkpoints within an epoch.
        micro_batch: images at once in one process; None: as many as fit.
        augment, unfreeze: what the caller made the data and the network from, to tell what changed.
    """

    method: Method
    epochs: int
    batch: int
    views: int = 4
    temperature: float = 0.2
    lr: float = 1e-4
    weight_decay: float = 1e-4
    layer_decay: float = 0.8
    warmup: float = 0.1
    clip_norm: float = 1.0
    device: str = "auto"
    precision: Precision = "fp32"
    seed: int = 0
    budget: float | None = None
    budget_seconds: float | None = None
    save_seconds: float = 30.0
    micro_batch: int | None = None
    augment: str = "standard"
    unfreeze: int = 1

    @property
    def projected(self) -> int:
        """Return d, the width of projections; the losses without negatives want more room."""
        return _PROJECTED[self.method]

    def to_json(self) -> JsonObject:
        """Return field names and plain values."""
        return asdict(self)
