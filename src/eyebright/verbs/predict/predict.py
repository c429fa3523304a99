"""`predict`: a sealed model's predictions for images, one after another and in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

from eyebright.errors import ImageError, NotFoundError
from eyebright.monitoring.model_monitor import ModelMonitor
from eyebright.runtime.context import progress_task, stage
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction, Skipped
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.predict.tables import TextedImage, texted_images


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
    monitor = None if config.log is None else ModelMonitor(model, config.log, window_seconds=math.inf)
    images = texted_images(config.images, model, config.path, config.text, null=config.null)

    def predicted(given: TextedImage | Skipped) -> Prediction | Skipped:
        if isinstance(given, Skipped):
            return given
        try:
            if given.image is None:
                return replace(model.predict_text(given.text, config.top), path=given.name)
            return (monitor or model).predict(given.image, config.top, given.text)
        except (ImageError, NotFoundError) as error:
            name = given.name or f"<{type(given.image).__name__}>"
            return Skipped(name, error.template, error.values)

    return _counted(parallel(predicted, images), progress_task("Predicting"), monitor)


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
