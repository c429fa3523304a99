"""CVAT's XML for images: tags of whole images, or else the labels of their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.parsers import expat

from eyebright.data.sources.annotated import Annotations
from eyebright.data.splits.names import named_split
from eyebright.errors import DataError

_SHAPES = frozenset({"box", "polygon", "polyline", "points", "mask", "ellipse", "cuboid", "skeleton"})


def is_cvat(head: bytes) -> bool:
    """Return whether a text with this beginning is CVAT's XML."""
    return (
        head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<?xml", b"<annotations"))
        and b"<annotations" in head
    )


def read_cvat(path: Path, text: bytes) -> Annotations:
    """Return the labels of each image. Entities and document types are refused: they can unfold without end.

    Raises:
        DataError: it is no such XML.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise DataError(
            "CVAT annotations must be XML without a document type, as `CVAT for images` exports it. {path}: "
            "{error}. Export it again.",
            path=path,
            error=error,
        ) from None
    found = Annotations(path)
    by_tag = any(reader.tags)
    for name, subset, tags, shapes in zip(
        reader.names, reader.subsets, reader.tags, reader.shapes, strict=True
    ):
        found.images.append(name)
        found.labels.append(sorted(tags if by_tag else shapes))
        found.splits.append(named_split(subset) if subset else None)
    return found


class _Reader:
    """Gathers images while the parser goes through the text."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.subsets: list[str] = []
        self.tags: list[set[str]] = []
        self.shapes: list[set[str]] = []
        self._inside = False

    def start(self, element: str, values: Mapping[str, str]) -> None:
        if element == "image":
            self._inside = True
            self.names.append(values["name"])
            self.subsets.append(values.get("subset", ""))
            self.tags.append(set())
            self.shapes.append(set())
        elif self._inside and "label" in values and (element == "tag" or element in _SHAPES):
            (self.tags if element == "tag" else self.shapes)[-1].add(values["label"].strip())

    def end(self, element: str) -> None:
        if element == "image":
            self._inside = False

    def refuse(self, *_: object) -> None:
        raise ValueError("it has a document type")
