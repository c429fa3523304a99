"""WebDataset shards: tar archives of `KEY.jpg` with `KEY.json` and, of classes, `KEY.cls`."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from eyebright.data.manifest import Sample
from eyebright.data.writing.base import DataFacts, DataWriter
from eyebright.types import JsonObject

_SHARD_BYTES, _SHARD_SAMPLES = 2**28, 10_000


class ShardWriter(DataWriter):
    """Writes `SPLIT-000000.tar` and so on; the JSON has names, `KEY.cls` the number of the class."""

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        super().__init__(folder, facts)
        self._numbers = {label: number for number, label in enumerate(facts.labels)}
        self._open: dict[str, tarfile.TarFile] = {}
        self._shards: dict[str, int] = {}
        self._samples: dict[str, int] = {}

    def add(self, sample: Sample, data: bytes) -> None:
        """Write one sample into the shard of its split."""
        split = self.facts.split_of(sample)
        name = PurePosixPath(self.file_name(split, sample))
        key = name.stem.replace(".", "_")  # the first dot ends a key
        key = f"{self._samples.get(split, 0):07}-{key}" if key != name.stem else key
        archive = self._shard(split)
        _add(archive, f"{key}{name.suffix}", data)
        multilabel = self.facts.multilabel
        about: JsonObject = {"labels": list(sample.labels)} if multilabel else {"label": sample.label}
        about |= self.facts.further_of(sample)
        _add(archive, f"{key}.json", json.dumps(about, ensure_ascii=False).encode())
        if not multilabel:
            _add(archive, f"{key}.cls", str(self._numbers[sample.label]).encode())
        self._samples[split] = self._samples.get(split, 0) + 1
        if archive.offset >= _SHARD_BYTES or self._samples[split] % _SHARD_SAMPLES == 0:
            self._open.pop(split).close()

    def finish(self) -> Sequence[JsonObject]:
        """Close the shards."""
        for archive in self._open.values():
            archive.close()
        return ()

    def _shard(self, split: str) -> tarfile.TarFile:
        if split not in self._open:
            number = self._shards.get(split, 0)
            self._shards[split] = number + 1
            path = self.folder / f"{split}-{number:06}.tar"
            # Closed when it is full, or at the end.
            self._open[split] = tarfile.open(path, "w")  # noqa: SIM115
        return self._open[split]


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
