"""`predict`: a sealed model's answers for images, one after another and in constant memory."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from eyebright.config.predict import PredictConfig
from eyebright.data.unlabelled import image_files
from eyebright.errors import ImageError, NotFoundError
from eyebright.language import translate
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import SILENT, Progress
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction, Skipped


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
    for name in config.images:
        _require(name)

    def answer(path: str) -> Prediction | Skipped:
        try:
            return model.predict(path, top=config.top)
        except (ImageError, NotFoundError) as error:
            return Skipped(path, error.template, error.values)

    with progress.task(translate("Predicting", config.lang)) as task:
        for result in parallel(answer, _paths(config)):
            task.advance()
            yield result


def _paths(config: PredictConfig) -> Iterator[str]:
    for name in config.images:
        if name == "-":
            yield from _from_input(b"\0" if config.null else b"\n")
        elif os.path.isdir(name):
            yield from image_files(Path(name))
        elif os.path.lexists(name):
            yield name
        else:
            yield from _matching(name)


def _require(name: str) -> None:
    """Refuses a name that stands for nothing, before any answer is given."""
    if name != "-" and not os.path.lexists(name) and next(_matching(name), None) is None:
        raise NotFoundError(
            "Images must be files, folders or patterns that match some. {pattern} matches none. "
            "Check the path.",
            pattern=name,
        )


def _matching(pattern: str) -> Iterator[str]:
    return (path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))


def _from_input(end: bytes) -> Iterator[str]:
    """Paths from standard input as they arrive."""
    rest = b""
    stream = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    while block := stream.read1(1 << 16):
        *lines, rest = (rest + block).split(end)
        yield from (os.fsdecode(line.rstrip(b"\r")) for line in lines if line.strip())
    if rest.strip():
        yield os.fsdecode(rest)
