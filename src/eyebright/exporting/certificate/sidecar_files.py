"""Files that accompany a certified export: its provenance, its classes, and examples of its use."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from eyebright.exporting.base import ExportSource, Format
from eyebright.exporting.certificate.certificate import Certificate
from eyebright.exporting.certificate.example_answers import deciding, telling
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.provenance import PROVENANCE, provenance
from eyebright.exporting.load_image import load_image_code
from eyebright.runtime.atomic import write_text

LABELS = "labels.txt"


def write_sidecar_files(
    target: Format, source: ExportSource, folder: Path, certificate: Certificate
) -> dict[str, str]:
    """Write `provenance.json`, `labels.txt` and the examples.

    They are written after the certificate, whose hash and size are those of the export's own files alone, so
    the hash of a single file is the one that `sha256sum` prints.

    Args:
        target: the format.
        source: what was exported.
        folder: holds the export's files.
        certificate: that of the export.

    Returns:
        SHA-256 by file name of all that was written.
    """
    origin = json.dumps(provenance(target, source, certificate), indent=1, ensure_ascii=False)
    texts = {PROVENANCE: origin, LABELS: label_lines(source.labels), **examples(target, source)}
    for name, text in texts.items():
        write_text(folder / name, text)
    return {name: sha256(folder / name) for name in texts}


def examples(target: Format, source: ExportSource) -> dict[str, str]:
    """Return short programs that use an export and answer as the model does, by file name.

    Their templates are the files in the folder of the format's name; ``{{size}}`` and the like are filled in.
    Those in other languages than Python tell one class, as a format answers, or the most probable one: there
    are none where the model decides otherwise.

    Args:
        target: the format.
        source: what was exported.
    """
    folder = files("eyebright.exporting").joinpath("examples", target.name)
    if not folder.is_dir():
        return {}
    preprocessing, decisions = source.preprocessing, source.model.decisions
    values = {
        "name": source.name,
        "size": str(source.size),
        "resample": preprocessing.interpolation.upper(),
        "mean": str(list(preprocessing.mean)),
        "std": str(list(preprocessing.std)),
        "decide": deciding(decisions),
        "tell": telling(decisions),
        "load_image": load_image_code(),
        "white_level": "" if source.model.white_level is None else f", {source.model.white_level}",
    }
    templates = list(folder.iterdir())
    with_texts = files("eyebright.exporting").joinpath("examples", f"{target.name}-texts")
    if source.model.has_text and with_texts.is_dir():
        templates += with_texts.iterdir()
    written = {
        template.name.removesuffix(".in"): _filled(template.read_text(encoding="utf-8"), values)
        for template in templates
    }
    told = target.decides and not decisions.multilabel
    return {
        file: text for file, text in written.items() if file.endswith(".py") or told or not decisions.changed
    }


def label_lines(labels: tuple[str, ...]) -> str:
    """Return the classes as text that every language can read: one a line, in the order of the outputs."""
    return "".join(f"{' '.join(label.splitlines())}\n" for label in labels)


def _filled(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)
