"""COCO annotations, of which the categories of an image are its labels."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from eyebright.data.sources.annotated import Annotations
from eyebright.data.splits.names import named_split
from eyebright.errors import DataError
from eyebright.runtime.stored import parse_json
from eyebright.types import Skipped, Split

# What `data convert` writes of an image beside its labels.
_FURTHER = ("group", "text", "weight", "time")
_PREFIX = re.compile(r"_?(instances|annotations|person_keypoints|captions|image_info|labels|coco)[_.-]?")


class _Image(BaseModel):
    id: int | str
    file_name: str
    group: str = ""
    text: str = ""
    weight: float | str = ""
    time: str = ""


class _Annotation(BaseModel):
    image_id: int | str
    category_id: int | str


class _Category(BaseModel):
    id: int | str
    name: str


class _Coco(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


_COCO = TypeAdapter(_Coco)


def is_coco(head: bytes) -> bool:
    """Return whether JSON that has these keys somewhere may be COCO."""
    return all(key in head for key in (b'"images"', b'"annotations"', b'"categories"'))


def read_coco(path: Path, text: bytes) -> Annotations:
    """Return what a COCO file says of whole images: the names of their categories, each once.

    Raises:
        DataError: it is no such file.
    """
    try:
        content = parse_json(_COCO, text)
    except ValueError as error:
        raise DataError(
            "COCO annotations must have images, annotations and categories with their ids and names. {path}: "
            "{error}. Export it again.",
            path=path,
            error=error,
        ) from None
    _require_own_ids(path, "images", [image.id for image in content.images])
    _require_own_ids(path, "categories", [category.id for category in content.categories])
    names = {category.id: category.name.strip() for category in content.categories}
    labels: dict[int | str, set[str]] = defaultdict(set)
    unknown: Counter[int | str] = Counter()
    for annotation in content.annotations:
        if annotation.category_id in names:
            labels[annotation.image_id].add(names[annotation.category_id])
        else:
            unknown[annotation.category_id] += 1
    found, split = Annotations(path), _split_of(path)
    for image in content.images:
        found.images.append(image.file_name)
        found.labels.append(sorted(labels.pop(image.id, ())))
        found.splits.append(split)
    for name in _FURTHER:
        cells = [str(getattr(image, name)) for image in content.images]
        if any(cells):
            found.further[name] = cells
    reason = "{count:annotation names|annotations name} the category {id}, which the file does not list."
    found.skipped += [
        Skipped(path.name, reason, {"count": count, "id": id_}) for id_, count in unknown.items()
    ]
    if labels:
        reason = "{count:image has|images have} annotations, but the file does not list them, such as {id}."
        found.skipped.append(Skipped(path.name, reason, {"count": len(labels), "id": next(iter(labels))}))
    return found


def _require_own_ids(path: Path, what: str, ids: Sequence[int | str]) -> None:
    if len(set(ids)) == len(ids):
        return
    raise DataError(
        "Each of the COCO {what} must have an id of its own. {path} has {id} more than once. Export it "
        "again, or correct the ids.",
        what=what,
        path=path,
        id=next(id_ for id_, count in Counter(ids).items() if count > 1),
    )


def _split_of(path: Path) -> Split | None:
    stem = _PREFIX.sub("", path.stem.lower())
    return named_split(re.sub(r"\d+$", "", stem)) if stem else named_split(path.parent.name)
