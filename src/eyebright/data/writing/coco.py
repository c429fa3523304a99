"""COCO annotations of whole images, with the images beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from eyebright.data.manifest import Sample
from eyebright.data.writing.base import DataFacts, DataWriter
from eyebright.types import JsonObject

_FOLDER = "images"


class CocoWriter(DataWriter):
    """Writes `annotations/instances_SPLIT.json` and `images/`; an annotation has no box, for it means all."""

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        super().__init__(folder, facts)
        self._numbers = {label: number for number, label in enumerate(facts.labels, 1)}
        self._images: dict[str, list[JsonObject]] = {}
        self._annotations: dict[str, list[JsonObject]] = {}
        self._count = 0

    def add(self, sample: Sample, data: bytes) -> None:
        """Write one image, and note what there is to say of it."""
        split = self.facts.split_of(sample) if self.facts.splits else "default"
        self._count += 1
        image: JsonObject = {
            "id": self._count,
            "file_name": self.write_image(_FOLDER, sample, data).partition("/")[2],
            "width": sample.width,
            "height": sample.height,
        }
        known: JsonObject = {
            name: value for name, value in self.facts.further_of(sample).items() if value != ""
        }
        self._images.setdefault(split, []).append(image | known)
        notes = self._annotations.setdefault(split, [])
        for label in sample.labels if self.facts.multilabel else (sample.label,):
            ids: JsonObject = {"id": len(notes) + 1, "image_id": self._count}
            notes.append(ids | {"category_id": self._numbers[label]})

    def finish(self) -> Sequence[JsonObject]:
        """Write the annotations."""
        categories: list[JsonObject] = [{"id": i, "name": label} for label, i in self._numbers.items()]
        (self.folder / "annotations").mkdir()
        for split, images in self._images.items():
            content: JsonObject = {
                "info": {"description": self.facts.name},
                "images": images,
                "annotations": self._annotations[split],
                "categories": categories,
            }
            path = self.folder / "annotations" / f"instances_{split}.json"
            path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return ()
