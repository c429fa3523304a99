"""Options that several verbs have, each written once; the verb gives the default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from eyebright.errors import ConfigError
from eyebright.options.marks import Metavar, Positional

_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m(?:in)?)?\s*(?:{_NUMBER}\s*s?)?", re.IGNORECASE)


def time_seconds(text: object) -> float:
    """Seconds from a time such as ``10m``, ``90s``, ``1h30m`` or ``600``.

    Raises:
        ConfigError: ``text`` is not a time, or is none at all.
    """
    match = _TIME.fullmatch(str(text).strip())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise ConfigError(
            "A time must be above zero and written like 10m, 90s, 1h30m or a number of seconds; got {text}.",
            text=repr(text),
        )
    return total


# ---- images
Data: TypeAlias = Annotated[
    Path | None,
    Positional(),
    Field(description="Folder of class folders, with train/, val/ and optionally test/, or with labels.csv."),
]
Val: TypeAlias = Annotated[
    Path | float | None,
    Field(description="Validation part: a folder, or the share of images to hold out (default: 0.2)."),
]
Test: TypeAlias = Annotated[
    Path | float | None,
    Field(description="Test part: a folder, or the share of images to hold out (default: none)."),
]
Size: TypeAlias = Annotated[int, Field(ge=64, le=1024, multiple_of=32)] | Literal["auto"]
ChosenSize: TypeAlias = Annotated[
    Size,
    Field(description="Input size in pixels, a multiple of 32; auto chooses it on the training part."),
]
Layers: TypeAlias = Annotated[
    Literal["auto", "texture", "stages", "all"],
    Field(description="Layers to take features from; auto compares them on the training part."),
]
# ---- the run
Out: TypeAlias = Annotated[
    Path | None, Field(description="Run directory to write (default: runs/NAME-TIME).")
]
Seed: TypeAlias = Annotated[
    int, Field(ge=0, description="Seed of the split and of everything else that is drawn.")
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
    Field(description="Network to start from; `eyebright models --search TEXT` lists them."),
]
Weights: TypeAlias = Annotated[
    Path | Literal["none"] | None,
    Field(description="File with its weights (.safetensors, .pth); none starts from random ones."),
]
Batch: TypeAlias = Annotated[
    Annotated[int, Field(ge=1)] | Literal["auto"],
    Field(description="Images a step; what memory cannot hold at once is added up in parts."),
]
Precision: TypeAlias = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    Field(description="Number format while training; auto times those that the device has."),
]
Device: TypeAlias = Annotated[
    Literal["auto", "cpu", "cuda", "mps", "xla"], Field(description="Where to train.")
]
# ---- the training
Epochs: TypeAlias = Annotated[
    Annotated[int, Field(ge=1)] | None,
    Field(description="Passes through the training images (default: chosen)."),
]
ModelTime: TypeAlias = Annotated[
    Time, Field(description="Time until the model is finished, such as 10m, 90s or 1h30m.")
]
Patience: TypeAlias = Annotated[
    int,
    Field(
        ge=0,
        description="Stop after so many epochs without gain as the rate falls, and keep the best; 0: never.",
    ),
]
Rate: TypeAlias = Annotated[
    Annotated[float, Field(gt=0)] | Literal["auto", "find"],
    Metavar("NUMBER|auto|find"),
    Field(description="Highest learning rate; find measures it first and plots what it saw."),
]
Augment: TypeAlias = Annotated[
    Literal["auto", "none", "colour", "gentle", "light", "upright", "standard", "randaugment", "trivial"],
    Field(description="How training images are varied; auto sees how much of it the network can bear."),
]
