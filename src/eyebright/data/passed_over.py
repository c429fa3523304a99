"""What is said of files that are passed over for their extensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from eyebright.data.formats.known import missing_extra
from eyebright.errors import DataError
from eyebright.types import Skipped


def other_files(others: Mapping[str, int]) -> list[Skipped]:
    """Return the note on files that were passed over for their extensions, with how many have which."""
    if not others:
        return []
    values = {"count": sum(others.values()), "kinds": _kinds(others)}
    note = Skipped(".", "Not images by their extension, so not opened: {count:file|files} ({kinds}).", values)
    if (extra := missing_extra(others)) is None:
        return [note]
    reason = "{format} files are read with the extra {extra}. It is not installed. Run: {command}"
    return [
        note,
        Skipped(".", reason, {"format": extra.name, "extra": extra.extra, "command": extra.command}),
    ]


def no_images(folder: Path, others: Mapping[str, int]) -> DataError:
    """Return the error for a folder without an image, with what it holds instead."""
    if not others:
        return DataError(
            "The folder must contain images (JPEG, PNG, TIFF, …). {path} contains none. Check the path and "
            "its permissions.",
            path=folder,
        )
    if (extra := missing_extra(others)) is not None:
        return DataError(
            "The folder must contain images (JPEG, PNG, TIFF, …). {path} contains none, but "
            "{count:file|files} with other extensions ({kinds}). Convert them to JPEG or PNG, or install "
            "what reads {format}: {command}",
            path=folder,
            count=sum(others.values()),
            kinds=_kinds(others),
            format=extra.name,
            command=extra.command,
        )
    return DataError(
        "The folder must contain images (JPEG, PNG, TIFF, …). {path} contains none, but "
        "{count:file|files} with other extensions ({kinds}). Convert them to JPEG or PNG, or check the path.",
        path=folder,
        count=sum(others.values()),
        kinds=_kinds(others),
    )


def _kinds(others: Mapping[str, int]) -> str:
    return ", ".join(f"{suffix or '-'} {count}" for suffix, count in Counter(others).most_common(5))
