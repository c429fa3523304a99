"""The options of `eyebright train`, for the command line, TOML files and the Python API alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.cluster import ClusterConfig
from eyebright.options.columns import ColumnsConfig
from eyebright.options.conflicts import named
from eyebright.options.decisions import DecisionConfig
from eyebright.options.fields import (
    ChosenSize,
    Data,
    FixesFile,
    Layers,
    Out,
    Overwrite,
    ReportLang,
    Seed,
    Test,
    Val,
)
from eyebright.options.marks import CommandLineOnly, Metavar
from eyebright.options.splits import SplitConfig
from eyebright.options.uncertainty import UncertaintyConfig
from eyebright.task.task import ClassificationTask
from eyebright.verbs.train.finetune.options import FinetuneConfig


class TrainingDataConfig(Config):
    """Options that every training has: the data, and how images become features."""

    data: Data = None
    out: Out = None
    overwrite: Overwrite = False
    val: Val = None
    test: Test = None
    fixes: FixesFile = None
    text_encoder: Path | None = Field(
        None,
        description=(
            "Sentence encoder that may read --text: an ONNX file or a Hugging Face folder, with "
            "tokenizer.json; cross-validation chooses between it and n-grams."
        ),
    )
    seed: Seed = 0
    size: ChosenSize = "auto"
    layers: Layers = "auto"
    curve: bool = Field(
        False,
        description=(
            "Also fit the head on 10, 20 and 50 % of the images, and forecast the effect of more images."
        ),
    )
    views: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = Field(
        "auto",
        description=(
            "Views of each training image to learn from: the image itself and augmented copies. auto "
            "compares 1, 2 and 4 where the size is chosen, too, of up to 500 images."
        ),
    )
    lang: ReportLang = "en"

    @property
    def augmented(self) -> bool:
        """Return whether more than one view of each image was asked for."""
        return self.views != "auto" and self.views > 1


class TaskConfig(Config):
    """What is to be learned."""

    task: Literal["auto", "classify", "anomaly"] = Field(
        "auto",
        description=(
            "What to learn: classes, or what good images look like, to find anomalies; auto takes the latter "
            "where all training images lie in one folder named good, ok, normal or the like."
        ),
    )


class UnlabelledConfig(Config):
    """Options of images without labels."""

    unlabelled: Annotated[Path | None, Metavar("PATH")] = Field(
        None,
        description=(
            "Images without labels to learn from as well: a folder, an archive or a table; kept only where "
            "held-out images speak for it."
        ),
    )
    transductive: bool = Field(
        False, description="Also learn from unlabelled images that the run is evaluated on."
    )
    dry_run: Annotated[bool, CommandLineOnly()] = Field(
        False,
        description="Train nothing: say what each way to a better model would cost, and what it may bring.",
    )


def data_or_resume(resume: Path | None, info: ValidationInfo) -> Path | None:
    """Return ``resume``; it, the field `data` before it or a teacher with images must be given.

    Raises:
        ConfigError: none was.
    """
    # Data that was given but is invalid is not in info.data; it has an error of its own.
    if resume is None and info.data.get("data", "") is None and info.data.get("teacher") is None:
        raise ConfigError(
            "Data or a run to resume must be given. Neither was. Give a folder of images, or --resume RUN."
        )
    return resume


# Fields come in the order of the bases read from the right: the data's first.
class TrainConfig(
    ClusterConfig,
    FinetuneConfig,
    UncertaintyConfig,
    DecisionConfig,
    SplitConfig,
    UnlabelledConfig,
    TaskConfig,
    ColumnsConfig,
    TrainingDataConfig,
):
    """Options of `eyebright train`; every field is also a command-line option and a TOML key."""

    @field_validator("resume")
    @classmethod
    def _something_to_train_on(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return data_or_resume(value, info)


def check_splits(config: TrainConfig) -> None:
    """Refuse options of the splits that exclude others.

    Raises:
        ConfigError: naming them.
    """
    if config.folds is None:
        return
    given = {
        "--split-by time": config.split_by == "time",
        "--val": config.val is not None,
        "--test": config.test is not None,
        "--teacher": config.teacher is not None,
        f"--finetune {config.finetune}": config.finetune != "off",
    }
    if refused := named(given):
        raise ConfigError(
            "--folds evaluates every image in turn, by a head that is solved without it. It does not go "
            "together with {options}. Remove one of them.",
            options=refused,
        )


def check_pretrain(config: TrainConfig) -> None:
    """Refuse what does not go together with `--pretrain`.

    Raises:
        ConfigError: naming it.
    """
    if config.pretrain is None:
        return
    given = {
        f"--finetune {config.finetune}": config.finetune != "off",
        "--folds": config.folds is not None,
        "--views": config.augmented,
        "--prompts": config.prompts is not None,
        "--unlabelled": config.unlabelled is not None,
    }
    if refused := named(given):
        raise ConfigError(
            "--pretrain compares two frozen backbones by held-out folds. It does not go together with "
            "{options}. Run `eyebright pretrain` first, and give its directory with --backbone.",
            options=refused,
        )


def check_texts(config: TrainConfig) -> None:
    """Refuse options that do not go together with texts.

    Raises:
        ConfigError: naming them.
    """
    if not config.text:
        if config.text_encoder is not None:
            raise ConfigError("--text-encoder reads texts. Say with --text where they are.")
        return
    given = {
        "--teacher": config.teacher is not None,
        f"--finetune {config.finetune}": config.finetune != "off",
        "--pretrain": config.pretrain is not None,
        "--prompts": config.prompts is not None,
        "--unlabelled": config.unlabelled is not None,
    }
    if refused := named(given):
        raise ConfigError(
            "--text is read beside a frozen backbone. It does not go together with {options}. Remove one "
            "of them.",
            options=refused,
        )


def check_cluster(config: TrainConfig) -> None:
    """Refuse a cluster for a training in several processes, each of which would ask it for the same.

    Raises:
        ConfigError: both were given.
    """
    if config.cluster is not None and config.processes > 1:
        raise ConfigError(
            "--cluster computes frozen features, and --processes fine-tunes. They do not go together. Train "
            "with --cluster and --finetune off first: the features stay in the cache."
        )


def require_single_label(task: ClassificationTask, what: str) -> None:
    """Refuse multi-label data or a multi-label model for what cannot do with it.

    Args:
        task: of the data or of the model.
        what: was asked for, as it stands on the command line.

    Raises:
        ConfigError: an image may have several.
    """
    if task.multilabel:
        raise ConfigError(
            "{what} requires single-label data. Here an image may have several labels. Do without "
            "it; to shrink a multi-label model, use `eyebright export --int8`.",
            what=what,
        )
