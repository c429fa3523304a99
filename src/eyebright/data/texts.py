"""Texts beside images: what is a text, what is none, and files of the same name as the image's."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.storage.places import read_bytes
from eyebright.data.table.chosen import BESIDE
from eyebright.errors import DataError
from eyebright.runtime.compact.rows import values
from eyebright.types import Skipped

#: Characters of a text that are kept; the model reads fewer.
MOST_CHARACTERS = 100_000
_MOST_FILE_BYTES = 4 * MOST_CHARACTERS
_NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a", "-"})
_NUMBER = re.compile(r"[-+]?[\d.,]*\d[\d.,]*([eE][-+]?\d+)?\s*%?")
_BINARY_SHARE = 0.1  # of characters that no text has
# A text of so many images is no product's: it would tie half of the data to one split.
_SHARED_SHARE, _SHARED_LEAST = 0.05, 20


def text_of(cells: Sequence[str]) -> str | None:
    """Return the text in the cells of an image, one line a cell; None of cells that are not text.

    Empty cells, and what tables write for nothing (NaN, null), are left out.
    """
    kept = [cell.strip() for cell in cells if cell.strip(" \t\r\n<>").casefold() not in _NOTHING]
    text = "\n".join(kept)[:MOST_CHARACTERS]
    return None if _is_binary(text) else text


def _is_binary(text: str) -> bool:
    not_text = sum(_is_not_text(char) for char in text)
    return "\0" in text or not_text > _BINARY_SHARE * len(text)


def _is_not_text(char: str) -> bool:
    return char == "\ufffd" or (
        unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co") and char not in "\t\n\r\f\v"
    )


def with_texts_beside(manifest: Manifest, *, required: bool = True) -> Manifest:
    """Return the manifest with the texts in `name.txt` beside `name.jpg`, after those that it has.

    Raises:
        DataError: there is not one such file, although they are required.
    """
    found = [_beside(manifest.root, sample) for sample in manifest.samples]
    if required and not any(found):
        raise DataError(
            "With `--text txt`, the text of name.jpg lies beside it in name.txt. There is none beside "
            "the {count} images below {path}. Write them, or name a column of a table.",
            count=len(manifest.samples),
            path=manifest.root,
        )
    samples, notes = [], []
    for sample, text in zip(manifest.samples, found, strict=True):
        if text is None:
            notes.append(unreadable(sample.path))
        samples.append(replace(sample, text="\n".join(filter(None, (sample.text, text)))))
    return replace(manifest, samples=tuple(samples), warnings=(*manifest.warnings, *notes))


def unreadable(path: str) -> Skipped:
    """Return the note on an image whose text is binary."""
    return Skipped(path, "The text of this image is no text but binary data, so it was left out.")


def _beside(root: Path, sample: Sample) -> str | None:
    path = PurePosixPath(sample.path).with_suffix(".txt")
    try:
        return text_of_file(read_bytes(root / path))
    except OSError:
        return ""


def text_of_file(content: bytes) -> str | None:
    """Return the text in the bytes of a file; None of one that is no text."""
    return text_of([content[:_MOST_FILE_BYTES].decode("utf-8-sig", "replace")])


def require_texts(manifest: Manifest, names: str) -> Manifest:
    """Return the manifest, with what is to be said of its texts.

    Args:
        manifest: with texts.
        names: of the columns that they come from.

    Raises:
        DataError: there is none, or they are numbers or the label itself.
    """
    texts = [s.text for s in manifest.samples if s.text]
    if not texts:
        raise DataError(
            "Images must have texts. Those of {names} are all empty. Name another column with --text, or "
            "leave it out.",
            names=names,
        )
    if all(_NUMBER.fullmatch(text) for text in texts):
        raise DataError(
            "A text must be words. {names} holds numbers, such as {example}. Name another column with "
            "--text.",
            names=names,
            example=texts[0],
        )
    missing = len(manifest.samples) - len(texts)
    notes = list(manifest.warnings)
    if missing:
        reason = "{count:image has|images have} no text. They are answered from the image alone."
        notes.append(Skipped(".", reason, {"count": missing}))
    if divided := _divided(manifest):
        reason = (
            "{count:text is|texts are} shared by images of several splits, so the metrics may be too "
            "optimistic. Leave out the splits of the data, so that they are drawn with such images kept "
            "together."
        )
        notes.append(Skipped(".", reason, {"count": divided}))
    return replace(manifest, warnings=tuple(notes))


def require_more_than_label(manifest: Manifest) -> None:
    """Refuse texts that are the label: one for each class, and no class without.

    Raises:
        DataError: they are.
    """
    names = ", ".join(manifest.columns.text if manifest.columns else (BESIDE,))
    pairs = Counter((label, text) for label, text in values(manifest.samples, "label", "text") if text)
    labels, texts = {label for label, _ in pairs}, {text for _, text in pairs}
    spelled = sum(count for (label, text), count in pairs.items() if text.casefold() == label.casefold())
    one_each = len(labels) > 1 and len(pairs) == len(labels) == len(texts) and pairs.total() > 2 * len(pairs)
    if one_each or spelled > 0.9 * pairs.total():
        raise DataError(
            "A text must not be the label itself. In {names}, every image of a class has the same text, "
            "and no other class has it. Name another column with --text.",
            names=names,
        )


def shared_texts(samples: Sequence[Sample]) -> list[list[int]]:
    """Return groups of the places of samples that share a text, which so must stay in one split.

    What very many share, such as the name of a shop, says nothing of belonging together.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(values(samples, "text")):
        if text:
            places[text.casefold()].append(place)
    most = max(_SHARED_LEAST, _SHARED_SHARE * len(samples))
    return [some for some in places.values() if 1 < len(some) <= most]


def _divided(manifest: Manifest) -> int:
    """Return how many texts are shared by images of several splits."""
    samples = manifest.samples
    return sum(len({samples[place].split for place in group}) > 1 for group in shared_texts(samples))
