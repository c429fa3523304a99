"""A run: the directory that training or evaluation writes, and its metrics."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from eyebright.data.storage.places import is_remote, resolved
from eyebright.errors import ConfigError, NotFoundError, StorageError
from eyebright.exporting.base import require
from eyebright.options.base import Config
from eyebright.report.display import Displayed, ResultTable
from eyebright.report.metrics_content import MetricsContent
from eyebright.runs.metrics import METRICS, StoredMetrics, read_metrics
from eyebright.runs.summary import run_display
from eyebright.runtime.atomic import remove_left, write_text
from eyebright.types import Json

if TYPE_CHECKING:
    from eyebright.exporting.formats.trained_module import TrainedModule

OPTIONS = "config.toml"


@dataclass(frozen=True, repr=False)
class Run(Displayed):
    """A finished run on disk; it shows its metrics when it is printed, and in a notebook.

    Where a run's path is wanted, the run itself can be given.

    Attributes:
        directory: holds `metrics.json`, `predictions.csv`, `report.html` and, after training, `model.onnx`,
            `manifest.parquet` and `config.toml`.
        model: the sealed model that was trained or evaluated.
    """

    directory: Path
    model: Path

    def __fspath__(self) -> str:
        """Return the path of the directory."""
        return str(self.directory)

    @cached_property
    def metrics(self) -> MetricsContent:
        """Return the content of `metrics.json`."""
        return cast("MetricsContent", self.stored.model_dump(exclude_unset=True))

    @cached_property
    def stored(self) -> StoredMetrics:
        """Return what `metrics.json` says, checked.

        Raises:
            ModelError: no run wrote that file.
        """
        return read_metrics(self.directory / METRICS)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the classes in the order of the model's outputs."""
        return tuple(self.stored.labels)

    @property
    def report(self) -> Path:
        """Return the path of the report."""
        return self.directory / "report.html"

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the run's headline metrics, and where its files are."""
        return run_display(self)

    def module(self) -> TrainedModule:
        """Return the model as a torch.nn.Module: resized RGB pixels (B, 3, S, S) to logits (B, K).

        Raises:
            MissingExtraError: PyTorch is not installed.
            ModelError: the model has no logits of classes, or a part that PyTorch lacks.
        """
        require("torch", "torch", "PyTorch")
        from eyebright.exporting.formats.trained_module import TrainedModule
        from eyebright.sealed.model import SealedModel

        return TrainedModule(SealedModel(self.model))

    @classmethod
    def open(cls, directory: Path) -> Run:
        """Open a run of an earlier time.

        Raises:
            NotFoundError: the directory holds no finished run.
        """
        if not (directory / METRICS).is_file():
            raise NotFoundError(
                "A run directory must contain metrics.json. {path} does not. Use the directory that "
                "`eyebright train` printed, or train again.",
                path=directory,
            )
        return cls(directory, directory / "model.onnx")


def new_directory(given: Path | None, parent: str, name: str, *, overwrite: bool | None = None) -> Path:
    """Make the directory to write: the one that was given, or ``parent``/NAME-TIME.

    Args:
        given: by the option `--out`; None where nothing was.
        parent: of a directory that was not given.
        name: for it.
        overwrite: whether a finished run in it may be replaced; None for a verb that writes no run, and may
            replace none.

    Raises:
        ConfigError: it holds a finished run.
        StorageError: it cannot be made.
    """
    if given is not None and (given / METRICS).is_file():
        if overwrite is None:
            raise ConfigError(
                "--out must name a directory without a run. {path} contains a finished run. Choose "
                "another directory.",
                path=given,
            )
        if not overwrite:
            raise ConfigError(
                "--out must name a directory without a finished run. {path} contains one. Choose another "
                "directory, or replace the run with --overwrite.",
                path=given,
            )
    directory = given or dated_directory(parent, name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "The output directory must be one that can be created. {path}: {reason}. Choose another "
            "with --out.",
            path=directory,
            reason=error.strerror,
        ) from error
    remove_left(directory)
    return directory


def dated_directory(parent: str, name: str) -> Path:
    """Return ``parent``/NAME-TIME, which is not made."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    return Path(parent) / f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"


def write_options(config: Config, directory: Path, name: str = OPTIONS) -> None:
    """Write the options with absolute paths, so that a run can be resumed or repeated from anywhere."""
    changed = {option: _absolute(value) for option, value in config} | {"out": directory.absolute()}
    # What was meant for once: to go on, or to replace a run.
    changed |= {name: value for name, value in (("resume", None), ("overwrite", False)) if name in changed}
    write_text(directory / name, config.model_copy(update=changed).toml())


def _absolute(value: Any) -> Any:
    """Return the value of an option with absolute paths."""
    if isinstance(value, list):
        return [_absolute(one) for one in value]
    if not isinstance(value, Path):
        return value
    return resolved(value) if is_remote(value) else value.absolute()


def write_metrics(path: Path, metrics: Mapping[str, Json]) -> None:
    """Write `metrics.json`."""
    write_text(path, json.dumps(metrics, indent=1, ensure_ascii=False))
