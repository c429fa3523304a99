"""Predictions in Spark: what `DataFrame.mapInArrow` calls in each Python worker, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from eyebright.data.decode import decode
from eyebright.errors import DataError, ImageError, NotFoundError
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction

_COLUMNS = {
    "path": ("string", pa.string()),
    "label": ("string", pa.string()),
    "confidence": ("double", pa.float64()),
    "unknown": ("boolean", pa.bool_()),
    "reason": ("string", pa.string()),
}
_FEATURES = ("ARRAY<FLOAT>", pa.list_(pa.float32()))


@dataclass(frozen=True)
class SparkPredictor:
    """A sealed model for `DataFrame.mapInArrow`; one session a Python worker, made at its first row.

    The rows must have a column `path`, of files that the workers can read, also in buckets. Where they have a
    column `content` as well, as those of Spark's source `binaryFile` do, the images are taken from there.

    Attributes:
        model: path of the file, which the workers must see, or the name that `SparkContext.addFile` gave it.
        features: whether each row also gets the features of the image.
    """

    model: str
    features: bool = False

    @property
    def schema(self) -> str:
        """Return the columns of the result, as `mapInArrow` takes them.

        `label` is empty where an image cannot be read, and `reason` says why; else `reason` is null.
        """
        return ", ".join(f"{name} {kind}" for name, (kind, _) in self._columns().items())

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the predictions of each batch.

        Raises:
            DataError: there is no column `path`.
        """
        model = _model(self.model)
        schema = pa.schema([(name, kind) for name, (_, kind) in self._columns().items()])
        for batch in batches:
            if "path" not in batch.schema.names:
                raise DataError(
                    "Rows must have a column named path with the images' paths. Theirs are: {columns}. "
                    "Rename the column.",
                    columns=", ".join(batch.schema.names),
                )
            paths = batch.column("path").to_pylist()
            contents = paths
            if "content" in batch.schema.names:
                contents = batch.column("content").to_pylist()
            rows = [self._row(model, path, image) for path, image in zip(paths, contents, strict=True)]
            yield pa.RecordBatch.from_pylist(rows, schema=schema)

    def _columns(self) -> dict[str, tuple[str, pa.DataType]]:
        return {**_COLUMNS, **({"features": _FEATURES} if self.features else {})}

    def _row(self, model: SealedModel, path: str, image: Any) -> dict[str, object]:
        try:
            given = _place(image) if isinstance(image, str) else image
            found, features = self._answer(model, given)
        except (ImageError, NotFoundError) as error:
            return {"path": path, "label": "", "reason": str(error)}
        row = {"label": found.label, "confidence": found.confidence, "unknown": found.unknown}
        return {"path": path, **row, "features": features}

    def _answer(self, model: SealedModel, image: Any) -> tuple[Prediction, Any]:
        if not self.features:
            return model.predict(image), None
        pixels = decode(image, min_side=model.size, white_level=model.white_level)
        probabilities, scores, features = model.predict_with_features(pixels[None])
        score = None if scores is None else float(scores[0])
        row = None if features is None else features[0]
        return model.prediction(probabilities[0], None, score=score), row


def _place(path: str) -> str:
    """Return a path without the scheme that Spark puts before those of local files."""
    return path.removeprefix("file://") if path.startswith("file:///") else path.removeprefix("file:")


@lru_cache(maxsize=1)
def _model(name: str) -> SealedModel:
    path = Path(name)
    if not path.exists():
        from pyspark import SparkFiles

        path = Path(SparkFiles.get(os.path.basename(name)))
    return SealedModel(path, threads=1)
