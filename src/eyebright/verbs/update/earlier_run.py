"""The run that is updated: its model, images and options, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import read_manifest
from eyebright.engines.choose import is_available
from eyebright.errors import ConfigError, NotFoundError
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.runs.images import require_classifier
from eyebright.runs.integrity import require_unmodified
from eyebright.runs.predictions_csv import NAME as PREDICTIONS
from eyebright.runs.predictions_csv import read_predictions
from eyebright.runs.run import OPTIONS, Run
from eyebright.sealed.model import SealedModel
from eyebright.training.linear_probe.probe import EarlierSelection
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.update.model_backbone import ModelBackbone

_MANIFEST = "manifest.parquet"


@dataclass(frozen=True)
class EarlierRun:
    """A finished training.

    Attributes:
        run: its directory.
        model: what it sealed, opened with one thread a call.
        manifest: its images.
        config: its options.
        backbone: in its model.
    """

    run: Run
    model: SealedModel
    manifest: Manifest
    config: TrainConfig
    backbone: ModelBackbone

    @classmethod
    def open(cls, directory: Path) -> EarlierRun:
        """Open the run of a training.

        Raises:
            NotFoundError: it is not a finished run, or its manifest or options are missing.
            ModelError: its model was modified, or is not one that training seals.
            ConfigError: it is not the run of a training, or one that started from the names of classes.
        """
        if directory.is_file() and directory.name == "model.onnx":
            directory = directory.parent
        run = Run.open(directory)
        for name in (_MANIFEST, OPTIONS):
            if not (directory / name).is_file():
                raise NotFoundError(
                    "The run to update must be that of a training. {path} has no {name}. Use a directory "
                    "that `eyebright train` or `eyebright update` wrote.",
                    path=directory,
                    name=name,
                )
        model = SealedModel(run.model, threads=1)
        require_classifier(model, "eyebright update")
        require_unmodified(run.model)
        try:
            config = TrainConfig.build(directory / OPTIONS)
        except ConfigError as error:
            raise ConfigError(
                "The run to update must be that of a training. {path} does not contain valid training "
                "options: {problem}",
                path=directory / OPTIONS,
                problem=error.text(),
            ) from error
        if config.prompts is not None:
            raise ConfigError(
                "The run to update must not have started from the names of its classes. {path} did "
                "(--prompts). Train anew on all images.",
                path=directory,
            )
        return cls(run, model, read_manifest(directory / _MANIFEST), config, ModelBackbone(model))

    @property
    def finetuned(self) -> bool:
        """Return whether the backbone was fine-tuned, so that it learned from the run's training images."""
        return "finetune" in self.model.card.content

    @property
    def views(self) -> int:
        """Return how many views of each image the run's head learned from."""
        if self.finetuned:
            return 1
        given = self.config.views
        return int(self.model.card.content.get("views", 1)) if given == "auto" else given

    @cached_property
    def cross_validated(self) -> Mapping[str, PredictionRow] | None:
        """Return what models of folds predicted, by the images' hashes; None where none were."""
        if self.config.folds is None:
            return None
        return {row.sha: row for row in read_predictions(self.run.directory / PREDICTIONS)}

    @cached_property
    def selection(self) -> EarlierSelection:
        """Return what the run selected: engine, and feature layers."""
        engine = (self.run.stored.model_extra or {}).get("engine")
        return EarlierSelection(
            engine=engine if isinstance(engine, str) and is_available(engine) else None,
            layers=self.model.card.layers,
            taps=self.backbone.taps,
        )
