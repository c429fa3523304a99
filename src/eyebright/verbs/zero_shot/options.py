"""The options of `eyebright zero-shot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.fields import (
    BackboneName,
    LicenceOfWeights,
    MessageLang,
    Overwrite,
    PromptsFile,
    Weights,
)
from eyebright.options.images import image_list
from eyebright.options.marks import CommandLineOnly, Metavar

_LEAST_CLASSES = 2


class ZeroShotConfig(Config):
    """Options of `eyebright zero-shot`; every field is also a command-line option and a TOML key."""

    images: Annotated[list[Any], BeforeValidator(image_list)] = Field(
        min_length=1,
        description="Image files, folders or glob patterns; - reads a list of paths from standard input.",
    )
    classes: Annotated[list[str], Metavar("NAMES")] = Field(
        [],
        validate_default=True,
        description='Names of the classes, with commas between them, such as "cat, dog, bird"; or repeated.',
    )
    backbone: BackboneName = "clip:google/siglip2-base-patch16-224"
    weights: Weights = None
    licence: LicenceOfWeights = "commercial"
    prompts: PromptsFile = None
    multilabel: bool = Field(
        False,
        description="Answer for each class by itself whether it is in the image, as SigLIP was trained to.",
    )
    out: Path | None = Field(
        None, description="Directory to write the sealed model to (default: nothing is written)."
    )
    overwrite: Overwrite = False
    top: int = Field(1, ge=1, description="Number of most probable classes to output for each image.")
    format: Annotated[Literal["table", "csv", "jsonl"], CommandLineOnly()] = Field(
        "table", description="Output format: aligned text, CSV, or one JSON object per line."
    )
    lang: MessageLang = "en"

    @field_validator("classes")
    @classmethod
    def _several(cls, value: list[str]) -> list[str]:
        split = value[0].split(",") if len(value) == 1 else value
        names = [name.strip() for name in split if name.strip()]
        if len(names) < _LEAST_CLASSES or len(set(names)) < len(names):
            raise ConfigError(
                "--classes must name at least {least} classes, each once, with commas between them. Got "
                "{got}.",
                least=_LEAST_CLASSES,
                got=", ".join(names) or "0",
            )
        return names
