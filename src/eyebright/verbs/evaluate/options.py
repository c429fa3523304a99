"""The options of `eyebright evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.cluster import ClusterConfig
from eyebright.options.columns import ImageColumnsConfig
from eyebright.options.decisions import DecisionConfig
from eyebright.options.fields import ReportLang
from eyebright.options.marks import CommandLineOnly, Positional


class EvaluatedConfig(Config):
    """Which model is measured on what."""

    model: Path = Field(description="Model to evaluate: a model.onnx, or the run directory that contains it.")
    data: Annotated[Path | None, Positional()] = Field(
        None,
        description=(
            "Images, from any source that `eyebright train` reads (default: those that the model's training "
            "held out)."
        ),
    )
    out: Path | None = Field(None, description="Directory to write (default: evaluations/NAME-TIME).")
    overwrite: bool = Field(False, description="Replace the finished evaluation in the directory of --out.")
    split: Literal["auto", "train", "val", "test"] = Field(
        "auto", description="Split to evaluate; auto takes test, else val, else all images."
    )
    seed: int = Field(0, ge=0, description="Random seed of the bootstrap intervals.")
    format: Annotated[Literal["table", "json"], CommandLineOnly()] = Field(
        "table", description="Output format of the metrics: aligned text, or the contents of metrics.json."
    )
    columns: Path | None = Field(
        None,
        description=(
            "CSV with a column path; every other column is a property by which the metrics are sliced."
        ),
    )
    robustness: bool = Field(
        False,
        description=(
            "Also measure robustness on about 200 images: noise, blur and other corruptions, and the "
            "centre or border alone."
        ),
    )
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: what is measured first.
class EvaluateConfig(ClusterConfig, DecisionConfig, ImageColumnsConfig, EvaluatedConfig):
    """Options of `eyebright evaluate`; every field is also a command-line option and a TOML key."""

    ood: Path | None = Field(
        None,
        description="Folder of out-of-distribution (OOD) images, which the model should predict as unknown.",
    )
