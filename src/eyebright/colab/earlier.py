"""What a folder holds from before: nothing, a training that was broken off, or a finished one."""

from __future__ import annotations

from collections.abc import Mapping
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

Earlier = Literal["nothing", "begun", "finished"]
# Where files lie, and in which language it is told, changes no model.
_FREE = frozenset({"data", "out", "overwrite", "resume", "lang"})


def earlier_training(out: Path, data: object, options: Mapping[str, object]) -> Earlier:
    """Return what a folder holds of a training.

    Args:
        out: the run's folder.
        data: what is to be trained on.
        options: of the training that is asked for now.

    Raises:
        ConfigError: it holds one with other options or data, which must not be taken for this one.
    """
    return _earlier(TrainConfig, out, METRICS, data, options)


def earlier_pretraining(out: Path, data: object, options: Mapping[str, object]) -> Earlier:
    """Return what a folder holds of a pretraining, as :func:`earlier_training` does."""
    return _earlier(PretrainConfig, out, CARD, data, options)


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
    differing = _differing(asked, found)
    if path is not None and found.data is not None and path.name != found.data.name:
        differing = ["data", *differing]
    if differing:
        raise ConfigError(
            "A name stands for one training. {name} was made with other values of {options}. Give this one "
            "another name.",
            name=out.name,
            options=", ".join(differing),
        )
    return "finished" if (out / last).is_file() else "begun"


def _differing(asked: Config, found: Config) -> list[str]:
    names = sorted(type(asked).model_fields.keys() - _FREE)
    return [name for name in names if _comparable(getattr(asked, name)) != _comparable(getattr(found, name))]


def _comparable(value: Any) -> Any:
    """Return a value as the options of a run hold it, with absolute paths."""
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    return value.absolute() if isinstance(value, Path) else value
