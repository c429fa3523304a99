"""`predict`: a sealed model's predictions for images, one after another and in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from eyebright.cluster.choose import open_cluster
from eyebright.errors import ConfigError
from eyebright.runtime.context import progress_task, stage
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.types import Prediction, Skipped
from eyebright.verbs.predict.in_shards import predict_in_shards, predicted
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.predict.tables import TextedImage, texted_images

if TYPE_CHECKING:
    from eyebright.monitoring.model_monitor import ModelMonitor


@stage
def predict(config: PredictConfig) -> Iterator[Prediction | Skipped]:
    """Return an iterator over predictions in the order of the images, or over why there is none.

    Args:
        config: which model, which images.

    Raises:
        NotFoundError: the model does not exist, or a path or pattern matches nothing.
        DataError: a folder contains no image.
        ModelError: the file is not a sealed model.
        DataError: the log is damaged, or one of another model.
    """
    model = SealedModel(config.model, threads=1)
    if config.cluster is not None:
        return _on_cluster(config, config.cluster, model)
    monitor = _monitor(config, model)
    images = texted_images(config.images, model, config.path, config.text, null=config.null)

    def answered(given: TextedImage | Skipped) -> Prediction | Skipped:
        return given if isinstance(given, Skipped) else predicted(model, given, config.top, monitor)

    return _counted(parallel(answered, images), progress_task("Predicting"), monitor)


def _monitor(config: PredictConfig, model: SealedModel) -> ModelMonitor | None:
    """Return what records the predictions, where they are to be logged."""
    if config.log is None:
        return None
    # Without a log nothing waits for what it imports: half of the time until the first prediction.
    from eyebright.monitoring.model_monitor import ModelMonitor

    return ModelMonitor(model, config.log, window_seconds=math.inf)


def _on_cluster(config: PredictConfig, address: str, model: SealedModel) -> Iterator[Prediction | Skipped]:
    """Return an iterator over predictions that workers make, who end with it.

    Raises:
        ConfigError: they are to be logged.
        ClusterError: the cluster cannot be reached.
    """
    if config.log is not None:
        raise ConfigError(
            "--log records in one process. It does not go together with --cluster. Remove one of them."
        )
    images = texted_images(config.images, model, config.path, config.text, null=config.null)
    cluster = open_cluster(address)

    def rows() -> Iterator[Prediction | Skipped]:
        try:
            yield from predict_in_shards(cluster, model, images, config.top, default_folder())
        finally:
            cluster.close()

    return _counted(rows(), progress_task("Predicting"), None)


def _counted(
    predictions: Iterator[Prediction | Skipped],
    shown: AbstractContextManager[Task],
    monitor: ModelMonitor | None,
) -> Iterator[Prediction | Skipped]:
    """Yield ``predictions``, counted in the progress that surrounded the call, not each step.

    At the end, and where the caller ends early, the log is written.
    """
    with ExitStack() as at_end:
        task = at_end.enter_context(shown)
        if monitor is not None:
            at_end.callback(monitor.recorder.close)
        for prediction in predictions:
            task.advance()
            yield prediction
