"""`predict`: a sealed model's answers for images, one after another and in constant memory."""

from __future__ import annotations

from collections.abc import Iterator

from eyebright.errors import ImageError, NotFoundError
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import SILENT, Progress
from eyebright.sealed.model import SealedModel
from eyebright.text.language import translate
from eyebright.types import Prediction, Skipped
from eyebright.verbs.predict.image_paths import image_paths
from eyebright.verbs.predict.options import PredictConfig


def predict(config: PredictConfig, progress: Progress = SILENT) -> Iterator[Prediction | Skipped]:
    """Yields an answer for each image in the order in which they were named, or why there is none.

    Args:
        config: which model, which images.
        progress: is told how many are done.

    Raises:
        NotFoundError: the model does not exist, or a path or pattern matches nothing.
        ModelError: the file is not a sealed model.
    """
    model = SealedModel(config.model, threads=1)
    paths = image_paths(config.images, config.null)

    def answer(path: str) -> Prediction | Skipped:
        try:
            return model.predict(path, top=config.top)
        except (ImageError, NotFoundError) as error:
            return Skipped(path, error.template, error.values)

    with progress.task(translate("Predicting", config.lang)) as task:
        for result in parallel(answer, paths):
            task.advance()
            yield result
