"""`SHA256SUMS`: the hashes of a shared run's files, in the format that `sha256sum --check` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from eyebright.backbones.stored import WEIGHTS
from eyebright.errors import ModelError

SUMS = "SHA256SUMS"
#: The model card, where hubs look for it.
CARD = "README.md"
#: The labels and the input, where readers of a hub look for them.
CONFIG = "config.json"
#: Folders of exports' certificates, and of exports with all their files.
CERTIFICATES, EXPORTS = "certificates", "exports"
_MODEL, _REPORT, _PREDICTIONS, _MANIFEST = "model.onnx", "report.html", "predictions.csv", "manifest.parquet"
_FILES = (_MODEL, CARD, CONFIG, WEIGHTS, _REPORT, "metrics.json", _PREDICTIONS, _MANIFEST)
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
# Far more than the files of any export.
_MOST_FILES = 10_000


def sums_text(sums: Mapping[str, str]) -> str:
    """Return the content of the file, sorted by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def read_sums(text: bytes, place: str) -> dict[str, str]:
    """Return the hashes by name.

    Args:
        text: the file's content.
        place: that it came from, for an error.

    Raises:
        ModelError: `eyebright push` did not write it, or a name leads somewhere else.
    """
    sums: dict[str, str] = {}
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = [""]
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or not is_shared_name(match[2]) or len(sums) >= _MOST_FILES:
            raise ModelError(
                "SHA256SUMS must be the file that `eyebright push` wrote. At {place} it is not: {line}. Push "
                "the run again.",
                place=place,
                line=repr(line[:120]),
            )
        sums[match[2]] = match[1]
    return sums


def is_shared_name(name: str) -> bool:
    """Return whether a file of a shared run may have this name."""
    path = PurePosixPath(name)
    if name != path.as_posix() or "\\" in name or "\0" in name or path.is_absolute():
        return False
    if any(part.startswith(".") or ":" in part for part in path.parts):
        return False
    return name in _FILES or (len(path.parts) > 1 and path.parts[0] in (CERTIFICATES, EXPORTS))
