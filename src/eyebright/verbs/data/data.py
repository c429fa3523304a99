"""`data`: labelled images written in another format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eyebright.data.fixes import read_fixes
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan_as_given
from eyebright.data.table.chosen import named_columns
from eyebright.data.writing.write import write_data
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.messages import say_found, say_skipped
from eyebright.runs.run import dated_directory
from eyebright.runtime.context import stage, timed
from eyebright.text.format import number
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.types import Skipped
from eyebright.verbs.data.options import DataConfig


@dataclass(frozen=True, repr=False)
class Converted(Displayed):
    """The result of `data convert`, and where it lies.

    Attributes:
        directory: the new data.
        images: how many were written, by split; one split where the data has none.
        skipped: what was left out, with the reasons.
    """

    directory: Path
    images: dict[str, int]
    skipped: tuple[Skipped, ...]

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the number of images of each split, and where they are."""
        rows = [[split, number(count)] for split, count in self.images.items()]
        yield ResultTable([[translate("Split"), translate("Images")], *rows], right=(1,))
        yield translate("Data  {path}", path=printable(str(self.directory)))


@stage
def data(config: DataConfig) -> Converted:
    """Convert labelled images to another format.

    Args:
        config: which data, and the format.

    Raises:
        NotFoundError: the data or the fixes do not exist.
        DataError: the data cannot be used, or the format cannot hold it.
        ConfigError: the folder to write holds something.
    """
    fixes = None if config.fixes is None else read_fixes(config.fixes)
    columns = named_columns(config)
    with timed("scan"):
        manifest, given = scan_as_given(config.data, fixes, columns)
    say_found(manifest)
    given = given or _moved(manifest)
    name = config.data.resolve().stem
    out = config.out or dated_directory("data", name)
    skipped = write_data(manifest, config.to, out, name=name, splits=given)
    say_skipped(skipped)
    lost = {entry.path for entry in skipped}
    written = Counter(sample.split for sample in manifest.samples if sample.path not in lost)
    counts = {split: written[split] for split in ("train", "val", "test") if written[split]}
    return Converted(out, counts, (*manifest.skipped, *skipped))


def _moved(manifest: Manifest) -> bool:
    """Return whether fixes have given images to splits of their own."""
    return any(sample.split != "train" for sample in manifest.samples)
