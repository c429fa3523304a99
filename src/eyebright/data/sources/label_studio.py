"""Exports of Label Studio, JSON and JSON_MIN: the choices of the annotators, where they agree."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, TypeAdapter

from eyebright.data.formats.known import extensions
from eyebright.data.sources.annotated import Annotations
from eyebright.data.table.cells import cell_text
from eyebright.data.table.chosen import Columns
from eyebright.errors import DataError
from eyebright.runtime.stored import parse_json
from eyebright.types import Skipped

_CHOICES = "choices"
# What JSON_MIN says of the work, not of the image.
_ABOUT = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
_SURE = ("choice", "label", "class", "choices", "labels")


class _Result(BaseModel):
    type: str = ""
    from_name: str = ""
    value: dict[str, Any] = {}


class _Annotation(BaseModel):
    result: list[_Result] = []
    was_cancelled: bool = False


class _Task(BaseModel):
    data: dict[str, Any]
    annotations: list[_Annotation] = []


_TASKS = TypeAdapter(list[_Task])
_ROWS = TypeAdapter(list[dict[str, Any]])
#: The answers of one image: for each annotator, the choices.
_Answers = list[frozenset[str]]


def is_label_studio(head: bytes) -> bool:
    """Return whether JSON that has these keys somewhere may come from Label Studio."""
    if not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"["):
        return False
    return all(key in head for key in (b'"data"', b'"annotations"')) or all(
        key in head for key in (b'"annotator"', b'"annotation_id"')
    )


def read_label_studio(path: Path, text: bytes, chosen: Columns) -> Annotations:
    """Return the choices for whole images. An image whose annotators differ, or were none, is left out.

    Raises:
        DataError: it is no such export, or it is open which choices are the labels.
    """
    try:
        if b'"annotation_id"' in text and b'"annotations"' not in text:
            return _from_rows(path, parse_json(_ROWS, text), chosen)
        return _from_tasks(path, parse_json(_TASKS, text), chosen)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "An export of Label Studio must be JSON or JSON_MIN. {path} is neither ({error}). Export it "
            "again.",
            path=path,
            error=error,
        ) from None


def _from_tasks(path: Path, tasks: list[_Task], chosen: Columns) -> Annotations:
    key = _image_key(path, [task.data for task in tasks], chosen)
    every = {r.from_name for t in tasks for a in t.annotations for r in a.result if r.type == _CHOICES}
    asked = _one_question(path, sorted(every), chosen)
    answers: dict[str, _Answers] = defaultdict(list)
    about: dict[str, Mapping[str, Any]] = {}
    for task in tasks:
        image = local_path(task.data.get(key))
        about.setdefault(image, task.data)
        for annotation in task.annotations:
            answered = [r for r in annotation.result if r.type == _CHOICES and r.from_name == asked]
            if answered and not annotation.was_cancelled:
                answers[image].append(frozenset(c for r in answered for c in _texts(r.value.get(_CHOICES))))
    return _agreed(path, about, answers, key)


def _from_rows(path: Path, rows: list[dict[str, Any]], chosen: Columns) -> Annotations:
    key = _image_key(path, rows, chosen)
    names = dict.fromkeys(name for row in rows for name in row)
    free = [name for name in names if name not in (*_ABOUT, key)]
    sure = [name for name in free if name in _SURE] or [
        n for n in free if any(_is_choice(r.get(n)) for r in rows)
    ]
    asked = _one_question(path, sure if len(sure) == 1 or chosen.label else free, chosen)
    answers: dict[str, _Answers] = defaultdict(list)
    about: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        image = local_path(row.get(key))
        about.setdefault(
            image, {name: value for name, value in row.items() if name in free and name != asked}
        )
        if texts := _texts(row.get(asked)):
            answers[image].append(frozenset(texts))
    return _agreed(path, about, answers, key)


def _agreed(
    path: Path, about: Mapping[str, Mapping[str, Any]], answers: Mapping[str, _Answers], key: str
) -> Annotations:
    found = Annotations(path)
    further = dict.fromkeys(name for data in about.values() for name in data if name != key)
    found.further = {name: [] for name in further}
    for image, data in about.items():
        given = set(answers.get(image, ()))
        if len(given) == 1:
            found.images.append(image)
            found.labels.append(sorted(given.pop()))
            found.splits.append(None)
            for name, cells in found.further.items():
                cells.append(cell_text(data.get(name)))
        elif given:
            reason = "Its annotators differ ({answers}), so it was left out. Decide it in Label Studio."
            texts = " / ".join(sorted("; ".join(sorted(some)) or "-" for some in given))
            found.skipped.append(Skipped(image or ".", reason, {"answers": texts}))
        else:
            found.skipped.append(Skipped(image or ".", "Nobody has annotated it, or only skipped it."))
    return found


def local_path(value: object) -> str:
    """Return the path on disk that a task's address stands for; others stay as they are, and are missing.

    Label Studio serves files as `/data/local-files/?d=PATH` and uploads as `/data/upload/PROJECT/NAME`.
    """
    text = str(value or "")
    parts = urlsplit(text)
    if parts.path.rstrip("/").endswith("/data/local-files"):
        return parse_qs(parts.query).get("d", [""])[0].lstrip("/")
    marker = "/data/upload/"
    if marker in parts.path:
        return "upload/" + unquote(parts.path.partition(marker)[2])
    return text


def _image_key(path: Path, rows: Sequence[Mapping[str, Any]], chosen: Columns) -> str:
    names = dict.fromkeys(name for row in rows for name in row)
    if chosen.path in names:
        return str(chosen.path)
    found = [name for name in names if any(_is_image(row.get(name)) for row in rows)]
    if len(found) != 1:
        raise DataError(
            "One field of the tasks must name the image. {path} has {count:such field|such fields}: {names}. "
            "Name the right one with --path.",
            path=path,
            count=len(found),
            names=", ".join(found or names) or "-",
        )
    return found[0]


def _one_question(path: Path, names: Sequence[str], chosen: Columns) -> str:
    if not names:
        raise DataError(
            "There must be annotated images. {path} has none that can be used. Annotate some.", path=path
        )
    wanted = [name for name in names if name in chosen.label] if chosen.label else names
    if len(wanted) != 1:
        raise DataError(
            "One question must give the label. {path} has answers to: {names}. Name one with --label.",
            path=path,
            names=", ".join(names),
        )
    return wanted[0]


def _is_image(value: object) -> bool:
    return isinstance(value, str) and os.path.splitext(local_path(value))[1][1:].lower() in extensions()


def _is_choice(value: object) -> bool:
    return isinstance(value, dict) and _CHOICES in value


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        value = value.get(_CHOICES)
    some: Iterable[object] = value if isinstance(value, list) else [value]
    return [text for one in some if (text := cell_text(one))]
