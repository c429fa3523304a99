"""Images with a table beside them: `labels.csv`, or `metadata.csv` as Hugging Face's `datasets` reads it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from eyebright.data.manifest import Sample
from eyebright.data.writing.base import DataFacts, DataWriter
from eyebright.data.writing.card import dataset_card
from eyebright.data.writing.croissant import table_records
from eyebright.types import JsonObject

_FOLDER = "images"


class CsvWriter(DataWriter):
    """Writes `labels.csv` with the columns path, label or labels, split, and what else is known."""

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        super().__init__(folder, facts)
        label = "labels" if facts.multilabel else "label"
        self._header = ["path", label, *["split"] * facts.splits, *facts.further]
        self._rows: list[list[str]] = []

    def add(self, sample: Sample, data: bytes) -> None:
        """Write one image, and note its row."""
        row = [self.write_image(_FOLDER, sample, data), label_cell(self.facts, sample)]
        self._rows.append([*row, *[sample.split] * self.facts.splits, *further_cells(self.facts, sample)])

    def finish(self) -> Sequence[JsonObject]:
        """Write the table."""
        (self.folder / "labels.csv").write_text(csv_text(self._header, self._rows), encoding="utf-8")
        return [table_records("labels.csv", self._header)]


class HuggingFaceWriter(DataWriter):
    """Writes a folder for each split with `metadata.csv` in it, and a dataset card."""

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        super().__init__(folder, facts)
        label = "labels" if facts.multilabel else "label"
        self._header = ["file_name", label, *facts.further]
        self._rows: dict[str, list[list[str]]] = {}

    def add(self, sample: Sample, data: bytes) -> None:
        """Write one image, and note its row."""
        split = self.facts.split_of(sample)
        path = self.write_image(f"{split}/{_FOLDER}" if self.facts.splits else _FOLDER, sample, data)
        name = path.partition("/")[2] if self.facts.splits else path
        row = [name, label_cell(self.facts, sample), *further_cells(self.facts, sample)]
        self._rows.setdefault(split, []).append(row)

    def finish(self) -> Sequence[JsonObject]:
        """Write the tables and the card."""
        tables = []
        for split, rows in self._rows.items():
            tables.append(f"{split}/metadata.csv" if self.facts.splits else "metadata.csv")
            (self.folder / tables[-1]).write_text(csv_text(self._header, rows), encoding="utf-8")
        counts = {split: len(rows) for split, rows in self._rows.items()}
        (self.folder / "README.md").write_text(dataset_card(self.facts, counts), encoding="utf-8")
        return [table_records(table, self._header) for table in tables]


def label_cell(facts: DataFacts, sample: Sample) -> str:
    """Return the cell of a sample's label, or of its labels as JSON."""
    return json.dumps(list(sample.labels), ensure_ascii=False) if facts.multilabel else sample.label


def further_cells(facts: DataFacts, sample: Sample) -> list[str]:
    """Return the cells of what else is known of a sample."""
    return [str(value) for value in facts.further_of(sample).values()]


def csv_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as CSV."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue()
