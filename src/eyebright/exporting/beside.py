"""What stands beside the files of a certified export: where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

from eyebright.exporting.base import Format, Source
from eyebright.exporting.certificate import Certificate
from eyebright.exporting.files import sha256
from eyebright.exporting.provenance import PROVENANCE, provenance
from eyebright.runtime.atomic import write_text


def write_beside(target: Format, source: Source, folder: Path, certificate: Certificate) -> dict[str, str]:
    """Writes `provenance.json`.

    This comes after the certificate, whose hash and size are those of the export's own files alone; so the
    hash of a single file stays what `sha256sum` says of it.

    Args:
        target: the format.
        source: what was exported.
        folder: holds the export's files.
        certificate: that of the export.

    Returns:
        SHA-256 by file name of all that was written.
    """
    content = json.dumps(provenance(target, source, certificate), indent=1, ensure_ascii=False)
    texts = {PROVENANCE: content}
    for name, text in texts.items():
        write_text(folder / name, text)
    return {name: sha256(folder / name) for name in texts}
