"""The options of `eyebright embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from eyebright.backbones import embedded
from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.cluster import ClusterConfig
from eyebright.options.fields import BackboneName, ChosenSize, LicenceOfWeights, MessageLang, Weights
from eyebright.options.images import image_list
from eyebright.options.marks import Metavar

SUFFIX = ".parquet"


class EmbeddedConfig(Config):
    """Which images, and whose features."""

    images: Annotated[list[Any], BeforeValidator(image_list)] = Field(
        min_length=1,
        description=(
            "Image files, folders, archives, Parquet files of images, s3:// places or glob "
            "patterns; - reads a list of paths from standard input."
        ),
    )
    model: Path | None = Field(
        None,
        description="Model whose features are wanted: a model.onnx, or its run; in place of a backbone.",
    )
    backbone: BackboneName = embedded.NAME
    weights: Weights = None
    licence: LicenceOfWeights = "commercial"
    size: ChosenSize = "auto"
    layers: Literal["final", "texture", "stages", "all"] = Field(
        "final",
        description=(
            "Features of a backbone: its last, as it pools them; the moments of early stages, or of all; or "
            "those of all blocks as well."
        ),
    )
    neighbours: int = Field(
        0, ge=0, le=100, description="Number of most similar images to find for each image."
    )
    out: Annotated[Path | None, Metavar("FILE")] = Field(
        None, description="Parquet file to write: path, features, and neighbours where these are wanted."
    )
    lang: MessageLang = "en"

    @field_validator("out")
    @classmethod
    def _parquet(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix.lower() != SUFFIX:
            raise ConfigError(
                "--out must name a Parquet file, such as features.parquet. Got {path}. Change its ending.",
                path=value,
            )
        return value


class EmbedConfig(ClusterConfig, EmbeddedConfig):
    """Options of `eyebright embed`; every field is also a command-line option and a TOML key."""
