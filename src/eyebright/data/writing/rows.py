"""Parquet files with the images inside, as Hugging Face's `datasets` writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eyebright.data.manifest import Sample
from eyebright.data.writing.base import DataFacts, DataWriter
from eyebright.data.writing.croissant import parquet_records
from eyebright.types import JsonObject

# `datasets` reads a row group at once, and so do we.
_GROUP_BYTES, _FILE_BYTES = 2**25, 2**28
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


class ParquetWriter(DataWriter):
    """Writes `data/SPLIT-00000-of-0000N.parquet`; classes are numbers in the order of their names."""

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        super().__init__(folder, facts)
        labels: JsonObject = {"names": list(facts.labels), "_type": "ClassLabel"}
        features: JsonObject = {"image": {"_type": "Image"}}
        features |= (
            {"labels": {"feature": labels, "_type": "List"}} if facts.multilabel else {"label": labels}
        )
        numbers = {"weight"}
        features |= {
            name: {"dtype": "float64" if name in numbers else "string", "_type": "Value"}
            for name in facts.further
        }
        kinds = [("image", _IMAGE)]
        kinds += [("labels", pa.list_(pa.int64()))] if facts.multilabel else [("label", pa.int64())]
        kinds += [(name, pa.float64() if name in numbers else pa.string()) for name in facts.further]
        about = json.dumps({"info": {"features": features}}, ensure_ascii=False).encode()
        self._schema = pa.schema(kinds, metadata={b"huggingface": about})
        self._numbers = {label: number for number, label in enumerate(facts.labels)}
        self._waiting: dict[str, list[tuple[object, ...]]] = {}
        self._bytes: dict[str, int] = {}
        self._files: dict[str, list[Path]] = {}
        self._open: dict[str, pq.ParquetWriter] = {}
        (folder / "data").mkdir()

    def add(self, sample: Sample, data: bytes) -> None:
        """Keep one image until there are enough for a row group."""
        split = self.facts.split_of(sample)
        several = [self._numbers[label] for label in sample.labels] if self.facts.multilabel else None
        label = self._numbers[sample.label] if several is None else several
        name = self.file_name(split, sample).rpartition("/")[2]
        row = ({"bytes": data, "path": name}, label, *self.facts.further_of(sample).values())
        rows = self._waiting.setdefault(split, [])
        rows.append(row)
        self._bytes[split] = self._bytes.get(split, 0) + len(data)
        if self._bytes[split] >= _GROUP_BYTES:
            self._flush(split)

    def finish(self) -> Sequence[JsonObject]:
        """Write what is left, and name the files by their number."""
        for split in list(self._waiting):
            self._flush(split)
        for writer in self._open.values():
            writer.close()
        for split, files in self._files.items():
            for number, path in enumerate(files):
                path.rename(path.with_name(f"{split}-{number:05}-of-{len(files):05}.parquet"))
        return [parquet_records(self._files, self._schema.names)]

    def _flush(self, split: str) -> None:
        rows = self._waiting.pop(split, [])
        self._bytes[split] = 0
        if not rows:
            return
        if split not in self._open:
            files = self._files.setdefault(split, [])
            files.append(self.folder / "data" / f"{split}-{len(files)}.part")
            self._open[split] = pq.ParquetWriter(files[-1], self._schema, compression="none")
        columns = [list(cells) for cells in zip(*rows, strict=True)]
        self._open[split].write_table(pa.table(columns, schema=self._schema))
        if self._files[split][-1].stat().st_size >= _FILE_BYTES:
            self._open.pop(split).close()
