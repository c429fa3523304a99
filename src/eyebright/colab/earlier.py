"""What a folder holds from before: nothing, a training that was broken off, or a finished one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from eyebright.backbones.stored import CARD
from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.runs.metrics import METRICS
from eyebright.runs.run import OPTIONS
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import own_code_of

Earlier = Literal["nothing", "begun", "finished"]
_PLAN = "plan.json"
# Where files lie, and in which language it is told, changes no model.
_FREE = frozenset({"data", "out", "overwrite", "resume", "lang"})
# Arguments of `eyebright.train` that may be objects of Python, which the options of a run do not hold.
_OWN = ("backbone", "loss", "optimizer", "transform", "inference_transform")
_OBJECTS = frozenset({*_OWN, "on_epoch", "progress"})


def is_object(name: str, value: object) -> bool:
    """Return whether an argument of a training is an object, which a resumed training needs again."""
    return name in _OBJECTS and not isinstance(value, str | PathLike)


def earlier_training(out: Path, data: object, options: Mapping[str, object]) -> Earlier:
    """Return what a folder holds of a training.

    Args:
        out: the run's folder.
        data: what is to be trained on.
        options: of the training that is asked for now; of a backbone that is an object, the name counts.

    Raises:
        ConfigError: it holds one with other options or data, which must not be taken for this one.
    """
    own: Any = {name: value for name, value in options.items() if name in _OWN and is_object(name, value)}
    plain = {name: value for name, value in options.items() if not is_object(name, value)}
    return _earlier(TrainConfig, out, METRICS, data, plain | own_code_of(**own)[1])


def earlier_pretraining(out: Path, data: object, options: Mapping[str, object]) -> Earlier:
    """Return what a folder holds of a pretraining, as :func:`earlier_training` does."""
    plain = {name: value for name, value in options.items() if not is_object(name, value)}
    return _earlier(PretrainConfig, out, CARD, data, plain)


def _earlier(
    kind: type[TrainConfig] | type[PretrainConfig],
    out: Path,
    last: str,
    data: object,
    options: Mapping[str, object],
) -> Earlier:
    """Return what a folder holds; ``last`` is the file that is written at the end."""
    if not (out / OPTIONS).is_file():
        return "nothing"
    path = Path(data) if isinstance(data, str | PathLike) else None
    asked, found = kind.build(None, **{"data": path or out, **options}), kind.build(out / OPTIONS)
    # Fine-tuning writes the values that it found for "auto" into its options.
    strict = frozenset() if (out / _PLAN).is_file() else options.keys()
    differing = _differing(asked, found, strict)
    if path is not None and found.data is not None and _named(path) != _named(found.data):
        differing = ["data", *differing]
    if differing:
        raise ConfigError(
            "A name stands for one training. {name} was made with other values of {options}. Give this one "
            "another name.",
            name=out.name,
            options=", ".join(differing),
        )
    return "finished" if (out / last).is_file() else "begun"


def _named(path: Path) -> tuple[str, ...]:
    """Return what tells data apart on every machine: its name and that of the folder that it lies in."""
    return path.absolute().parts[-2:]


def _differing(asked: Config, found: Config, strict: Collection[str]) -> list[str]:
    """Return the options that differ; what is left open fits whatever was chosen, unless it is ``strict``."""
    differing = []
    for name in sorted(type(asked).model_fields.keys() - _FREE):
        wanted, there = (_comparable(getattr(config, name)) for config in (asked, found))
        left_open = name not in strict and wanted in ("auto", None)
        if wanted != there and not left_open:
            differing.append(name)
    return differing


def _comparable(value: Any) -> Any:
    """Return a value as the options of a run hold it, with absolute paths."""
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    return value.absolute() if isinstance(value, Path) else value
