"""Options that several verbs have, each written once; the verb gives the default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from eyebright.errors import ConfigError
from eyebright.options.marks import Metavar, Positional
from eyebright.types import LicenceUse

_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m(?:in)?)?\s*(?:{_NUMBER}\s*s?)?", re.IGNORECASE)


def time_seconds(text: object) -> float:
    """Return seconds from a time such as ``10m``, ``90s``, ``1h30m`` or ``600``.

    Raises:
        ConfigError: ``text`` is not a time, or is none at all.
    """
    match = _TIME.fullmatch(str(text).strip())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise ConfigError(
            "A duration must be positive and written like 10m, 90s, 1h30m or a number of seconds. "
            "Got {text}.",
            text=repr(text),
        )
    return total


# ---- images
DATA = (
    "Images: a folder of class folders, perhaps in train/, val/ and test/; an archive; a table; or a data "
    "set of Hugging Face, WebDataset, COCO, Label Studio or CVAT; also s3://."
)
Data: TypeAlias = Annotated[
    Path | None,
    Positional(),
    Field(description=DATA),
]
DataPath: TypeAlias = Annotated[Path, Field(description=DATA)]
ImagesNow: TypeAlias = Annotated[
    Path | None,
    Field(
        description=(
            "Where the run's images are now, in any source that `eyebright train` reads (default: where the "
            "run found them)."
        )
    ),
]
Val: TypeAlias = Annotated[
    Path | float | None,
    Field(description="Validation split: a folder, or the share of images to set aside (default: 0.2)."),
]
Test: TypeAlias = Annotated[
    Path | float | None,
    Field(description="Test split: a folder, or the share of images to set aside (default: none)."),
]
FixesFile: TypeAlias = Annotated[
    Path | None,
    Metavar("FILE"),
    Field(description="CSV of fixes to apply to images and labels, as `eyebright audit` proposes them."),
]
Size: TypeAlias = Annotated[int, Field(ge=64, le=1024, multiple_of=32)] | Literal["auto"]
ChosenSize: TypeAlias = Annotated[
    Size,
    Field(description="Input size in pixels, a multiple of 32; auto selects it on the training split."),
]
Layers: TypeAlias = Annotated[
    Literal["auto", "texture", "stages", "all"],
    Field(description="Feature layers to use; auto compares them on the training split."),
]
# ---- the run
Out: TypeAlias = Annotated[
    Path | None, Field(description="Run directory to write (default: runs/NAME-TIME).")
]
Overwrite: TypeAlias = Annotated[
    bool,
    Field(description="Replace the finished run in the directory of --out, and the exports of its model."),
]
Seed: TypeAlias = Annotated[
    int, Field(ge=0, description="Random seed of the split and of everything else that is random.")
]
ReportLang: TypeAlias = Annotated[
    Literal["en", "zh"], Field(description="Language of the report and of messages.")
]
MessageLang: TypeAlias = Annotated[Literal["en", "zh"], Field(description="Language of messages.")]
Time: TypeAlias = Annotated[Annotated[float, BeforeValidator(time_seconds)] | None, Metavar("TIME")]
# ---- the network and the machine
BackboneName: TypeAlias = Annotated[
    str,
    Metavar("NAME"),
    Field(description="Backbone to use; `eyebright models --search TEXT` lists those available."),
]
Weights: TypeAlias = Annotated[
    Path | Literal["none"] | None,
    Field(description="Weights file (.safetensors, .pth); none starts from random weights."),
]
LicenceOfWeights: TypeAlias = Annotated[
    LicenceUse,
    Field(description="Licences that the weights may have: those that allow commercial use, or any."),
]
PromptsFile: TypeAlias = Annotated[
    Path | None,
    Metavar("FILE"),
    Field(
        description=(
            "TOML file of what the classes are called (templates, [classes]), by which a backbone with a "
            "text tower (clip:, open_clip:) recognises them before it has seen an image; the head starts "
            "from there."
        )
    ),
]
Batch: TypeAlias = Annotated[
    Annotated[int, Field(ge=1)] | Literal["auto"],
    Field(
        description=(
            "Images per optimisation step; a batch that does not fit in memory uses gradient accumulation."
        )
    ),
]
Precision: TypeAlias = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    Field(description="Numeric precision for training; auto times those that the device supports."),
]
Device: TypeAlias = Annotated[
    Literal["auto", "cpu", "cuda", "mps", "xla"], Field(description="Device to train on.")
]
# ---- the training
Epochs: TypeAlias = Annotated[
    Annotated[int, Field(ge=1)] | None,
    Field(description="Training epochs (default: chosen automatically)."),
]
ModelTime: TypeAlias = Annotated[
    Time, Field(description="Time budget until the model is finished, such as 10m, 90s or 1h30m.")
]
Patience: TypeAlias = Annotated[
    int,
    Field(
        ge=0,
        description=(
            "Stop early after this many epochs without improvement as the rate falls, and keep the "
            "best; 0: off."
        ),
    ),
]
Rate: TypeAlias = Annotated[
    Annotated[float, Field(gt=0)] | Literal["auto", "find"],
    Metavar("NUMBER|auto|find"),
    Field(description="Peak learning rate; find runs a learning-rate range test first and plots it."),
]
Augment: TypeAlias = Annotated[
    Literal["auto", "none", "colour", "gentle", "light", "upright", "standard", "randaugment", "trivial"],
    Field(
        description="Augmentation of training images; auto selects the strongest that the network tolerates."
    ),
]
