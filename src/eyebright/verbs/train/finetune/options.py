"""The options of fine-tuning, which `eyebright train` has beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import (
    Augment,
    BackboneName,
    Batch,
    Device,
    Epochs,
    ModelTime,
    Patience,
    Precision,
    Rate,
    Weights,
)
from eyebright.options.marks import Heading, Metavar

#: What also matters when nothing but the head is learned.
_ALSO_FOR_HEAD = frozenset({"backbone", "weights", "tune", "resume"})


class FinetuneConfig(Config):
    """How the backbone itself is trained; without effect where only the head is (``tune="head"``)."""

    # ---- what trains
    backbone: Annotated[BackboneName, Heading("Backbone")] = "efficientnet_lite0"
    weights: Weights = None
    tune: Literal["head", "last", "full", "auto"] = Field(
        "head",
        description="What learns: the head alone, the last units too, everything, or what proves best.",
    )
    unfreeze: Annotated[int, Field(ge=1)] | None = Field(
        None, description="How many of the last units learn with --tune last (default: chosen)."
    )
    gradual: bool = Field(
        False, description="Let the units begin to learn one after another, the last first."
    )
    batch_norm: Literal["frozen", "train"] = Field(
        "frozen", description="Whether the statistics of batch normalisation stay as they were."
    )
    lora: int = Field(
        0, ge=0, description="Rank of the adapters that learn in a transformer's place; 0: none."
    )
    # ---- how long
    epochs: Annotated[Epochs, Heading("How long")] = None
    budget: ModelTime = None
    patience: Patience = 5
    # ---- optimisation
    batch: Annotated[Batch, Heading("Optimisation")] = "auto"
    optimizer: Literal["adamw", "sgd", "adam"] = Field("adamw", description="What moves the weights.")
    lr: Rate = "auto"
    schedule: Literal["cosine", "onecycle", "plateau", "constant"] = Field(
        "cosine", description="How the learning rate runs; plateau lowers it when the held-out loss stalls."
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the training in which the rate rises.")
    weight_decay: Annotated[float, Metavar("NUMBER")] = Field(
        0.05, ge=0, description="Pull of the weights to zero; norms and biases are spared."
    )
    layer_decay: Annotated[float, Metavar("NUMBER")] = Field(
        0.8, gt=0, le=1, description="Factor on the learning rate for each unit further from the head."
    )
    ema: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, lt=1, description="Decay of the weights' moving average; 0: none is kept."
    )
    # ---- against overfitting
    dropout: Annotated[float, Heading("Loss and regularisation")] = Field(
        0.0, ge=0, lt=1, description="Share of the features that the head does not see in a step."
    )
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="Share of the residual branches left out in a step."
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target given to other classes.")
    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy", description="What is made small; focal looks more at what is still hard."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="Whether errors in rare classes count more."
    )
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle", description="Each image once an epoch, or each class equally often."
    )
    # ---- augmentation
    augment: Annotated[Augment, Heading("Augmentation")] = "auto"
    erasing: float = Field(0.0, ge=0, le=1, description="Share of the images that lose a random rectangle.")
    mixup: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Blend pairs of images, by shares from Beta(NUMBER, NUMBER); 0: none."
    )
    cutmix: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Paste rectangles between images, likewise; 0: none."
    )
    # ---- another model's answers
    teacher: Annotated[Path | None, Heading("Teacher")] = Field(
        None,
        description="Run or sealed model to learn from, too (distillation); DATA may be left out.",
    )
    teacher_share: float = Field(
        0.7, ge=0, le=1, description="Share of the loss that asks for the teacher's answers, not the labels."
    )
    teacher_temperature: Annotated[float, Metavar("NUMBER")] = Field(
        2.0, gt=0, description="How much the teacher's answers are softened."
    )
    teacher_features: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Weight of guessing the teacher's features as well; 0: they are not guessed."
    )
    teacher_views: int = Field(
        8, ge=1, le=100, description="Augmented views of each image that the teacher is asked about, once."
    )
    # ---- machine
    precision: Annotated[Precision, Heading("Machine")] = "auto"
    device: Device = "auto"
    processes: int = Field(1, ge=1, description="How many processes train together, one a device.")
    save_memory: bool = Field(False, description="Compute activations twice instead of keeping them.")
    pixel_cache: bool = Field(True, description="Decode images anew each time; no pixels are kept on disk.")
    # ---- the run
    track: Annotated[list[Literal["tensorboard", "mlflow"]], Heading("The run")] = Field(
        [], description="Also log each epoch there; may be given twice."
    )
    resume: Path | None = Field(
        None,
        validate_default=True,
        description="Run directory of a training to go on with; DATA may be left out.",
    )

    def idle(self) -> tuple[str, ...]:
        """Names of the fine-tuning options that differ from their defaults although only the head learns."""
        if self.tune != "head":
            return ()
        fields = FinetuneConfig.model_fields
        return tuple(
            name
            for name, field in fields.items()
            if name not in _ALSO_FOR_HEAD and getattr(self, name) != field.default
        )
