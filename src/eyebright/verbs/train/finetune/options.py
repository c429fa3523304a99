"""The options of fine-tuning, which `eyebright train` has beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import (
    Augment,
    Batch,
    Device,
    Epochs,
    LicenceOfWeights,
    ModelTime,
    Patience,
    Precision,
    PromptsFile,
    Rate,
    Time,
)
from eyebright.options.marks import Heading, Metavar

#: What also matters when nothing but the head is learned.
_ALSO_FOR_HEAD = frozenset(
    {
        "backbone",
        "weights",
        "licence",
        "prompts",
        "pretrain",
        "pretrain_budget",
        "finetune",
        "track",
        "resume",
    }
)


class FinetuneConfig(Config):
    """Options of fine-tuning; without effect where the backbone is frozen (``finetune="off"``)."""

    # ---- what trains
    backbone: Annotated[
        str,
        Metavar("NAME"),
        Heading("Backbone"),
        Field(
            description=(
                "Backbone to use; `eyebright models --search TEXT` lists those available. auto compares "
                "those at hand on training images, within --budget."
            )
        ),
    ] = "efficientnet_lite0"
    weights: Annotated[
        Path | Literal["none"] | None,
        Field(
            description=(
                "Weights file (.safetensors, .pth); none starts from random weights; with --backbone auto, a "
                "folder of backbones to compare as well."
            )
        ),
    ] = None
    licence: LicenceOfWeights = "commercial"
    prompts: PromptsFile = None
    pretrain: Path | None = Field(
        None,
        description=(
            "Unlabelled images to pretrain the backbone on first: a folder, an archive or a table; kept only "
            "if held-out folds say that it is better."
        ),
    )
    pretrain_budget: Annotated[Time, Metavar("TIME")] = Field(
        None, description="Time budget of --pretrain, such as 20m."
    )
    finetune: Literal["off", "last", "full", "auto"] = Field(
        "off",
        description=(
            "How much of the backbone to fine-tune: nothing, the last blocks, everything, or "
            "whichever scores best on holdout images."
        ),
    )
    unfreeze: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Number of last blocks to train with --finetune last (default: selected automatically).",
    )
    gradual: bool = Field(False, description="Unfreeze the blocks one after another, starting with the last.")
    batch_norm: Literal["frozen", "train"] = Field(
        "frozen", description="Batch normalisation statistics: keep the pretrained ones, or update them."
    )
    lora: int = Field(
        0,
        ge=0,
        description="Rank of the LoRA adapters trained in place of a transformer's own weights; 0: off.",
    )
    # ---- how long
    epochs: Annotated[Epochs, Heading("Duration")] = None
    budget: ModelTime = None
    patience: Patience = 5
    # ---- optimisation
    batch: Annotated[Batch, Heading("Optimisation")] = "auto"
    optimizer: Literal["adamw", "sgd", "adam"] = Field(
        "adamw", description="Optimiser that updates the weights."
    )
    lr: Rate = "auto"
    schedule: Literal["cosine", "onecycle", "plateau", "constant"] = Field(
        "cosine", description="Learning-rate schedule; plateau lowers the rate when the holdout loss stalls."
    )
    warmup: float = Field(
        0.1, ge=0, lt=1, description="Share of the training used for learning-rate warm-up."
    )
    weight_decay: Annotated[float, Metavar("NUMBER")] = Field(
        0.05, ge=0, description="Weight decay (not on norms and biases)."
    )
    layer_decay: Annotated[float, Metavar("NUMBER")] = Field(
        0.8,
        gt=0,
        le=1,
        description="Layer-wise decay: learning-rate factor for each block further from the head.",
    )
    ema: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, lt=1, description="Decay of the moving average of the weights; 0: off."
    )
    # ---- against overfitting
    dropout: Annotated[float, Heading("Loss and regularisation")] = Field(
        0.0, ge=0, lt=1, description="Dropout rate of the features before the head."
    )
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="Drop-path rate: share of residual branches skipped in a step."
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="Label smoothing: share of the target given to other classes."
    )
    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy", description="Loss function; focal puts more weight on hard images."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="Class weights in the loss; balanced gives rare classes more weight."
    )
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle", description="Draw each image once per epoch, or draw all classes equally often."
    )
    # ---- augmentation
    augment: Annotated[Augment, Heading("Augmentation")] = "auto"
    random_erasing: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Random-erasing probability: share of images that lose a random rectangle.",
    )
    mixup: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Blend pairs of images with ratios from Beta(NUMBER, NUMBER); 0: off."
    )
    cutmix: Annotated[float, Metavar("NUMBER")] = Field(
        0.0,
        ge=0,
        description="CutMix: paste rectangles between images, with areas from Beta(NUMBER, NUMBER); 0: off.",
    )
    # ---- distillation
    teacher: Annotated[Path | None, Heading("Teacher")] = Field(
        None,
        description="Run or sealed model to use as teacher (distillation); DATA may be omitted.",
    )
    teacher_share: float = Field(
        0.7, ge=0, le=1, description="Weight of the distillation loss; the labels get the rest."
    )
    teacher_temperature: Annotated[float, Metavar("NUMBER")] = Field(
        2.0, gt=0, description="Temperature that softens the teacher's predictions."
    )
    teacher_features: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Weight of the feature distillation loss; 0 disables it."
    )
    teacher_views: int = Field(
        8, ge=1, le=100, description="Augmented views of each image that the teacher is run on, once."
    )
    # ---- machine
    precision: Annotated[Precision, Heading("Hardware")] = "auto"
    device: Device = "auto"
    processes: int = Field(1, ge=1, description="Number of training processes, one per device.")
    save_memory: bool = Field(
        False, description="Activation checkpointing: recompute activations instead of storing them."
    )
    pixel_cache: bool = Field(
        True,
        description="Cache decoded pixels on disk; --no-pixel-cache decodes the images again in every epoch.",
    )
    # ---- the run
    track: Annotated[list[Literal["tensorboard", "mlflow", "wandb"]], Heading("Run and tracking")] = Field(
        [], description="Tracker that also logs the run and every epoch; may be given twice."
    )
    resume: Path | None = Field(
        None,
        validate_default=True,
        description="Run directory of the training to resume; DATA may be omitted.",
    )

    def idle(self) -> tuple[str, ...]:
        """Return the fine-tuning options that differ from their defaults although the backbone is frozen."""
        if self.finetune != "off":
            return ()
        fields = FinetuneConfig.model_fields
        used = _ALSO_FOR_HEAD | ({"budget"} if self.backbone == "auto" else set())
        return tuple(
            name
            for name, field in fields.items()
            if name not in used and getattr(self, name) != field.default
        )
