"""WebDataset shards: tar archives in which the files of one sample share a key, `key.jpg` and `key.cls`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from eyebright.data.formats.known import extensions
from eyebright.data.splits.names import named_split
from eyebright.data.storage.places import left_out, read_bytes, scandir, storage_at
from eyebright.data.storage.tar_file import TarStorage
from eyebright.data.table.cells import cell_text, table_of
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import find_meaning
from eyebright.data.table.listed import ListedImages
from eyebright.runtime.stored import parse_json
from eyebright.types import Skipped, Split

_CLASS, _JSON = "cls", "json"
_COLUMN = "class"  # what `key.cls` is as a column: of two such columns, the one with names is taken
_PATH, _SPLIT = "(image)", "(split)"
_SHARD = re.compile(r"(.+?)[-_.]?\d+")
_OBJECT = TypeAdapter(dict[str, Any])


def is_shard(path: Path) -> bool:
    """Return whether a tar archive holds images with a class or JSON beside them, told by its beginning."""
    found = storage_at(path)
    if found is None or not isinstance(found[0], TarStorage):
        return False
    kinds: dict[str, set[str]] = defaultdict(set)
    for key, kind, _ in _members(path, ""):
        kinds[key].add(kind)
        if len(kinds) > 100:
            break
    return any(({_CLASS, _JSON} & some) and _image_kinds(some) for some in kinds.values())


def from_shards(
    source: Path, root: Path, shards: Sequence[str], chosen: Columns, *, multilabel: bool
) -> ListedImages:
    """Return the images in shards, whose names say the split where all of them do: `train-000000.tar`.

    Args:
        source: for the sentences.
        root: what ``shards`` are relative to.
        shards: the archives, "." for the root itself.
        chosen: columns that the user names: `class` for `key.cls`, or keys of the JSON.
        multilabel: see `find_meaning`.

    Raises:
        DataError: a shard is damaged, or it is open what says the label.
    """
    splits = [_split_of(name) for name in shards]
    known = splits if all(splits) and len(set(splits)) > 1 else [None] * len(shards)
    rows: list[dict[str, str]] = []
    skipped: list[Skipped] = []
    for shard, split in zip(shards, known, strict=True):
        if shard != ".":  # of the data itself, whoever reads it tells what was left out
            skipped += [replace(one, path=f"{shard}/{one.path}") for one in left_out(root / shard)]
        for row in _samples(root, "" if shard == "." else f"{shard}/", skipped):
            rows.append(row | ({_SPLIT: split} if split else {}))
    names = dict.fromkeys(name for row in rows for name in row)
    table = table_of(source, {name: [row.get(name, "") for row in rows] for name in names})
    column = chosen.split or (_SPLIT if _SPLIT in names else None)
    wanted = replace(chosen, path=_PATH, split=column)
    meant = find_meaning(table, multilabel=multilabel, chosen=wanted)
    return ListedImages(source, root, meant, tuple(skipped), complete=True)


def _split_of(shard: str) -> Split | None:
    path = Path(shard)
    match = _SHARD.fullmatch(path.stem)
    return named_split(match[1] if match else path.stem) or named_split(path.parent.name)


def _samples(root: Path, shard: str, skipped: list[Skipped]) -> Iterator[dict[str, str]]:
    samples: dict[str, dict[str, str]] = defaultdict(dict)
    for key, kind, path in _members(root / shard, ""):
        samples[key][kind] = path
    for key, files in samples.items():
        kinds = _image_kinds(files)
        if len(kinds) != 1:
            reason = "A sample must have one image. This one has {count}, so it was left out."
            skipped.append(Skipped(shard + key, reason, {"count": len(kinds)}))
            continue
        try:
            row = {_PATH: shard + files[kinds[0]]}
            if _JSON in files:
                content = parse_json(_OBJECT, read_bytes(root / shard / files[_JSON]))
                row |= {name: cell_text(value) for name, value in content.items()}
            if _CLASS in files:
                row[_COLUMN] = read_bytes(root / shard / files[_CLASS]).decode("utf-8").strip()
            yield row
        except (OSError, ValueError) as error:
            reason = "What the sample says of its image cannot be read ({error})."
            skipped.append(Skipped(shard + key, reason, {"error": str(error)}))


def _members(top: Path, folder: str) -> Iterator[tuple[str, str, str]]:
    """Yield key, kind and path of the files in a shard."""
    with scandir(top / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                yield from _members(top, path)
            else:
                stem, _, kind = entry.name.partition(".")
                yield (f"{folder}/{stem}" if folder else stem), kind.lower(), path


def _image_kinds(kinds: Sequence[str] | set[str] | dict[str, str]) -> list[str]:
    return [kind for kind in kinds if kind.rpartition(".")[2] in extensions()]
