"""Class folders, in folders of splits where the data has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from eyebright.data.manifest import Sample
from eyebright.data.splits.names import named_split
from eyebright.data.writing.base import DataFacts, DataWriter
from eyebright.errors import DataError
from eyebright.types import JsonObject

_FORBIDDEN = re.compile(r'[/\\\0<>:"|?*\x01-\x1f]|^\.|^ |[. ]$|^(__MACOSX|@eaDir)$', re.IGNORECASE)


class FolderWriter(DataWriter):
    """Writes `train/CLASS/NAME`, or `CLASS/NAME` of data without splits.

    Raises:
        DataError: an image may have several labels, more is known of it, or a label cannot be a folder.
    """

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        super().__init__(folder, facts)
        more = [*["labels"] * facts.multilabel, *facts.further]
        if more:
            raise DataError(
                "Class folders hold one label for each image, and nothing else. {name} also has: {more}. Use "
                "another format, such as csv.",
                name=facts.name,
                more=", ".join(more),
            )
        wrong = [label for label in facts.labels if _FORBIDDEN.search(label)]
        wrong += [] if facts.splits else [label for label in facts.labels if named_split(label)]
        if wrong:
            raise DataError(
                "Labels must be possible as names of folders. {label} is not, or stands for a split. Use "
                "another format, such as csv, or rename it with a fix.",
                label=repr(wrong[0]),
            )

    def add(self, sample: Sample, data: bytes) -> None:
        """Write one image."""
        top = f"{sample.split}/" if self.facts.splits else ""
        self.write_image(f"{top}{sample.label}", sample, data)

    def finish(self) -> Sequence[JsonObject]:
        """Return nothing more: the folders say it all."""
        return ()
