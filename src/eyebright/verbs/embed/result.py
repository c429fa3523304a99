"""The result of `embed`: features of images, and the images that are most alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eyebright.auditing.neighbours import near, unit
from eyebright.errors import ConfigError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.atomic import atomic_path
from eyebright.text.format import decimal
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.training.linear_probe.pca import standardise
from eyebright.types import FloatArray, IntArray, Skipped

_SHOWN = 10


@dataclass(frozen=True)
class Neighbours:
    """For each of N images the K most similar, the nearest first.

    Attributes:
        places: (N, K) the number of each in the images that were searched.
        similarity: (N, K) the cosine between standardised features.
    """

    places: IntArray
    similarity: FloatArray


@dataclass(frozen=True, repr=False)
class Embeddings(Displayed):
    """Features of images; it shows their number when it is printed.

    Attributes:
        source: what computed them: a backbone's name, and its hash.
        paths: of the N images that could be read; of one in memory, its number.
        features: (N, D) float32.
        skipped: images that could not be read, with the reasons.
        neighbours: of each image among the others, where these were asked for.
        file: that was written, if one was.
    """

    source: str
    paths: Sequence[str]
    features: FloatArray
    skipped: Sequence[Skipped]
    neighbours: Neighbours | None = None
    file: Path | None = None

    def nearest(self, count: int = 5, among: Embeddings | None = None) -> Neighbours:
        """Return the images that are most similar to each of these.

        Args:
            count: K, fewer where there are not so many.
            among: the images to search, embedded in the same way; None searches the others of these.

        Raises:
            ConfigError: they were embedded in another way.
        """
        searched = among or self
        if searched.source != self.source:
            raise ConfigError(
                "Features must come from one model to be compared. Got {one} and {other}. Embed both with "
                "the same.",
                one=self.source,
                other=searched.source,
            )
        rows, mean, scale = standardise(searched.features)
        own = among is None
        wanted = min(count + own, len(rows))
        units, queries = unit(rows), unit((self.features - mean) * scale)
        query, row = near(len(queries), lambda span: queries[span], [units], -np.inf, wanted)
        return _sorted(query, row, queries, units, wanted - own, own)

    def display(self) -> Iterator[str | ResultTable]:
        """Yield how many images there are, and some with what is most like them."""
        yield translate(
            "{count:image has|images have} {width} features each, by {source}.",
            count=len(self.paths),
            width=self.features.shape[1],
            source=self.source,
        )
        if self.neighbours is not None and self.neighbours.places.size:
            head = [translate("Image"), translate("Most similar"), translate("Similarity")]
            yield ResultTable(
                [head, *(self._row(place) for place in range(min(_SHOWN, len(self.paths))))], right=(2,)
            )
        if self.file is not None:
            yield translate("Features  {path}", path=self.file)

    def _row(self, place: int) -> list[str]:
        found = self.neighbours
        if found is None:
            return []
        nearest, similarity = found.places[place, 0], found.similarity[place, 0]
        return [printable(self.paths[place]), printable(self.paths[nearest]), decimal(float(similarity), 2)]

    def write(self, path: Path) -> None:
        """Write a Parquet file with the columns path and features, and neighbours and similarity if known.

        Raises:
            StorageError: the disk is full or must not be written.
        """
        count, width = self.features.shape
        flat = pa.array(np.ascontiguousarray(self.features).reshape(-1))
        columns = {
            "path": pa.array(list(self.paths), pa.string()),
            "features": pa.FixedSizeListArray.from_arrays(flat, width),
        }
        if self.neighbours is not None:
            names = [[self.paths[place] for place in row] for row in self.neighbours.places]
            columns["neighbours"] = pa.array(names, pa.list_(pa.string()))
            columns["similarity"] = pa.array(self.neighbours.similarity.tolist(), pa.list_(pa.float32()))
        about = {"eyebright": json.dumps({"source": self.source, "images": count})}
        with atomic_path(path) as temporary:
            pq.write_table(pa.table(columns).replace_schema_metadata(about), temporary, compression="zstd")


def _sorted(
    query: IntArray, row: IntArray, queries: FloatArray, units: FloatArray, count: int, own: bool
) -> Neighbours:
    """Return pairs as tables (N, K), the nearest first, an image itself left out."""
    places = np.zeros((len(queries), count), np.int64)
    similarity = np.zeros((len(queries), count), np.float32)
    ends = np.searchsorted(query, np.arange(len(queries) + 1))
    for number in range(len(queries)):
        found = row[ends[number] : ends[number + 1]]
        found = found[found != number] if own else found
        alike = units[found] @ queries[number]
        order = np.argsort(-alike, kind="stable")[:count]
        places[number], similarity[number] = found[order], alike[order]
    return Neighbours(places, similarity)
